// The facade over both kinds of datastore: puts, gets, deletes, many at once, bad input by name, canonical keys, DAG
// names, and the shapes of heads, digest and stats.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../src/index.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'
import { checkStore, contentOf, rawRows, rowKinds } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

describe.each(DATASTORES)('a store over $name', ({ open }) => {
  test('gives back what was put, as a plain Uint8Array', async () => {
    const store = await openStore({ datastore: await open() })
    const key = new Key('/greeting')
    expect(await store.put(key, encode('hello'))).toBe(key)
    const value = await store.get(key)
    expect(value).toEqual(encode('hello'))
    expect(value.constructor).toBe(Uint8Array)
    expect(await store.has(key)).toBe(true)
    expect(await store.getSize(key)).toBe(5)
  })

  test('a missing key is a NotFoundError', async () => {
    const store = await openStore({ datastore: await open() })
    const key = new Key('/nothing/here')
    await expect(store.get(key)).rejects.toMatchObject({ name: 'NotFoundError' })
    await expect(store.get(key)).rejects.toThrow('/nothing/here')
    await expect(store.getSize(key)).rejects.toMatchObject({ name: 'NotFoundError' })
    expect(await store.has(key)).toBe(false)
  })

  test('an empty value is a value', async () => {
    const store = await openStore({ datastore: await open() })
    await store.put(new Key('/empty'), new Uint8Array(0))
    expect(await store.get(new Key('/empty'))).toEqual(new Uint8Array(0))
    expect(await store.has(new Key('/empty'))).toBe(true)
    expect(await store.getSize(new Key('/empty'))).toBe(0)
  })

  test('a later put wins, a delete removes, and a put after it is there', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    const key = new Key('/k')
    await store.put(key, encode('zzz'))
    await store.put(key, encode('a'))
    expect(await store.get(key)).toEqual(encode('a'))
    await store.delete(key)
    expect(await store.has(key)).toBe(false)
    await store.put(key, encode('again'))
    expect(await store.get(key)).toEqual(encode('again'))
    await checkStore(store, datastore)
  })

  test('deleting /hello does not touch /hello/bye, nor the reverse', async () => {
    const store = await openStore({ datastore: await open() })
    for (const key of ['/hello', '/hello/bye', '/hello:', '/hell']) await store.put(new Key(key), encode(key))
    await store.put(new Key('/hello'), encode('second version'))
    await store.delete(new Key('/hello'))
    expect(Object.keys(await contentOf(store)).sort()).toEqual(['/hell', '/hello/bye', '/hello:'])
    await store.put(new Key('/hello'), encode('back'))
    await store.delete(new Key('/hello/bye'))
    expect(Object.keys(await contentOf(store)).sort()).toEqual(['/hell', '/hello', '/hello:'])
  })

  test('deleting what is not there writes nothing', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    await store.put(new Key('/other'), encode('1'))
    const before = await rawRows(datastore)
    await store.delete(new Key('/nothing'))
    await store.delete(new Key('/oth'))
    expect(await rawRows(datastore)).toEqual(before)
    expect((await store.stats()).nodes).toBe(1)
  })

  test('deleted keys leave no row behind', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    for (const key of ['/a', '/b', '/b/c', '/ü']) {
      await store.put(new Key(key), encode('1'))
      await store.put(new Key(key), encode('2'))
    }
    expect(await rowKinds(datastore)).toMatchObject({ k: 4, e: 4 })
    for (const key of ['/a', '/b', '/b/c', '/ü']) await store.delete(new Key(key))
    // What is left: meta, state (with the head), applied nodes, and the log.
    expect(await rowKinds(datastore)).toEqual({ m: 1, s: 1, a: 12, b: 12 })
    expect(await store.digest()).toBe('0'.repeat(64))
    await checkStore(store, datastore)
  })

  test('putMany, getMany and deleteMany keep the order of their source', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    const keys = Array.from({ length: 600 }, (_, index) => new Key(`/many/${index}`))
    const pairs = keys.map((key) => ({ key, value: encode(key.toString()) }))
    expect(await all(store.putMany(pairs))).toEqual(keys)
    const reversed = pairs.toReversed()
    async function* source(): AsyncGenerator<Key> {
      for (const { key } of reversed) yield key
    }
    expect(await all(store.getMany(source()))).toEqual(reversed)
    expect(await all(store.deleteMany(keys))).toEqual(keys)
    expect(await contentOf(store)).toEqual({})
    await checkStore(store, datastore)
  })

  test('getMany throws at the first key that is missing', async () => {
    const store = await openStore({ datastore: await open() })
    await store.put(new Key('/1'), encode('1'))
    const found: string[] = []
    const read = async (): Promise<void> => {
      for await (const { key } of store.getMany([new Key('/1'), new Key('/2'), new Key('/1')])) {
        found.push(key.toString())
      }
    }
    await expect(read()).rejects.toMatchObject({ name: 'NotFoundError' })
    expect(found).toEqual(['/1'])
  })

  test('a source that throws ends putMany with its error, and what was yielded is kept', async () => {
    const store = await openStore({ datastore: await open() })
    async function* source(): AsyncGenerator<{ key: Key; value: Uint8Array }> {
      yield { key: new Key('/first'), value: encode('1') }
      await store.waitForSync()
      throw new RangeError('the source broke')
    }
    await expect(all(store.putMany(source()))).rejects.toThrow('the source broke')
    await store.sync()
    expect(await store.has(new Key('/first'))).toBe(true)
  })

  test('a consumer that leaves putMany early leaves the store usable', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    const pairs = Array.from({ length: 1000 }, (_, index) => ({
      key: new Key(`/${index}`),
      value: encode('x')
    }))
    for await (const key of store.putMany(pairs)) {
      expect(key.toString()).toBe('/0')
      break
    }
    await store.sync()
    await checkStore(store, datastore)
  })

  test('a caller that changes its bytes afterwards changes nothing here', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    const mine = encode('original')
    await store.put(new Key('/k'), mine)
    mine.fill(0)
    const given = await store.get(new Key('/k'))
    expect(given).toEqual(encode('original'))
    given.fill(0)
    for await (const { value } of store.query({})) value.fill(0)
    expect(await store.get(new Key('/k'))).toEqual(encode('original'))
    await checkStore(store, datastore)
  })
})

