// Queries: filters, orders, offset and limit after the prefix; and what a query reads, counted in rows.
import { MemoryDatastore } from 'datastore-core'
import { Key, type Pair } from 'interface-datastore'
import { describe, expect, test, vi } from 'vitest'
import type { CrdtDatastore } from '../src/index.ts'
import { applyQuery } from '../src/query.ts'
import { CountingDatastore } from './storage/counting-datastore.ts'
import { openLevel, openStore } from './storage/open-store.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** A source that knows how far it was read and whether it was ended. */
function counted(count: number): {
  items: AsyncGenerator<number[]>
  read: () => number
  ended: () => boolean
} {
  let read = 0
  let ended = false
  async function* items(): AsyncGenerator<number[]> {
    try {
      for (let item = 0; item < count; item++) {
        read += 1
        yield [item]
      }
    } finally {
      ended = true
    }
  }
  return { items: items(), read: () => read, ended: () => ended }
}

const isEven = (item: number): boolean => item % 2 === 0
const descending = (a: number, b: number): -1 | 0 | 1 => (a === b ? 0 : a > b ? -1 : 1)

describe('applyQuery', () => {
  test('filters, then orders, then offset, then limit', async () => {
    const query = { filters: [isEven, (item: number) => item > 2], orders: [descending], offset: 1, limit: 2 }
    expect(await all(applyQuery(counted(12).items, query))).toEqual([8, 6])
  })

  test('without anything it is the source', async () => {
    expect(await all(applyQuery(counted(3).items, {}))).toEqual([0, 1, 2])
  })

  test('an offset beyond the end gives nothing', async () => {
    expect(await all(applyQuery(counted(3).items, { offset: 3 }))).toEqual([])
  })

  test('a limit of nothing reads nothing', async () => {
    const source = counted(3)
    expect(await all(applyQuery(source.items, { limit: 0 }))).toEqual([])
    expect(source.read()).toBe(0)
  })

  test('reads no further than its limit, and ends the source', async () => {
    const source = counted(1000)
    expect(await all(applyQuery(source.items, { filters: [isEven], offset: 2, limit: 3 }))).toEqual([4, 6, 8])
    expect(source.read()).toBe(9)
    expect(source.ended()).toBe(true)
  })

  test('ends the source when its reader leaves early', async () => {
    const source = counted(1000)
    for await (const item of applyQuery(source.items, {})) if (item === 1) break
    expect(source.read()).toBe(2)
    expect(source.ended()).toBe(true)
  })

  test('each order is a stable sort of what the one before it gave', async () => {
    const byParity = (a: number, b: number): -1 | 0 | 1 => {
      return a % 2 === b % 2 ? 0 : a % 2 < b % 2 ? -1 : 1
    }
    expect(await all(applyQuery(counted(6).items, { orders: [descending, byParity] }))).toEqual([
      4, 2, 0, 5, 3, 1
    ])
  })

  test('a filter that throws ends the query with its error, and the source', async () => {
    const source = counted(5)
    const filters = [
      () => {
        throw new RangeError('no')
      }
    ]
    await expect(all(applyQuery(source.items, { filters }))).rejects.toThrow('no')
    expect(source.ended()).toBe(true)
  })
})

