// What was read or written lately is answered from memory, and is what a read of the row would give.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { type ChangeSet, ChangeSet as Changes } from '../../src/storage/commit.ts'
import { Layout } from '../../src/storage/keys.ts'
import { cachedCommitter, ReadCache } from '../../src/storage/read-cache.ts'
import { encodeCurrent } from '../../src/storage/rows.ts'
import { CountingDatastore } from './counting-datastore.ts'
import { FaultyDatastore } from './faulty-datastore.ts'
import { DATASTORES, openStore } from './open-store.ts'

const KEY = new Key('/k')
const layout = new Layout('/crdt')
const ROW = layout.current('/k')
const ID = `/${'A'.repeat(52)}`

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (value: Uint8Array | null | undefined): string | null | undefined =>
  value && new TextDecoder().decode(value)

/** A commit that gives keys values, or takes them away. */
function changesOf(values: Record<string, string | null>): ChangeSet {
  const changes = new Changes()
  for (const [key, value] of Object.entries(values)) {
    const row = layout.current(key)
    if (value === null) changes.delete(row)
    else {
      const winner = { id: ID, priority: 1n, value: encode(value) }
      changes.put(row, encodeCurrent({ winner, otherCount: 0 }))
    }
  }
  return changes
}

function commit(cache: ReadCache, changes: ChangeSet): void {
  cache.beginCommit(changes)
  cache.adoptCommit(changes)
}

async function textOf(store: CrdtDatastore, key = KEY): Promise<string | undefined> {
  return (await store.has(key)) ? new TextDecoder().decode(await store.get(key)) : undefined
}

async function counted(store: CrdtDatastore): Promise<{ hits: number; misses: number }> {
  const { cacheHits, cacheMisses } = (await store.stats()).counters
  return { hits: cacheHits, misses: cacheMisses }
}