describe('keys', () => {
  test('are canonical as in Go, on writing and on reading', async () => {
    const store = await openStore()
    const spellings = { '/a//b': '/a/b', y: '/y', '/a/../b': '/b', '/t/': '/t', '/./d/.': '/d' }
    for (const [spelling, canonical] of Object.entries(spellings)) {
      await store.put(keyOf(spelling), encode(canonical))
      expect(await store.get(new Key(canonical))).toEqual(encode(canonical))
      expect(await store.get(keyOf(spelling))).toEqual(encode(canonical))
    }
    expect(Object.keys(await contentOf(store)).sort()).toEqual(['/a/b', '/b', '/d', '/t', '/y'])
    for (const spelling of Object.keys(spellings)) await store.delete(keyOf(spelling))
    expect(await contentOf(store)).toEqual({})
  })

  test.each([
    ['the root', '/'],
    ['the root in disguise', '/a/..'],
    ['a climb above the root', '/../x'],
    ['a climb that comes back', '/a/../../a'],
    ['a lone surrogate', '/\ud800x']
  ])('%s is refused by name', async (_name, text) => {
    const store = await openStore()
    const key = keyOf(text)
    const refused = { name: 'InvalidKeyError', key: text }
    await expect(store.put(key, encode('1'))).rejects.toMatchObject(refused)
    await expect(store.get(key)).rejects.toMatchObject(refused)
    await expect(store.has(key)).rejects.toMatchObject(refused)
    await expect(store.delete(key)).rejects.toMatchObject(refused)
    const batch = store.batch()
    expect(() => batch.put(key, encode('1'))).toThrow(expect.objectContaining(refused))
    expect(() => batch.delete(key)).toThrow(expect.objectContaining(refused))
    await batch.commit()
    expect((await store.stats()).nodes).toBe(0)
  })

  test('a key over the limit is refused on writing, and may be deleted all the same', async () => {
    const store = await openStore({ keyBytesMax: 10 })
    await store.put(new Key('/123456789'), encode('1'))
    const long = new Key('/12345678ü')
    await expect(store.put(long, encode('1'))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidKeyError', message: expect.stringContaining('keyBytesMax') })
    )
    await store.delete(long)
    expect(await store.has(long)).toBe(false)
  })
})

