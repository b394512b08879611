// Holds a store whose log may have holes against the meaning of the blocks that it has, worked out by the oracle.
import type { Datastore } from 'interface-datastore'
import { expect } from 'vitest'
import { elementHash } from '../../src/codec/element-hash.ts'
import { addHash, emptyDigest } from '../../src/crdt/digest.ts'
import type { CrdtDatastore } from '../../src/index.ts'
import { decodeLog } from '../../src/storage/rows.ts'
import { blockId, oracle } from '../../src/testkit/oracle/oracle.ts'
import { text } from '../replica/world.ts'
import { contentOf, rawRows, rowKinds } from '../storage/store-check.ts'

/** The blocks of the log, whatever its numbers. */
export async function blocksOf(datastore: Datastore): Promise<Uint8Array[]> {
  const rows = [...(await rawRows(datastore, '/crdt/b/'))].sort(([a], [b]) => (a < b ? -1 : 1))
  return rows.map(([row, value]) => {
    const { id, bytes } = decodeLog(row, value)
    expect(bytes, `${row} has a block`).toBeDefined()
    expect(blockId(bytes as Uint8Array)).toBe(id)
    return bytes as Uint8Array
  })
}

/** Fails unless a started store shows exactly what these blocks mean, and its rows are as many as they make. */
export async function expectMeaning(
  store: CrdtDatastore,
  datastore: Datastore,
  given?: readonly Uint8Array[]
): Promise<void> {
  const blocks = given ?? (await blocksOf(datastore))
  const expected = oracle(blocks)
  expect(await contentOf(store)).toEqual(
    Object.fromEntries([...expected.state].map(([key, value]) => [key, text(value)]))
  )
  const heads = new Map<string, string[]>()
  for (const { cid, dagName } of await store.heads()) {
    heads.set(dagName, [...(heads.get(dagName) ?? []), cid.toString()].sort())
  }
  expect(heads).toEqual(expected.heads)
  const digest = emptyDigest()
  let elements = 0
  for (const [key, versions] of expected.alive) {
    for (const { id } of versions) {
      addHash(digest, await elementHash(key, id))
      elements += 1
    }
  }
  expect(await store.digest()).toBe(Buffer.from(digest).toString('hex'))
  const stats = await store.stats()
  expect(stats).toMatchObject({ keys: expected.state.size, elements, deferred: expected.deferred })
  const { a = 0, b = 0, k = 0, e = 0, t = 0, g = 0, d = 0, h = 0, x = 0 } = await rowKinds(datastore)
  expect({ a, b, k, e, t, g, d, h, x }).toEqual({
    ...{ a: expected.nodes, b: expected.nodes, k: stats.keys, e: elements - stats.keys, t: stats.tombstones },
    ...{ g: stats.gaps, d: stats.deferred, h: stats.heads > 16 ? stats.heads : 0, x: 0 }
  })
}

/** Fails unless two stores show the same. */
export async function expectSame(a: CrdtDatastore, b: CrdtDatastore): Promise<void> {
  const headsOf = async (store: CrdtDatastore): Promise<string[]> =>
    (await store.heads()).map(({ cid, dagName }) => `${dagName} ${cid}`).sort()
  expect(await contentOf(a)).toEqual(await contentOf(b))
  expect(await headsOf(a)).toEqual(await headsOf(b))
  expect(await a.digest()).toBe(await b.digest())
}
