// What a check costs: reads in proportion to the store, few rows at a time, and progress that ends where it said.
import { MemoryDatastore } from 'datastore-core'
import { type Batch, Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CheckProgress, StoreDifference } from '../../src/index.ts'
import { CountingDatastore } from '../storage/counting-datastore.ts'
import { openStore } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { encode, key, SHAPES, shapedStore, TOPIC } from './shapes.ts'

/** Counts what is in a hand: gets that are under way together, their bytes, and rows that are written together. */
class WatchedDatastore extends MemoryDatastore {
  getsAtOnce = 0
  bytesAtOnce = 0
  writesAtOnce = 0
  #gets = 0
  #bytes = 0

  override async get(key: Key): Promise<Uint8Array> {
    this.#gets += 1
    this.getsAtOnce = Math.max(this.getsAtOnce, this.#gets)
    let length = 0
    try {
      const value = await super.get(key)
      length = value.length
      this.#bytes += length
      this.bytesAtOnce = Math.max(this.bytesAtOnce, this.#bytes)
      await Promise.resolve()
      return value
    } finally {
      this.#gets -= 1
      this.#bytes -= length
    }
  }

  override batch(): Batch {
    let count = 0
    const batch = super.batch()
    return {
      put: (key, value) => {
        count += 1
        batch.put(key, value)
      },
      delete: (key) => {
        count += 1
        batch.delete(key)
      },
      commit: async () => {
        this.writesAtOnce = Math.max(this.writesAtOnce, count)
        await batch.commit()
      }
    }
  }

  forget(): void {
    this.getsAtOnce = 0
    this.bytesAtOnce = 0
    this.writesAtOnce = 0
  }
}

async function filled(datastore: MemoryDatastore, nodes: number, bytes = 1): Promise<void> {
  const store = await openStore({ datastore, atomicBatch: true, coalesce: false })
  const writes = Array.from({ length: nodes }, (_, i) =>
    store.put(key(`/k/${i}`), new Uint8Array(bytes).fill(i))
  )
  await Promise.all(writes)
  await store.close()
}

describe('a check', () => {
  test('reads and writes in proportion to the store', async () => {
    const costs: number[] = []
    for (const nodes of [300, 1200]) {
      const datastore = new CountingDatastore()
      await filled(datastore, nodes)
      const store = await openStore({ datastore, atomicBatch: true, start: false })
      datastore.reset()
      expect(await store.verify()).toMatchObject({ ok: true, nodes })
      costs.push(datastore.reads)
      expect(datastore.reads / nodes).toBeLessThan(25)
      expect(datastore.writes / nodes).toBeLessThan(12)
    }
    const [small, large] = costs as [number, number]
    expect(large / small).toBeLessThan(4.4)
  })

  test('has a bounded number of rows in a hand, however many there are', async () => {
    const hands: Array<[number, number]> = []
    for (const nodes of [600, 1800]) {
      const datastore = new WatchedDatastore()
      await filled(datastore, nodes)
      // Each row of a kind is gone, so that each is a difference.
      for (const row of (await rawRows(datastore, '/crdt/k/')).keys())
        await datastore.delete(new Key(row, false))
      const store = await openStore({ datastore, atomicBatch: true, start: false })
      datastore.forget()
      expect(await store.repair()).toMatchObject({ ok: true, differenceCount: nodes })
      hands.push([datastore.getsAtOnce, datastore.writesAtOnce])
    }
    const [few, many] = hands as [[number, number], [number, number]]
    expect(many).toEqual(few)
    expect(few[0]).toBeLessThanOrEqual(512)
    expect(few[1]).toBeLessThanOrEqual(256 * 4)
  })

  test('has a bounded number of bytes in a hand, however large its blocks are', async () => {
    const datastore = new WatchedDatastore()
    await filled(datastore, 60, 200_000)
    const store = await openStore({ datastore, atomicBatch: true, start: false })
    datastore.forget()
    expect(await store.verify()).toMatchObject({ ok: true, nodes: 60 })
    // Two sides of sixteen values, which are as large as their blocks.
    expect(datastore.bytesAtOnce).toBeLessThan(33 * 200_000)
  })

  test('is not held up by numbers of the log that are far off', async () => {
    const datastore = new CountingDatastore()
    await filled(datastore, 10)
    const rows = await rawRows(datastore)
    const [, block] = [...rows].find(([row]) => row.startsWith('/crdt/b/')) as [string, Uint8Array]
    await datastore.put(new Key('/crdt/b/10000000000000', false), block)
    const state = rows.get('/crdt/s') as Uint8Array
    // The sequence number, after the clock: 2^49.
    const huge = Uint8Array.of(state[0] as number, 128, 128, 128, 128, 128, 128, 128, 1, ...state.subarray(2))
    await datastore.put(new Key('/crdt/s', false), huge)
    let store = await openStore({ datastore, atomicBatch: true })
    datastore.reset()
    expect(await store.verify()).toMatchObject({ ok: false, complete: true, nodes: 10 })
    expect(datastore.reads).toBeLessThan(5000)
    expect(await store.repair()).toMatchObject({ ok: true, mendedCount: 2 })
    expect(await store.verify()).toMatchObject({ ok: true, differenceCount: 0 })
    await store.put(key('/k'), encode('1'))
    expect((await rawRows(datastore)).has(`/crdt/b/${(11).toString(16).padStart(14, '0')}`)).toBe(true)
    await store.close()
    store = await openStore({ datastore, atomicBatch: true })
    expect(await store.verify()).toMatchObject({ ok: true, differenceCount: 0, nodes: 11 })
  })

  test.each([['verify'], ['repair']] as const)(
    'tells its progress in %s, which only grows',
    async (method) => {
      for (const start of [true, false]) {
        const datastore = new MemoryDatastore()
        const first = await shapedStore(datastore, Object.keys(SHAPES))
        for (let i = 0; i < 300; i++) void first.put(key(`/more/${i}`), encode('1'))
        await first.put(key('/last'), encode('1'))
        await first.close()
        const store = await openStore({ datastore, topic: TOPIC, start })
        const seen: CheckProgress[] = []
        const report = await store[method]({ onProgress: (progress) => void seen.push(progress) })
        const last = seen.at(-1) as CheckProgress
        expect(last.nodes).toBe(last.nodesTotal)
        expect({ nodes: report.nodes, rows: report.rows }).toEqual({ nodes: last.nodes, rows: last.rows })
        const { length } = [...(await rawRows(datastore, '/crdt/b/'))]
        expect(last.nodes).toBe(length)
        for (const [index, { nodes, nodesTotal, rows }] of seen.entries()) {
          const before = seen[index - 1] ?? { nodes: 0, nodesTotal: length, rows: 0 }
          expect(nodes).toBeGreaterThanOrEqual(before.nodes)
          expect(rows).toBeGreaterThanOrEqual(before.rows)
          expect(nodesTotal).toBe(before.nodesTotal)
        }
        expect(seen.length).toBeGreaterThan(3)
      }
    }
  )

  test('lists as many differences as the limit says, counts all, and tells each', async () => {
    const datastore = new MemoryDatastore()
    await filled(datastore, 20)
    for (const row of (await rawRows(datastore, '/crdt/k/')).keys())
      await datastore.delete(new Key(row, false))
    const store = await openStore({ datastore, atomicBatch: true, start: false })
    for (const [limit, listed] of [
      [0, 0],
      [3, 3],
      [100, 20],
      [undefined, 20]
    ] as const) {
      const told: StoreDifference[] = []
      const report = await store.verify({
        ...(limit === undefined ? {} : { limit }),
        onDifference: (difference) => void told.push(difference)
      })
      expect(report).toMatchObject({ ok: false, complete: true, differenceCount: 20, mendedCount: 0 })
      expect(report.differences).toHaveLength(listed)
      expect(told).toHaveLength(20)
      expect(told.slice(0, listed)).toEqual(report.differences)
      expect(told).toContainEqual({
        ...{ kind: 'value', problem: 'missing', row: '/crdt/k/k/7', key: '/k/7', mended: false }
      })
    }
    expect(await store.repair({ limit: 1 })).toMatchObject({ ok: true, differenceCount: 20, mendedCount: 20 })
  })
})