describe('values', () => {
  test('over the limit are refused by name, and the key is unchanged', async () => {
    const store = await openStore({ deltaBytesMax: 1024 })
    const key = new Key('/k')
    await store.put(key, encode('before'))
    const refused = { name: 'ValueTooLargeError', key: '/k' }
    await expect(store.put(key, new Uint8Array(1024))).rejects.toMatchObject(refused)
    await expect(store.put(key, new Uint8Array(1024))).rejects.toThrow('deltaBytesMax')
    const batch = store.batch()
    expect(() => batch.put(key, new Uint8Array(1024))).toThrow(expect.objectContaining(refused))
    await batch.commit()
    expect(await store.get(key)).toEqual(encode('before'))
    expect((await store.stats()).nodes).toBe(1)
  })

  test('the largest value that fits makes a delta within the limit', async () => {
    const store = await openStore({ deltaBytesMax: 1024 })
    let size = 1024
    const fits = (): Promise<boolean> =>
      store.put(new Key('/k'), new Uint8Array(size)).then(
        () => true,
        () => false
      )
    while (!(await fits())) size -= 1
    expect(size).toBeGreaterThan(990)
    expect((await store.get(new Key('/k'))).length).toBe(size)
  })

  test.each([['text'], [undefined], [null], [[1, 2]], [new ArrayBuffer(2)], [7]])(
    '%o is no Uint8Array and is refused by name',
    async (value) => {
      const store = await openStore()
      const wrong = value as unknown as Uint8Array
      await expect(store.put(new Key('/k'), wrong)).rejects.toMatchObject({
        name: 'InvalidValueError',
        key: '/k'
      })
      expect(() => store.batch().put(new Key('/k'), wrong)).toThrow(
        expect.objectContaining({ name: 'InvalidValueError' })
      )
      expect((await store.stats()).nodes).toBe(0)
    }
  )

  test('a Buffer is a Uint8Array', async () => {
    const store = await openStore()
    await store.put(new Key('/k'), Buffer.from('buffer'))
    expect(await store.get(new Key('/k'))).toEqual(encode('buffer'))
  })
})

