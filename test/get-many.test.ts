// Many keys that are at hand are read together, in order, and no more of them than was asked for.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../src/index.ts'
import { CountingDatastore } from './storage/counting-datastore.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (value: Uint8Array): string => new TextDecoder().decode(value)
const keyOf = (index: number): Key => new Key(`/key/${index}`)

async function filled(store: CrdtDatastore, count: number): Promise<Key[]> {
  const keys = Array.from({ length: count }, (_, index) => keyOf(index))
  const batch = store.batch()
  for (const key of keys) batch.put(key, encode(key.toString()))
  await batch.commit()
  return keys
}

async function textsOf(store: CrdtDatastore, keys: Iterable<Key>): Promise<string[]> {
  const texts: string[] = []
  for await (const { key, value } of store.getMany(keys)) {
    expect(decode(value)).toBe(key.toString())
    texts.push(decode(value))
  }
  return texts
}

describe.each(DATASTORES)('getMany over $name', ({ open }) => {
  test.each([0, 1, 8, 9, 127, 128, 129, 1000])(
    'gives %i values in the order of their keys',
    async (count) => {
      const store = await openStore({ datastore: await open() })
      const keys = (await filled(store, count)).toReversed()
      expect(await textsOf(store, keys)).toEqual(keys.map(String))
      expect(await textsOf(store, new Set(keys))).toEqual(keys.map(String))
    }
  )

  test('gives what was remembered, read and written over lately, and the same key twice', async () => {
    const store = await openStore({ datastore: await open() })
    const keys = await filled(store, 20)
    await store.stop()
    await store.start()
    await store.get(keys[3] as Key)
    await store.delete(keys[5] as Key)
    await store.put(keys[5] as Key, encode('/key/5'))
    const asked = [...keys, ...keys]
    expect(await textsOf(store, asked)).toEqual(asked.map(String))
  })

  test('gives values before the first key that has none', async () => {
    const store = await openStore({ datastore: await open() })
    const keys = await filled(store, 300)
    await store.delete(keys[200] as Key)
    const found: Key[] = []
    const reading = async (): Promise<void> => {
      for await (const { key } of store.getMany(keys)) found.push(key)
    }
    await expect(reading()).rejects.toMatchObject({ name: 'NotFoundError' })
    await expect(reading()).rejects.toThrow('/key/200')
    expect(found).toHaveLength(400)
  })

  test('gives bytes that the caller may change', async () => {
    const store = await openStore({ datastore: await open() })
    const keys = await filled(store, 10)
    for (let time = 0; time < 3; time++) {
      for await (const { key, value } of store.getMany(keys)) {
        expect(decode(value)).toBe(key.toString())
        value.fill(0)
      }
    }
  })
})

test('what a getMany has read is remembered, unless it was written over meanwhile', async () => {
  const datastore = new CountingDatastore()
  const store = await openStore({ datastore })
  const keys = await filled(store, 10)
  await store.stop()
  await store.start()
  datastore.reset()
  await textsOf(store, keys)
  expect(datastore.gets).toBe(10)
  await textsOf(store, keys)
  expect(datastore.gets).toBe(10)
})

test('large values are read a few at a time, and no key is taken long before its turn', async () => {
  const datastore = new CountingDatastore()
  const store = await openStore({ datastore, readCacheBytesMax: 0 })
  const large = new Uint8Array(200_000)
  const keys = Array.from({ length: 200 }, (_, index) => keyOf(index))
  for (const key of keys) await store.put(key, large)
  let taken = 0
  function* source(): Generator<Key> {
    for (const key of keys) {
      taken += 1
      yield key
    }
  }
  datastore.reset()
  let given = 0
  for await (const { value } of store.getMany(source())) {
    given += value.length
    // The first hand is taken before the size of any value is known; the others have five.
    const ahead = given <= 128 * large.length ? 128 : 5
    expect(taken - given / large.length).toBeLessThanOrEqual(ahead)
  }
  expect(given).toBe(200 * large.length)
})

test('an abort between two values ends it', async () => {
  const store = await openStore()
  const keys = await filled(store, 10)
  const controller = new AbortController()
  const found: Key[] = []
  const reading = async (): Promise<void> => {
    for await (const { key } of store.getMany(keys, { signal: controller.signal })) {
      found.push(key)
      if (found.length === 3) controller.abort(new RangeError('enough'))
    }
  }
  await expect(reading()).rejects.toThrow('enough')
  expect(found).toHaveLength(3)
})

test('a store that closes ends it with its error', async () => {
  const store = await openStore()
  const keys = await filled(store, 300)
  const reading = async (): Promise<void> => {
    for await (const _ of store.getMany(keys)) await store.close()
  }
  await expect(reading()).rejects.toMatchObject({ name: 'ClosedError' })
})
