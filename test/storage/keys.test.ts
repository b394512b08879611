// The layout of rows: printable ASCII whatever the keys are, prefixes that stay prefixes, and no two rows that are
// spelled alike.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockIdFromDigest } from '../../src/codec/block-id.ts'
import { escapeText, Layout, unescapeText } from '../../src/storage/keys.ts'

const layout = new Layout('/crdt')
const id = blockIdFromDigest(new Uint8Array(32).fill(7))
const otherId = blockIdFromDigest(new Uint8Array(32).fill(8))

const anyText = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed())
const anyKey = anyText.map((text) => `/${text}`)

describe('escaped text', () => {
  test('is printable ASCII without spaces and colons, and can be read back', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeText(text)
        expect(escaped).toMatch(/^[!-9;-~]*$/)
        expect(unescapeText(escaped)).toBe(text)
      })
    )
  })

  test('keeps prefixes, and makes none', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(escapeText(a + b).startsWith(escapeText(a))).toBe(true)
        expect(escapeText(a).startsWith(escapeText(b))).toBe(a.startsWith(b))
      })
    )
  })

  test('keeps a byte order mark and whatever looks like an escape', () => {
    for (const text of ['\ufeffa', '%41', '%', '%%', '%zz', '100%25']) {
      expect(unescapeText(escapeText(text))).toBe(text)
    }
  })

  test('leaves plain keys as they are', () => {
    expect(escapeText('/users/42/name_first-last.json~')).toBe('/users/42/name_first-last.json~')
  })
})

describe('rows', () => {
  test('give back what they were made of', () => {
    fc.assert(
      fc.property(anyKey, anyText, fc.nat(), (key, dagName, sequence) => {
        expect(layout.keyOfCurrent(layout.current(key))).toBe(key)
        expect(layout.idOf(layout.other(key, id))).toBe(id)
        expect(layout.idOf(layout.head(dagName, id))).toBe(id)
        expect(layout.dagNameOfHead(layout.head(dagName, id))).toBe(dagName)
        expect(layout.dagNameOfIgnored(layout.ignoredDag(dagName))).toBe(dagName)
        expect(layout.sequenceOfLog(layout.log(sequence))).toBe(sequence)
      })
    )
    expect(layout.sequenceOfLog(layout.log(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER)
    expect(layout.missingOfGap(layout.gap(id, otherId))).toBe(id)
    expect(layout.idOf(layout.gap(id, otherId))).toBe(otherId)
    for (const row of [
      layout.applied(id),
      layout.pendingBlock(id),
      layout.wantedHead(id),
      layout.deferredNode(id)
    ]) {
      expect(layout.idOf(row)).toBe(id)
    }
  })

  test('of one key are not those of another, whatever the keys are', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        fc.pre(a !== b)
        expect(layout.other(a, id).startsWith(layout.others(b))).toBe(false)
        expect(layout.current(a)).not.toBe(layout.current(b))
        expect(layout.tombstone(a, id)).not.toBe(layout.tombstone(b, id))
      })
    )
  })

  test('end in no slash, which some datastores drop: that of the unnamed DAG neither', () => {
    for (const dagName of ['', '/', 'a/']) {
      expect(layout.ignoredDag(dagName)).not.toMatch(/\/$/)
      expect(layout.head(dagName, id)).not.toMatch(/\/$/)
    }
  })

  test('of the log are in the order of their sequence numbers', () => {
    const numbers = [0, 1, 9, 10, 15, 16, 255, 4096, 2 ** 32, 2 ** 53 - 1]
    expect(numbers.map((number) => layout.log(number)).sort()).toEqual(
      numbers.map((number) => layout.log(number))
    )
  })

  test('of different kinds never share a spelling', () => {
    const rows = [
      ...[layout.meta, layout.state, layout.journal, layout.current('/m'), layout.other('/m', id)],
      ...[
        layout.tombstone('/m', id),
        layout.applied(id),
        layout.log(1),
        layout.head('m', id),
        layout.ignoredDag('m')
      ],
      ...[layout.pendingBlock(id), layout.wantedHead(id), layout.gap(id, id), layout.deferredNode(id)]
    ]
    expect(new Set(rows).size).toBe(rows.length)
    expect(new Set(rows.map((row) => row.charAt('/crdt/'.length))).size).toBe(rows.length)
    for (const row of rows) expect(row).toMatch(/^\/crdt\/[!-~]+$/)
  })

  test('are found by the prefix of their key', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(), (key, cut) => {
        const prefix = key.slice(0, cut % (key.length + 1))
        expect(layout.current(key).startsWith(layout.currentPrefix(prefix))).toBe(true)
      })
    )
  })
})
