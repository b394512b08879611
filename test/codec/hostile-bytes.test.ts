// 20,000 hostile inputs: no bytes from a peer raise anything but the documented errors, what a damaged block still
// means is what the oracle says of it, and what a damaged message still says was in it.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseBlockId } from '../../src/codec/block-id.ts'
import { decodeBroadcast, encodeBroadcast, InvalidBroadcastError } from '../../src/codec/broadcast.ts'
import { decodeDelta, encodeDelta } from '../../src/codec/delta.ts'
import { canonicalKey } from '../../src/codec/key.ts'
import { type DagNode, decodeNode } from '../../src/codec/node.ts'
import { WireError } from '../../src/codec/wire-reader.ts'
import { blockCid, blockId, oracle } from '../../src/testkit/oracle/oracle.ts'
import { hostileBlock, hostileBroadcast, hostileDelta, linkTargets } from './hostile-bytes.ts'

const targetIds = linkTargets.map(blockId)

/** What a block means, in text that is quickly compared. */
interface Meaning {
  oddity: boolean
  deferred: boolean
  dagName: string
  elements: string[]
  tombstones: string[]
  /** The targets that it links to, where that can be seen: heads are told apart by DAG. */
  links: string[] | undefined
}

const elementText = (key: string, priority: bigint, value: Uint8Array): string =>
  JSON.stringify([key, `${priority}`, Buffer.from(value).toString('hex')])

function meaningOf({ delta, links, oddity }: DagNode): Meaning {
  const { elements, tombstones, priority, dagName, requires } = delta
  const runs = requires.length === 0
  return {
    ...{ oddity: oddity !== undefined, deferred: !runs, dagName },
    elements: runs ? elements.map(({ key, value }) => elementText(key, priority, value)).sort() : [],
    tombstones: runs ? tombstones.map(({ key, id }) => JSON.stringify([key, id])).sort() : [],
    links: dagName === '' ? targetIds.filter((id) => links.includes(id)) : undefined
  }
}

function meaningByOracle(block: Uint8Array): Meaning {
  const alone = oracle([block])
  const [dagName = ''] = [...alone.heads.keys()]
  const heads = dagName === '' ? (oracle([block, ...linkTargets]).heads.get('') ?? []) : undefined
  const elements = [...alone.alive].flatMap(([key, versions]) =>
    versions.map(({ priority, value }) => elementText(key, priority, value))
  )
  const tombstones = [...alone.tombstones].flatMap(([key, ids]) => ids.map((id) => JSON.stringify([key, id])))
  return {
    ...{ oddity: alone.invalid === 1, deferred: alone.deferred === 1, dagName },
    ...{ elements: elements.sort(), tombstones: tombstones.sort() },
    links: heads && targetIds.filter((_, index) => !heads.includes(blockCid(linkTargets[index]!)))
  }
}

test('blocks never raise anything, and mean what the oracle says', { timeout: 30_000 }, () => {
  const seen = { oddity: 0, deferred: 0, elements: 0, tombstones: 0, links: 0 }
  fc.assert(
    fc.property(hostileBlock, (block) => {
      const meaning = meaningOf(decodeNode(blockId(block), block))
      expect(JSON.stringify(meaning)).toBe(JSON.stringify(meaningByOracle(block)))
      seen.oddity += meaning.oddity ? 1 : 0
      seen.deferred += meaning.deferred ? 1 : 0
      seen.elements += meaning.elements.length
      seen.tombstones += meaning.tombstones.length
      seen.links += meaning.links?.length ?? 0
    }),
    { numRuns: 3000 }
  )
  // A generator that made nothing but rubbish would prove nothing.
  expect(Object.entries(seen).filter(([, count]) => count < 30)).toEqual([])
})

test('deltas raise WireError or nothing, and written again say the same', { timeout: 30_000 }, () => {
  let decoded = 0
  fc.assert(
    fc.property(hostileDelta, (bytes) => {
      let delta: ReturnType<typeof decodeDelta>
      try {
        delta = decodeDelta(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
        return
      }
      decoded++
      const elements = delta.elements.map(({ key, value }) => ({ key, value }))
      const again = decodeDelta(encodeDelta({ ...delta, elements }))
      expect(again.priority).toBe(delta.priority)
      expect(again.dagName).toBe(delta.dagName)
      expect(again.elements.map(({ key }) => key)).toEqual(delta.elements.map(({ key }) => key))
      for (const { key, id } of [...delta.elements, ...delta.tombstones]) {
        canonicalKey(key)
        parseBlockId(id)
      }
    }),
    { numRuns: 8500 }
  )
  expect(decoded).toBeGreaterThan(1000)
})

test('broadcasts raise InvalidBroadcastError or nothing, and give heads that can be said again', {
  timeout: 30_000
}, () => {
  const seen = { heads: 0, invalidHeads: 0 }
  fc.assert(
    fc.property(hostileBroadcast, (bytes) => {
      let decoded: ReturnType<typeof decodeBroadcast>
      try {
        decoded = decodeBroadcast(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidBroadcastError)
        return
      }
      for (const { id } of decoded.heads) expect(parseBlockId(id)).toBe(id)
      const again = decodeBroadcast(encodeBroadcast(decoded.heads))
      expect(again.heads).toEqual(decoded.heads)
      seen.heads += decoded.heads.length
      seen.invalidHeads += decoded.invalidHeads
    }),
    { numRuns: 8500 }
  )
  expect(Object.entries(seen).filter(([, count]) => count < 500)).toEqual([])
})