describe('the cache of reads', () => {
  test('a read that began before a commit of its row and ends after it is not kept', () => {
    const cache = new ReadCache(layout, 10_000)
    const ticket = cache.beginRead(ROW)
    commit(cache, changesOf({ '/k': 'new' }))
    cache.endRead(ROW, ticket, encode('old'))
    expect(decode(cache.get(ROW))).toBe('new')
  })

  test('nothing is known of the rows of a commit until it ends, also what is read meanwhile', () => {
    const cache = new ReadCache(layout, 10_000)
    commit(cache, changesOf({ '/k': 'old', '/other': 'stays' }))
    const changes = changesOf({ '/k': 'new' })
    cache.beginCommit(changes)
    expect(cache.get(ROW)).toBeUndefined()
    cache.endRead(ROW, cache.beginRead(ROW), encode('old'))
    expect(cache.get(ROW)).toBeUndefined()
    expect(decode(cache.get(layout.current('/other')))).toBe('stays')
    const ticket = cache.beginRead(ROW)
    cache.adoptCommit(changes)
    cache.endRead(ROW, ticket, encode('old'))
    expect(decode(cache.get(ROW))).toBe('new')
  })

  test('of a commit that failed nothing is kept, and what is read after it is', async () => {
    const cache = new ReadCache(layout, 10_000)
    commit(cache, changesOf({ '/k': 'before' }))
    const failing = { commit: () => Promise.reject(new Error('no room')) }
    const changes = changesOf({ '/k': 'new' })
    await expect(cachedCommitter(failing, cache).commit(changes)).rejects.toThrow('no room')
    expect(cache.get(ROW)).toBeUndefined()
    cache.endRead(ROW, cache.beginRead(ROW), encode('old'))
    expect(decode(cache.get(ROW))).toBe('old')
  })

  test('a read that a commit of other rows overtakes is given and not kept', () => {
    const cache = new ReadCache(layout, 10_000)
    const ticket = cache.beginRead(ROW)
    commit(cache, changesOf({ '/other': 'x' }))
    cache.endRead(ROW, ticket, encode('value'))
    expect(cache.get(ROW)).toBeUndefined()
    cache.beginCommit(changesOf({ '/other': 'y' }))
    cache.endRead(ROW, cache.beginRead(ROW), encode('value'))
    expect(decode(cache.get(ROW))).toBe('value')
  })

  test('it takes no more bytes than it may, and keeps what is used', () => {
    const bytesMax = 20_000
    const cache = new ReadCache(layout, bytesMax)
    const used = layout.current('/used')
    commit(cache, changesOf({ '/used': 'often' }))
    for (let index = 0; index < 1000; index++) {
      commit(cache, changesOf({ [`/${index}`]: 'x'.repeat(index) }))
      expect(cache.bytes).toBeLessThanOrEqual(bytesMax)
      expect(decode(cache.get(used))).toBe('often')
    }
    expect(decode(cache.get(layout.current('/999')))).toBe('x'.repeat(999))
    expect(cache.get(layout.current('/1'))).toBeUndefined()
    for (const index of [999, 998, 997]) commit(cache, changesOf({ [`/${index}`]: null }))
    expect(cache.bytes).toBeGreaterThan(0)
    expect(cache.get(layout.current('/999'))).toBeNull()
  })

  test('a value of more than half the bytes is not kept, nor what its key had before, and drives nothing out', () => {
    const cache = new ReadCache(layout, 10_000)
    commit(cache, changesOf({ '/k': 'small', '/large': 'not yet' }))
    commit(cache, changesOf({ '/large': 'x'.repeat(6000) }))
    expect(cache.get(layout.current('/large'))).toBeUndefined()
    expect(decode(cache.get(ROW))).toBe('small')
  })

  test('a value that is longer than a read is worth is not kept, nor what its key had before', () => {
    const cache = new ReadCache(layout, 100_000_000)
    commit(cache, changesOf({ '/k': 'x'.repeat(65_536), '/longer': 'short' }))
    commit(cache, changesOf({ '/longer': 'x'.repeat(65_537) }))
    expect(decode(cache.get(ROW))).toHaveLength(65_536)
    expect(cache.get(layout.current('/longer'))).toBeUndefined()
  })

  test('what is written to a key that was not used for a while is what is read', () => {
    const cache = new ReadCache(layout, 20_000)
    commit(cache, changesOf({ '/k': 'old', '/gone': 'old' }))
    for (let index = 0; index < 25; index++) commit(cache, changesOf({ [`/${index}`]: 'x'.repeat(300) }))
    // More than a generation takes, so that there are two.
    expect(cache.bytes).toBeGreaterThan(10_000)
    commit(cache, changesOf({ '/k': 'new', '/gone': null }))
    expect(decode(cache.get(ROW))).toBe('new')
    expect(cache.get(layout.current('/gone'))).toBeNull()
  })

  test('a commit of many keys replaces what was known and makes nothing else known', () => {
    const cache = new ReadCache(layout, 1_000_000)
    commit(cache, changesOf({ '/7': 'old' }))
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`/${index}`, 'new']))
    commit(cache, changesOf(many))
    expect(decode(cache.get(layout.current('/7')))).toBe('new')
    expect(cache.get(layout.current('/8'))).toBeUndefined()
  })
})