describe('a query of the store', () => {
  test('filters and orders by key and value', async () => {
    const store = await openStore()
    for (const [index, key] of ['/q/c', '/q/a', '/q/b', '/r/a'].entries()) {
      await store.put(new Key(key), Uint8Array.of(index))
    }
    const byValueDescending = (a: Pair, b: Pair): -1 | 0 | 1 =>
      (a.value[0] ?? 0) > (b.value[0] ?? 0) ? -1 : 1
    const pairs = await all(
      store.query({ prefix: '/q', filters: [({ value }) => value[0] !== 1], orders: [byValueDescending] })
    )
    expect(pairs).toEqual([
      { key: new Key('/q/b'), value: Uint8Array.of(2) },
      { key: new Key('/q/c'), value: Uint8Array.of(0) }
    ])
    const keys = await all(
      store.queryKeys({
        filters: [(key) => !key.toString().endsWith('c')],
        orders: [(a, b) => (a.toString() < b.toString() ? -1 : 1)],
        offset: 1,
        limit: 1
      })
    )
    expect(keys.map((key) => key.toString())).toEqual(['/q/b'])
  })

  test('can go on while the store is written', async () => {
    const store = await openStore()
    for (let index = 0; index < 20; index++) await store.put(new Key(`/${index}`), encode('1'))
    const seen: string[] = []
    for await (const { key } of store.query({ limit: 20 })) {
      seen.push(key.toString())
      await store.delete(key)
    }
    expect(new Set(seen).size).toBe(20)
    expect((await store.stats()).keys).toBe(0)
  })

  test('with a limit does not read the whole prefix', async () => {
    const datastore = new CountingDatastore()
    const store = await openStore({ datastore })
    const batch = store.batch()
    for (let index = 0; index < 500; index++) batch.put(new Key(`/${index}`), encode('1'))
    await batch.commit()
    datastore.reset()
    expect(await all(store.query({ limit: 3 }))).toHaveLength(3)
    expect(datastore.rowsQueried).toBe(3)
    expect(await all(store.queryKeys({ offset: 2, limit: 3 }))).toHaveLength(3)
    expect(datastore.keysQueried).toBe(5)
    expect(datastore.gets).toBe(0)
  })

  test('reads the current row of each key and no other, however many versions there are', async () => {
    const datastore = new CountingDatastore()
    const store = await openStore({ datastore, readCacheBytesMax: 0 })
    for (let version = 0; version < 20; version++) {
      for (const key of ['/a', '/b', '/c']) await store.put(new Key(key), encode(`${version}`))
    }
    datastore.reset()
    expect(await all(store.query({}))).toHaveLength(3)
    expect(datastore.reads).toBe(3)
    datastore.reset()
    await store.get(new Key('/a'))
    await store.has(new Key('/b'))
    expect(datastore.reads).toBe(2)
  })

  test('for keys does not read values', async () => {
    const datastore = new CountingDatastore()
    const store = await openStore({ datastore })
    await store.put(new Key('/a'), encode('1'))
    datastore.reset()
    expect(await all(store.queryKeys({}))).toHaveLength(1)
    expect(datastore.rowsQueried + datastore.gets).toBe(0)
  })

  test('for keys does not read values from LevelDB either', async () => {
    const datastore = await openLevel()
    const store = await openStore({ datastore })
    await store.put(new Key('/a'), encode('1'))
    const iterator = vi.spyOn(datastore.db, 'iterator')
    expect((await all(store.queryKeys({}))).map((key) => key.toString())).toEqual(['/a'])
    expect(iterator).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ values: false }))
  })

  test('with a limit reads one hand of rows from LevelDB and closes its iterator', async () => {
    const datastore = await openLevel()
    const store = await openStore({ datastore })
    const batch = store.batch()
    for (let index = 0; index < 1000; index++) batch.put(new Key(`/${index}`), encode('1'))
    await batch.commit()
    let rowsRead = 0
    let closed = 0
    const original = datastore.db.iterator.bind(datastore.db)
    vi.spyOn(datastore.db, 'iterator').mockImplementation(((options: object) => {
      const iterator = original(options)
      const nextv = iterator.nextv.bind(iterator)
      const close = iterator.close.bind(iterator)
      return Object.assign(iterator, {
        nextv: async (size: number) => {
          const rows = await nextv(size)
          rowsRead += rows.length
          return rows
        },
        close: async () => {
          closed += 1
          await close()
        }
      })
    }) as typeof original)
    expect(await all(store.query({ limit: 5 }))).toHaveLength(5)
    expect(rowsRead).toBeLessThanOrEqual(128)
    expect(closed).toBe(1)
  })

  test('sees nothing of other namespaces or of its own bookkeeping', async () => {
    const datastore = new MemoryDatastore()
    await datastore.put(new Key('/crdt-but-not-ours'), encode('1'))
    const store = await openStore({ datastore })
    await store.put(new Key('/a'), encode('1'))
    expect((await all(store.query({}))).map(({ key }) => key.toString())).toEqual(['/a'])
    expect(await store.has(new Key('/m'))).toBe(false)
    expect(await store.has(new Key('/crdt/m'))).toBe(false)
  })
})

test.each([
  ['query', (store: CrdtDatastore) => store.query({})],
  ['queryKeys', (store: CrdtDatastore) => store.queryKeys({})],
  ['getAll', (store: CrdtDatastore) => store.getAll(new Key('/a'))],
  ['history', (store: CrdtDatastore) => store.history(new Key('/a'))],
  ['dag.traverse', (store: CrdtDatastore) => store.dag.traverse()],
  ['dag.print', (store: CrdtDatastore) => store.dag.print()]
] as const)(
  '%s that is under way when the store is closed ends, and holds nothing open',
  async (_name, read) => {
    const store = await openStore({ datastore: await openLevel() })
    for (const key of ['/a', '/a', '/a', '/b', '/c']) await store.put(new Key(key), encode('1'))
    const reading: AsyncGenerator<unknown> = read(store)
    await reading.next()
    await store.close()
    await expect(reading.next()).rejects.toMatchObject({ name: 'ClosedError' })
    expect(await reading.next()).toEqual({ done: true, value: undefined })
  }
)