describe('DAG names', () => {
  test.each([
    ['a/b', 'Go peers'],
    ['.', 'Go peers'],
    ['..', 'Go peers'],
    ['\udc00', 'surrogate'],
    ['ü'.repeat(128), '255']
  ])('%o is refused by name', async (dagName, reason) => {
    const store = await openStore()
    const refused = expect.objectContaining({
      name: 'InvalidDagNameError',
      dagName,
      message: expect.stringContaining(reason)
    })
    await expect(store.put(new Key('/k'), encode('1'), { dagName })).rejects.toEqual(refused)
    await expect(store.delete(new Key('/k'), { dagName })).rejects.toEqual(refused)
    await expect(
      all(store.putMany([{ key: new Key('/k'), value: encode('1') }], { dagName }))
    ).rejects.toEqual(refused)
    expect(() => store.batch({ dagName })).toThrow(refused)
  })

  test('a put in one DAG after puts of the same key in another reads back what was put', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    for (const value of ['z1', 'z2', 'z3']) await store.put(new Key('/k'), encode(value))
    await store.put(new Key('/k'), encode('a'), { dagName: 'side' })
    expect(await store.get(new Key('/k'))).toEqual(encode('a'))
    await store.put(new Key('/k'), encode('0'))
    expect(await store.get(new Key('/k'))).toEqual(encode('0'))
    await checkStore(store, datastore)
  })

  test('each DAG has heads of its own, and keys are shared', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    await store.put(new Key('/k'), encode('1'))
    await store.put(new Key('/k'), encode('2'), { dagName: '\ufeffü:%' })
    const batch = store.batch({ dagName: 'other' })
    batch.put(new Key('/k'), encode('3'))
    await batch.commit()
    expect((await store.heads()).map(({ dagName, priority }) => ({ dagName, priority }))).toEqual([
      { dagName: 'other', priority: 3n },
      { dagName: '\ufeffü:%', priority: 2n },
      { dagName: '', priority: 1n }
    ])
    for (const dagName of ['', '\ufeffü:%', 'other']) {
      const heads = await store.heads(dagName)
      expect(heads.map((head) => head.dagName)).toEqual([dagName])
    }
    expect(await store.heads('unheard of')).toEqual([])
    await store.delete(new Key('/k'), { dagName: 'other' })
    expect(await store.has(new Key('/k'))).toBe(false)
    await checkStore(store, datastore)
    await store.stop()
    await store.start()
    await checkStore(store, datastore)
    expect((await store.heads('\ufeffü:%')).length).toBe(1)
  })
})

describe('what a store tells of itself', () => {
  test('heads are CIDs of version 1, dag-pb, sha2-256, with an exact priority', async () => {
    const store = await openStore()
    expect(await store.heads()).toEqual([])
    await store.put(new Key('/k'), encode('1'))
    const [head, ...others] = await store.heads()
    expect(others).toEqual([])
    expect(head).toEqual({ cid: expect.anything(), priority: 1n, dagName: '' })
    expect(head?.cid).toMatchObject({ version: 1, code: 0x70 })
    expect(head?.cid.multihash.code).toBe(0x12)
  })

  test('the digest is equal on stores with equal history, and that of nothing once all is deleted', async () => {
    const one = await openStore()
    const other = await openStore()
    const empty = await one.digest()
    expect(empty).toMatch(/^0{64}$/)
    for (const store of [one, other]) {
      await store.put(new Key('/a'), encode('1'))
      await store.put(new Key('/b'), encode('2'))
    }
    expect(await one.digest()).toMatch(/^[0-9a-f]{64}$/)
    expect(await one.digest()).toBe(await other.digest())
    await one.delete(new Key('/a'))
    expect(await one.digest()).not.toBe(await other.digest())
    await one.delete(new Key('/b'))
    expect(await one.digest()).toBe(empty)
  })

  test('stats count what the store holds and what it did', async () => {
    const store = await openStore()
    await store.put(new Key('/a'), encode('1'))
    await store.put(new Key('/a'), encode('2'))
    await store.put(new Key('/b'), encode('3'), { dagName: 'side' })
    const stats = await store.stats()
    expect(stats).toEqual({
      ...{ keys: 2, elements: 3, tombstones: 0, nodes: 3, heads: 2, clock: 3n },
      ...{ gaps: 0, deferred: 0, pending: 0, wanted: 0, counters: expect.anything() }
    })
    expect(stats.counters).toMatchObject({ localNodes: 3, localCommits: 3, remoteNodes: 0, failedCommits: 0 })
  })

  test('a snapshot of stats does not change afterwards', async () => {
    const store: CrdtDatastore = await openStore()
    const before = await store.stats()
    await store.put(new Key('/a'), encode('1'))
    expect(before.counters.localNodes).toBe(0)
    expect(before.keys).toBe(0)
  })
})

/** A key that is taken as it is spelled, where the class of interface-datastore would tidy it up. */
function keyOf(text: string): Key {
  return { toString: () => text } as Key
}