describe.each(DATASTORES)('reads of a store over $name', ({ open }) => {
  test('are answered from memory after a read or a write', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    await store.put(KEY, encode('one'))
    expect(await textOf(store)).toBe('one')
    expect(await store.getSize(KEY)).toBe(3)
    expect(await counted(store)).toEqual({ hits: 3, misses: 0 })
    await store.stop()
    await store.start()
    expect(await textOf(store)).toBe('one')
    expect(await store.has(new Key('/none'))).toBe(false)
    expect(await store.has(new Key('/none'))).toBe(false)
    for await (const { value } of store.getMany([KEY, KEY])) expect(decode(value)).toBe('one')
    expect(await counted(store)).toEqual({ hits: 4, misses: 2 })
  })

  test('are those of the last commit, whatever was committed', async () => {
    const store = await openStore({ datastore: await open() })
    const batch = store.batch()
    expect(await textOf(store)).toBeUndefined()
    batch.put(KEY, encode('batch'))
    for (let index = 0; index < 1000; index++) batch.put(new Key(`/many/${index}`), encode('x'))
    await batch.commit()
    expect(await textOf(store)).toBe('batch')
    await store.put(KEY, encode('put'))
    expect(await textOf(store)).toBe('put')
    await store.delete(KEY)
    expect(await textOf(store)).toBeUndefined()
  })

  test('give bytes that the caller may change, and keep none that it gave', async () => {
    const store = await openStore({ datastore: await open() })
    const given = encode('right')
    await store.put(KEY, given)
    given.fill(0)
    for (let read = 0; read < 3; read++) {
      const value = await store.get(KEY)
      expect(decode(value)).toBe('right')
      value.fill(0)
    }
    await store.stop()
    await store.start()
    for (let read = 0; read < 3; read++) {
      const value = await store.get(KEY)
      expect(decode(value)).toBe('right')
      value.fill(0)
    }
  })

  test('forget what a purge drops, and find what is there again after it is taken up', async () => {
    const store = await openStore({ datastore: await open() })
    await store.put(KEY, encode('first'))
    await store.put(KEY, encode('of the DAG'), { dagName: 'dag' })
    await store.put(new Key('/dag'), encode('alone'), { dagName: 'dag' })
    expect(await textOf(store)).toBe('of the DAG')
    await store.dag.purge('dag')
    expect(await textOf(store)).toBe('first')
    expect(await textOf(store, new Key('/dag'))).toBeUndefined()
    await store.dag.resume('dag')
    await store.put(KEY, encode('again'), { dagName: 'dag' })
    expect(await textOf(store)).toBe('again')
  })

  test('see what a repair mended, where damage was read before', async () => {
    const datastore = await open()
    const store = await openStore({ datastore, namespace: '/crdt' })
    await store.put(KEY, encode('right'))
    const row = await datastore.get(new Key(ROW))
    await store.stop()
    const damaged = new Uint8Array(row)
    damaged[damaged.length - 1] = 0x21
    await datastore.put(new Key(ROW), damaged)
    await datastore.put(new Key(layout.current('/stray')), row)
    await store.start()
    expect(await textOf(store)).toBe('righ!')
    expect(await textOf(store, new Key('/stray'))).toBe('right')
    await store.repair()
    expect(await textOf(store)).toBe('right')
    expect(await textOf(store, new Key('/stray'))).toBeUndefined()
  })
})

test.each([true, false])('reads during a commit see what is decided (atomic: %s)', async (atomic) => {
  const datastore = new FaultyDatastore({ atomic })
  const store = await openStore({ datastore, atomicBatch: atomic })
  await store.put(KEY, encode('old'))
  const [goOn, begun] = [datastore.holdWrites(), datastore.nextWrite()]
  const putting = store.put(KEY, encode('new'))
  await begun
  expect(await textOf(store)).toBe('old')
  goOn()
  await putting
  expect(await textOf(store)).toBe('new')
})

test('after a commit that failed reads see what was there before', async () => {
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore })
  await store.put(KEY, encode('old'))
  datastore.breakDisk()
  await expect(store.put(KEY, encode('new'))).rejects.toMatchObject({ name: 'CommitFailedError' })
  expect(await textOf(store)).toBe('old')
  datastore.mendDisk()
  await store.put(KEY, encode('newer'))
  expect(await textOf(store)).toBe('newer')
})

test('without a cache every read asks the datastore', async () => {
  const datastore = new CountingDatastore()
  const store = await openStore({ datastore, readCacheBytesMax: 0 })
  await store.put(KEY, encode('one'))
  datastore.reset()
  for (let read = 0; read < 3; read++) await store.get(KEY)
  expect(datastore.gets).toBe(3)
  expect(await counted(store)).toEqual({ hits: 0, misses: 0 })
})
