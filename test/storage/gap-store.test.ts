// Gaps: who links to what is missing, and below which sequence number there is none.
import { expect, test } from 'vitest'
import { blockIdFromDigest } from '../../src/codec/block-id.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { GapStore } from '../../src/storage/gap-store.ts'
import { Layout } from '../../src/storage/keys.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { FaultyDatastore } from './faulty-datastore.ts'

const layout = new Layout('/crdt')
const id = (number: number): string => blockIdFromDigest(new Uint8Array(32).fill(number))

/** Gaps as [missing, linked by, sequence]. */
async function gapsOf(...gaps: Array<[number, number, number]>): Promise<{
  store: GapStore
  datastore: FaultyDatastore
  close: (...closed: Array<[number, number, number]>) => Promise<void>
}> {
  const datastore = new FaultyDatastore()
  const rows = rowStoreOver(datastore, { durability: 'process' })
  const store = new GapStore(rows, layout)
  const changes = new ChangeSet()
  for (const [missing, by, sequence] of gaps)
    store.open(id(missing), id(by), { sequence, dagName: 'd' }, changes)
  await rows.write(changes.rows)
  await store.load()
  return {
    ...{ store, datastore },
    close: async (...closed) => {
      const closing = new ChangeSet()
      for (const [missing, by] of closed) store.close(id(missing), id(by), closing)
      await rows.write(closing.rows)
      const rowsClosed = closed.map(([, , sequence]) => ({ sequence, dagName: 'd' }))
      await store.adopt([], rowsClosed)
    }
  }
}

test('without gaps there is no limit', async () => {
  const { store } = await gapsOf()
  expect(store.limit).toBe(Number.POSITIVE_INFINITY)
  expect(await store.missing(10)).toEqual([])
})

test('the limit is the least sequence number of a node above a gap, and follows what opens and closes', async () => {
  const { store, close } = await gapsOf([1, 10, 7], [2, 11, 5], [2, 12, 9])
  expect(store.limit).toBe(5)
  await store.adopt([{ sequence: 3, dagName: '' }], [])
  expect(store.limit).toBe(3)
  await store.load()
  await close([2, 11, 5])
  expect(store.limit).toBe(7)
  await close([1, 10, 7], [2, 12, 9])
  expect(store.limit).toBe(Number.POSITIVE_INFINITY)
})

test('who links to a missing block is known', async () => {
  const { store } = await gapsOf([1, 10, 7], [2, 11, 5], [2, 12, 9])
  const linkers = await store.linkers(id(2))
  expect(linkers.sort((a, b) => a.sequence - b.sequence)).toEqual([
    { id: id(11), sequence: 5, dagName: 'd' },
    { id: id(12), sequence: 9, dagName: 'd' }
  ])
  expect(await store.linkers(id(3))).toEqual([])
})

test('missing blocks are listed once each, in turns', async () => {
  const { store } = await gapsOf([1, 10, 7], [2, 11, 5], [2, 12, 9], [3, 13, 6])
  const all = [id(1), id(2), id(3)].sort()
  expect((await store.missing(10)).sort()).toEqual(all)
  const seen: string[] = []
  for (let turn = 0; turn < 3; turn++) seen.push(...(await store.missing(1, seen.at(-1))))
  expect(seen.sort()).toEqual(all)
  expect(await store.missing(1, all.at(-1)), 'and from the start again').toHaveLength(1)
})

test('a disk that cannot be read after a commit leaves a limit that is too low, and no error', async () => {
  const { store, datastore } = await gapsOf([1, 10, 7], [2, 11, 5])
  datastore.failRead = () => true
  await store.adopt([], [{ sequence: 5, dagName: 'd' }])
  expect(store.limit).toBe(5)
})
