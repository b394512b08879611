// Abort signals: aborted before, nothing is done; aborted meanwhile, the wait ends at once, even where the disk hangs,
// and the store stays consistent.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../src/index.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { checkStore, contentOf } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = new Key('/k')
const value = encode('new')

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

async function* never(): AsyncGenerator<never> {
  yield await new Promise<never>(() => {})
}

type Call = (store: CrdtDatastore, options: { signal: AbortSignal }) => Promise<unknown>

const READS: Record<string, Call> = {
  get: (store, options) => store.get(key, options),
  has: (store, options) => store.has(key, options),
  getSize: (store, options) => store.getSize(key, options),
  getMany: (store, options) => drain(store.getMany([key], options)),
  query: (store, options) => drain(store.query({}, options)),
  'query with orders': (store, options) => drain(store.query({ orders: [() => 0] }, options)),
  queryKeys: (store, options) => drain(store.queryKeys({}, options))
}

const WRITES: Record<string, Call> = {
  put: (store, options) => store.put(key, value, options),
  delete: (store, options) => store.delete(key, options),
  putMany: (store, options) => drain(store.putMany([{ key, value }], options)),
  deleteMany: (store, options) => drain(store.deleteMany([key], options)),
  'batch.commit': (store, options) => {
    const batch = store.batch()
    batch.put(key, value)
    return batch.commit(options) as Promise<void>
  }
}

const WAITS: Record<string, Call> = {
  waitForSync: (store, options) => store.waitForSync(options),
  sync: (store, options) => store.sync(undefined, options)
}

const SOURCES: Record<string, Call> = {
  putMany: (store, options) => drain(store.putMany(never(), options)),
  getMany: (store, options) => drain(store.getMany(never(), options)),
  deleteMany: (store, options) => drain(store.deleteMany(never(), options))
}

async function openFaulty(): Promise<{ store: CrdtDatastore; datastore: FaultyDatastore }> {
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore, readCacheBytesMax: 0 })
  await store.put(key, encode('old'))
  return { store, datastore }
}

describe.each(Object.entries({ ...READS, ...WRITES, ...WAITS }))('%s', (_name, call) => {
  test('with a signal that is aborted already does nothing and gives its reason', async () => {
    const { store, datastore } = await openFaulty()
    const { reads, writes } = datastore
    const reason = new RangeError('too late')
    await expect(call(store, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await store.waitForSync()
    expect(datastore).toMatchObject({ reads, writes })
    expect(await contentOf(store)).toEqual({ '/k': 'old' })
  })

  test('with a signal that is never aborted is as without one', async () => {
    const { store } = await openFaulty()
    const { signal } = new AbortController()
    await call(store, { signal })
  })
})

describe.each(Object.entries(READS))('%s from a disk that hangs', (_name, call) => {
  test('ends at once when it is aborted', async () => {
    const { store, datastore } = await openFaulty()
    const release = datastore.holdReads()
    const controller = new AbortController()
    const reading = call(store, controller)
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
    release()
    expect(await store.get(key)).toEqual(encode('old'))
  })
})

describe.each(Object.entries(WRITES))('%s to a disk that hangs', (_name, call) => {
  test('ends at once when it is aborted, and is whole or not made', async () => {
    const { store, datastore } = await openFaulty()
    const release = datastore.holdWrites()
    const controller = new AbortController()
    const asked = datastore.nextWrite()
    const writing = call(store, controller)
    // From now on the write is being committed.
    await asked
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(writing).rejects.toBe(reason)
    release()
    await store.sync()
    await checkStore(store, datastore)
    expect([{}, { '/k': 'new' }]).toContainEqual(await contentOf(store))
  })
})

describe.each(Object.entries(SOURCES))('%s from a source that hangs', (_name, call) => {
  test('ends at once when it is aborted', async () => {
    const { store } = await openFaulty()
    const controller = new AbortController()
    const running = call(store, controller)
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
  })
})

describe('a write that waits for its turn', () => {
  test('is not made when it is aborted', async () => {
    const { store, datastore } = await openFaulty()
    const release = datastore.holdWrites()
    const asked = datastore.nextWrite()
    const first = store.put(new Key('/first'), encode('1'))
    await asked
    const controller = new AbortController()
    const second = store.put(key, value, controller)
    const third = store.put(new Key('/third'), encode('3'))
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(second).rejects.toBe(reason)
    release()
    await Promise.all([first, third])
    expect(await contentOf(store)).toEqual({ '/k': 'old', '/first': '1', '/third': '3' })
    await checkStore(store, datastore)
  })

  test('takes its reason from the signal, whatever that is', async () => {
    const { store } = await openFaulty()
    const controller = new AbortController()
    const writing = store.put(key, value, controller)
    controller.abort()
    await expect(writing).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('leaves no listener on a signal that is used again and again', async () => {
    const { store } = await openFaulty()
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...args)
    }
    await store.put(key, value, { signal })
    await store.get(key, { signal })
    await drain(store.query({}, { signal }))
    await store.delete(key, { signal })
    await store.waitForSync({ signal })
    await store.sync(undefined, { signal })
    expect(listeners).toBe(0)
  })
})
