// Rows over any datastore: the contract of a row store, held by both ways below it.
import { MemoryDatastore } from 'datastore-core'
import { type Datastore, Key } from 'interface-datastore'
import { describe, expect, test, vi } from 'vitest'
import { type RowStore, rowStoreOver } from '../../src/storage/row-store.ts'
import { FaultyDatastore } from './faulty-datastore.ts'
import { DATASTORES, openLevel } from './open-store.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** LevelDB gives Buffers, which are no different here. */
function plain(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : new Uint8Array(value)
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

const byRow = (a: { row: string }, b: { row: string }): number => (a.row < b.row ? -1 : 1)

test('a few rows of LevelDB are read before the call returns, and many are not', async () => {
  const rows = rowStoreOver(await openLevel(), { durability: 'process' })
  await rows.write(new Map([['/a', bytes(1)]]))
  const few = rows.getMany(['/a', '/b'])
  expect(few).toHaveLength(2)
  const many = rows.getMany(Array.from({ length: 100 }, (_, index) => `/${index}`))
  expect(many).toBeInstanceOf(Promise)
  expect(await many).toHaveLength(100)
})

test('a datastore that keeps what it is given gets bytes of its own, and not a view of a shared chunk', async () => {
  const chunk = bytes(1, 2, 3, 4)
  const datastore = new MemoryDatastore()
  const rows = rowStoreOver(datastore, { durability: 'process' })
  await rows.write(new Map([['/alone', chunk.subarray(1, 2)]]))
  await rows.write(
    new Map([
      ['/a', chunk.subarray(0, 1)],
      ['/b', chunk.subarray(2, 4)]
    ])
  )
  for (const name of ['/alone', '/a', '/b']) {
    const kept = await datastore.get(new Key(name))
    expect(kept.buffer.byteLength).toBe(kept.length)
  }
})

describe.each(DATASTORES)('rows over $name', ({ open }) => {
  async function openRows(): Promise<RowStore> {
    return rowStoreOver(await open(), { durability: 'process' })
  }

  test('are undefined where there is none', async () => {
    const rows = await openRows()
    await rows.write(new Map([['/a', bytes(1)]]))
    expect(plain(await rows.get('/a'))).toEqual(bytes(1))
    expect(await rows.get('/b')).toBeUndefined()
    expect((await rows.getMany(['/b', '/a', '/c'])).map(plain)).toEqual([undefined, bytes(1), undefined])
    const many = Array.from({ length: 20 }, (_, index) => (index === 13 ? '/a' : `/none/${index}`))
    expect((await rows.getMany(many)).indexOf(undefined)).toBe(0)
    expect(plain((await rows.getMany(many))[13])).toEqual(bytes(1))
    expect(await rows.getMany([])).toEqual([])
  })

  test('are written and deleted together', async () => {
    const rows = await openRows()
    await rows.write(
      new Map([
        ['/a', bytes(1)],
        ['/b', bytes(2)],
        ['/empty', bytes()]
      ])
    )
    await rows.write(
      new Map([
        ['/a', null],
        ['/b', bytes(3)],
        ['/none', null]
      ])
    )
    await rows.write(new Map())
    expect((await rows.getMany(['/a', '/b', '/empty'])).map(plain)).toEqual([undefined, bytes(3), bytes()])
  })

  test('are written and deleted together, be they many', async () => {
    const rows = await openRows()
    const names = Array.from({ length: 300 }, (_, index) => `/many/${index}`)
    await rows.write(new Map(names.map((name, index) => [name, bytes(index % 256)])))
    expect((await rows.getMany(names)).map(plain)).toEqual(names.map((_, index) => bytes(index % 256)))
    await rows.write(new Map(names.map((name, index) => [name, index % 3 === 0 ? null : bytes(7)])))
    expect((await rows.getMany(names)).map(plain)).toEqual(
      names.map((_, index) => (index % 3 === 0 ? undefined : bytes(7)))
    )
  })

  test('are found by a prefix, also at the end of what a row can be', async () => {
    const rows = await openRows()
    const names = ['/p', '/p/a', '/p/~', '/p/~~~', '/p~', '/q']
    await rows.write(new Map(names.map((name, index) => [name, bytes(index)])))
    const found = names
      .filter((name) => name.startsWith('/p/'))
      .map((row) => ({ row, value: bytes(names.indexOf(row)) }))
    const scanned = (await all(rows.scan('/p/'))).map(({ row, value }) => ({ row, value: plain(value) }))
    expect(scanned.sort(byRow)).toEqual(found.sort(byRow))
    expect((await all(rows.scanKeys('/p/'))).sort()).toEqual(found.map(({ row }) => row))
    expect(await all(rows.scan('/none'))).toEqual([])
  })

  test('can be scanned in more hands than one, and left early', async () => {
    const rows = await openRows()
    await rows.write(new Map(Array.from({ length: 1000 }, (_, index) => [`/${index}`, bytes(1)])))
    expect(await all(rows.scan('/'))).toHaveLength(1000)
    for await (const row of rows.scanKeys('/')) {
      expect(row).toMatch(/^\/\d+$/)
      break
    }
  })

  test('belong to whoever read them', async () => {
    const rows = await openRows()
    await rows.write(new Map([['/a', bytes(1)]]))
    ;(await rows.get('/a'))?.fill(9)
    for await (const { value } of rows.scan('/')) value.fill(9)
    expect(plain(await rows.get('/a'))).toEqual(bytes(1))
  })

  test('can be flushed, also where there are none', async () => {
    const rows = await openRows()
    await rows.flush('/none')
    await rows.write(new Map([['/a', bytes(1)]]))
    await rows.flush('/a')
    expect(await all(rows.scanKeys('/'))).toEqual(['/a'])
  })

  test('are withheld while writes leave them half done', async () => {
    const rows = await openRows()
    if (rows.atomic) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const applying = rows.apply(async () => {
      await rows.write(new Map([['/a', bytes(1)]]))
      await promise
      await rows.write(new Map([['/b', bytes(2)]]))
    })
    const reads = Promise.all([rows.getMany(['/a', '/b']), all(rows.scan('/')), all(rows.scanKeys('/'))])
    resolve()
    const [values, scanned, keys] = await reads
    expect(values).toEqual([bytes(1), bytes(2)])
    expect(scanned).toHaveLength(2)
    expect(keys).toHaveLength(2)
    await applying
  })
})

test('datastores are known to be atomic, or not, or it is said of them', async () => {
  const level = await openLevel()
  class IDBDatastore extends MemoryDatastore {}
  const atomic = (datastore: Datastore, atomicBatch?: boolean): boolean =>
    rowStoreOver(datastore, { durability: 'process', atomicBatch }).atomic
  expect(atomic(level)).toBe(true)
  expect(atomic(level, false)).toBe(false)
  expect(atomic(new IDBDatastore())).toBe(true)
  expect(atomic(new MemoryDatastore())).toBe(false)
  expect(atomic(new MemoryDatastore(), true)).toBe(true)
})

test("'fsync' makes every batch of LevelDB wait for the disk, and 'process' does not", async () => {
  for (const durability of ['fsync', 'process'] as const) {
    const level = await openLevel()
    const batch = vi.spyOn(level.db, 'batch')
    const rows = rowStoreOver(level, { durability })
    await rows.write(new Map([['/a', bytes(1)]]))
    expect(batch).toHaveBeenLastCalledWith(
      expect.anything(),
      expect.objectContaining({ sync: durability === 'fsync' })
    )
    await rows.flush('/a')
    expect(batch).toHaveBeenLastCalledWith(expect.anything(), expect.objectContaining({ sync: true }))
  }
})

test("'fsync' makes a batch of many rows wait for the disk too", async () => {
  for (const durability of ['fsync', 'process'] as const) {
    const level = await openLevel()
    const rows = rowStoreOver(level, { durability })
    const made = level.db.batch.bind(level.db)
    const written: unknown[] = []
    vi.spyOn(level.db, 'batch').mockImplementation((() => {
      const batch = made()
      const write = batch.write.bind(batch)
      batch.write = async (options: object = {}) => {
        written.push(options)
        await write(options)
      }
      return batch
    }) as never)
    await rows.write(new Map(Array.from({ length: 100 }, (_, index) => [`/${index}`, bytes(1)])))
    expect(written).toEqual([expect.objectContaining({ sync: durability === 'fsync' })])
  }
})

test('an error that is not about a missing row is passed on', async () => {
  const datastore = new FaultyDatastore()
  const rows = rowStoreOver(datastore, { durability: 'process' })
  datastore.failRead = () => true
  await expect(rows.get('/a')).rejects.toMatchObject({ name: 'DiskError' })
  await expect(rows.getMany(['/a', '/b'])).rejects.toMatchObject({ name: 'DiskError' })
  await expect(all(rows.scan('/'))).rejects.toMatchObject({ name: 'DiskError' })
})

test('the old code of a missing row is understood', async () => {
  const datastore = new MemoryDatastore()
  datastore.get = () => {
    throw Object.assign(new Error('gone'), { code: 'ERR_NOT_FOUND' })
  }
  expect(await rowStoreOver(datastore, { durability: 'process' }).get('/a')).toBeUndefined()
})

test('a single row is put without a batch, since stores without atomic ones make a put atomic', async () => {
  const datastore = new MemoryDatastore()
  const batch = vi.spyOn(datastore, 'batch')
  const rows = rowStoreOver(datastore, { durability: 'process' })
  await rows.write(new Map([['/a', bytes(1)]]))
  await rows.write(new Map([['/a', null]]))
  expect(batch).not.toHaveBeenCalled()
  expect(await datastore.has(new Key('/a'))).toBe(false)
})
