// What operations cost, counted in rows and blocks, never in time.
import { Key } from 'interface-datastore'
import { expect, test, vi } from 'vitest'
import * as codec from '../src/codec/delta.ts'
import { CountingDatastore } from './storage/counting-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { contentOf, rowKinds } from './storage/store-check.ts'

// What they are asked is counted; they answer as ever.
vi.mock('../src/codec/delta.ts', { spy: true })

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The cost of deleting a key that has this many versions, with nothing of them in any cache. */
async function costOfDelete(versions: number): Promise<{ reads: number; writes: number }> {
  const datastore = new CountingDatastore()
  const writer = await openStore({ datastore, coalesce: false })
  const key = new Key('/k')
  await Promise.all(Array.from({ length: versions }, (_, index) => writer.put(key, encode(`${index}`))))
  expect((await writer.stats()).elements).toBe(versions)
  await writer.close()
  const store = await openStore({ datastore })
  datastore.reset()
  await store.delete(key)
  const { reads, writes } = datastore
  expect(await contentOf(store)).toEqual({})
  expect(await rowKinds(datastore)).toEqual({ m: 1, s: 1, a: versions + 1, b: versions + 1 })
  return { reads, writes }
}

test('deleting n versions is linear in n', async () => {
  const [small, large] = [await costOfDelete(1000), await costOfDelete(2000)]
  // A row of its own for each version, and the applied mark of its node; no block is read.
  expect(small.reads).toBeLessThanOrEqual(2 * 1000 + 10)
  expect(large.reads).toBeLessThanOrEqual(2 * 2000 + 10)
  expect(small.writes).toBeLessThanOrEqual(1000 + 10)
  expect(large.writes).toBeLessThanOrEqual(2000 + 10)
})

test('a put after 1,000 versions costs what the first one cost', async () => {
  const datastore = new CountingDatastore()
  const store = await openStore({ datastore, coalesce: false })
  const key = new Key('/k')
  datastore.reset()
  await store.put(key, encode('first'))
  // The value, the applied mark, the block in the log, and the state with the heads in it; the journal comes and goes.
  expect(datastore.writes).toBe(4 + 2)
  datastore.reset()
  await store.put(key, encode('second'))
  const { reads, writes } = datastore
  await Promise.all(Array.from({ length: 1000 }, (_, index) => store.put(key, encode(`${index}`))))
  datastore.reset()
  await store.put(key, encode('last'))
  expect(datastore).toMatchObject({ reads, writes })
})

test('a batch of n keys reads and writes a few rows for each', async () => {
  const costs: number[] = []
  for (const count of [500, 1000]) {
    const datastore = new CountingDatastore()
    const store = await openStore({ datastore })
    datastore.reset()
    const batch = store.batch()
    for (let index = 0; index < count; index++) batch.put(new Key(`/${index}`), encode('1'))
    await batch.commit()
    costs.push(datastore.reads + datastore.writes)
  }
  expect(costs[0]).toBeLessThanOrEqual(2 * 500 + 20)
  expect(costs[1]).toBeLessThanOrEqual(2 * 1000 + 20)
})

test('a batch of n keys is not measured again from the start at every put', async () => {
  for (const count of [200, 2000]) {
    const store = await openStore({ deltaBytesMax: 1024 })
    vi.mocked(codec.elementSize).mockClear()
    vi.mocked(codec.encodeDelta).mockClear()
    const batch = store.batch()
    for (let index = 0; index < count; index++) batch.put(new Key(`/${index}`), encode('1'))
    // Each value is held against the limit when it is put, and once more when the batch is divided into nodes.
    expect(codec.elementSize).toHaveBeenCalledTimes(count)
    await batch.commit()
    expect(vi.mocked(codec.elementSize).mock.calls.length).toBeLessThanOrEqual(3 * count)
    const encoded = vi.mocked(codec.encodeDelta).mock.calls.map(([{ elements }]) => elements.length)
    expect(encoded.length).toBeGreaterThan(1)
    expect(encoded.reduce((sum, elements) => sum + elements, 0)).toBe(count)
  }
})

test('writes that wait together are measured once each, however many share a node', async () => {
  const store = await openStore()
  vi.mocked(codec.elementSize).mockClear()
  await Promise.all(Array.from({ length: 1000 }, (_, index) => store.put(new Key(`/${index}`), encode('1'))))
  expect((await store.stats()).counters.localCommits).toBe(1)
  expect(vi.mocked(codec.elementSize).mock.calls.length).toBeLessThanOrEqual(4 * 1000)
})
