// Names in text: ids of blocks, keys of users, and the keys of rows that are made of both.
import { blockIdFromDigest, digestFromBlockId, parseBlockId } from '../../../src/codec/block-id.ts'
import { canonicalKey, checkedKey, utf8Length } from '../../../src/codec/key.ts'
import { InvalidKeyError } from '../../../src/errors.ts'
import { escapeText, Layout, unescapeText } from '../../../src/storage/keys.ts'
import * as oracle from '../../../src/testkit/oracle/oracle.ts'
import { join, utf8 } from '../../codec/wire-bytes.ts'
import type { Chance } from '../chance.ts'
import { id, key, targetIds } from '../structured.ts'
import { demand, demandSame, few, type Target } from '../target.ts'

/** Text of whatever bytes: as UTF-8 with replacements, or as UTF-16, in which surrogates may stand alone. */
function texts(input: Uint8Array): string[] {
  const units = Array.from({ length: Math.floor(input.length / 2) }, (_, index) =>
    String.fromCharCode(input[2 * index]! | (input[2 * index + 1]! << 8))
  )
  return [new TextDecoder('utf-8', { ignoreBOM: true }).decode(input), units.join('')]
}

export const blockIdTarget: Target = {
  name: 'block-id',
  weight: 8,
  seeds: () => [...targetIds, ...targetIds.map((text) => text.slice(1))].map(utf8),
  generate: id,
  run(input) {
    const outcomes = texts(input).map((text) => {
      const found = parseBlockId(text)
      demandSame(found, oracle.tombstoneId(text), 'The id and that of the oracle')
      if (found === undefined) return 'none'
      demandSame(blockIdFromDigest(digestFromBlockId(found)), found, 'The id and that of its digest')
      return text.startsWith('/') ? 'with slash' : 'without slash'
    })
    return outcomes.join(' ')
  }
}

const KEY_BYTES_MAX = 64

export const keyTarget: Target = {
  name: 'key',
  weight: 8,
  seeds: () => ['/k', '/a//b', '/a/../b', '/t/', '/./a', '/..', '/a/b/../../..', '/\uFEFF', '/😀'].map(utf8),
  generate: (chance) => join(...chance.some(4, () => key(chance))),
  run(input) {
    return texts(input)
      .map((text) => {
        const found = canonicalKey(text)
        demandSame(found, oracle.canonicalKey(text), 'The key and that of the oracle')
        if (found !== undefined) demandSame(canonicalKey(found), found, 'A key and its canonical form')
        demandSame(utf8Length(text.toWellFormed()), utf8(text.toWellFormed()).length, 'The lengths in UTF-8')
        return `${checked(text, found)} ${found === text}`
      })
      .join(' ')
  }
}

function checked(text: string, canonical: string | undefined): string {
  try {
    const key = checkedKey(text, KEY_BYTES_MAX)
    demandSame(key, canonical, 'The checked key and the canonical one')
    demand(utf8(key).length <= KEY_BYTES_MAX, 'A key over the limit passes')
    return 'good'
  } catch (error) {
    if (!(error instanceof InvalidKeyError)) throw error
    return canonical === undefined ? 'no key' : 'refused'
  }
}

const layout = new Layout('/crdt')

/** Rows whose keys a disk may have damaged in any way. */
export const rowKeyTarget: Target = {
  name: 'row-key',
  weight: 6,
  seeds: () => {
    const [block] = targetIds as [string]
    const keys = ['/k', '/é: %', '/😀/b']
    return [
      ...keys.flatMap((text) => [
        layout.current(text),
        layout.other(text, block),
        layout.tombstone(text, block)
      ]),
      ...['', 'red', 'a:%'].flatMap((name) => [layout.head(name, block), layout.ignoredDag(name)]),
      ...[layout.log(2 ** 53 - 1), layout.gap(block, block), layout.pendingBlock(block), layout.meta]
    ].map(utf8)
  },
  generate: (chance: Chance) => join(utf8('/crdt/'), chance.bytes(1), key(chance), utf8(':'), id(chance)),
  run(input) {
    return texts(input)
      .map((text) => {
        const parsed = [
          ...[layout.keyOfCurrent(text), layout.keyOfVersion(text), layout.dagNameOfHead(text)],
          ...[layout.dagNameOfIgnored(text), layout.missingOfGap(text), layout.idOf(text), unescapeText(text)]
        ]
        demand(parsed.join('').length <= 16 + 8 * text.length, 'The parts of a row are longer than its key')
        if (!text.isWellFormed()) return 'not well-formed'
        const escaped = escapeText(text)
        demandSame(unescapeText(escaped), text, 'The text and the text escaped')
        demand(/^[!-9;-~]*$/.test(escaped), 'Escaped text has a character that keys of rows cannot have')
        return `${escaped === text} ${few(escaped.split('%').length - 1)}`
      })
      .join(' ')
  }
}
