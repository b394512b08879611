// putHook and deleteHook, for those who port code from go-ds-crdt: called after the commit for each key that changed,
// whoever changed it; a hook that misbehaves is counted and logged, and harms nothing.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { type ComponentLogger, type CrdtDatastoreInit, createCrdtDatastore } from '../src/index.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { RemotePeer, remoteNode } from './storage/remote-peer.ts'
import { contentOf } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const key = new Key('/k')

/** Hooks that note what they were told. */
function noting(): { calls: string[]; hooks: Pick<CrdtDatastoreInit, 'putHook' | 'deleteHook'> } {
  const calls: string[] = []
  return {
    calls,
    hooks: {
      putHook: (key, value) => void calls.push(`put ${key} ${text(value)}`),
      deleteHook: (key) => void calls.push(`delete ${key}`)
    }
  }
}

function capture(lines: string[]): ComponentLogger {
  const write = (...args: unknown[]): void => void lines.push(args.join(' '))
  return { forComponent: () => Object.assign(() => {}, { error: write, trace: () => {} }) }
}

describe('hooks are called', () => {
  test('for what is written here, before the write resolves', async () => {
    const { calls, hooks } = noting()
    const store = await openStore(hooks)
    await store.put(key, encode('1'))
    expect(calls).toEqual(['put /k 1'])
    await store.put(key, encode('2'))
    await store.delete(key)
    await store.delete(key)
    expect(calls).toEqual(['put /k 1', 'put /k 2', 'delete /k'])
  })

  test('once for each key of a batch', async () => {
    const { calls, hooks } = noting()
    const store = await openStore(hooks)
    await store.put(key, encode('1'))
    const batch = store.batch()
    batch.put(new Key('/a'), encode('1'))
    batch.put(new Key('/a'), encode('2'))
    batch.delete(key)
    await batch.commit()
    expect(calls.slice(1)).toEqual(['put /a 2', 'delete /k'])
  })

  test('for what others write, and not for what loses', async () => {
    const { calls, hooks } = noting()
    const peer = new RemotePeer()
    const store = await openStore({ ...hooks, broadcaster: peer, topic: 'test' })
    const one = await remoteNode({ priority: 2n, elements: [{ key: '/k', value: encode('1') }] })
    peer.say(one)
    await store.waitForSync()
    peer.say(await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('loses') }] }))
    await store.waitForSync()
    const tombstones = [{ key: '/k', id: one.id }]
    peer.say(await remoteNode({ priority: 3n, tombstones, links: [one.id] }))
    await store.waitForSync()
    // What lost before is revealed: a put, not a delete.
    expect(calls).toEqual(['put /k 1', 'put /k loses'])
  })

  test('after the commit is durable and readable', async () => {
    const datastore = new FaultyDatastore()
    const survivors: Array<ReadonlyMap<string, Uint8Array>> = []
    const reads: Array<Promise<Uint8Array>> = []
    const store = await openStore({
      datastore,
      putHook: (key) => {
        survivors.push(datastore.rows())
        reads.push(store.get(key))
      }
    })
    await store.put(key, encode('1'))
    const [rows] = survivors
    const survived = await openStore({ datastore: new FaultyDatastore({ rows: rows! }) })
    expect(await contentOf(survived)).toEqual({ '/k': '1' })
    expect(await Promise.all(reads)).toEqual([encode('1')])
  })

  test('not for a commit that failed', async () => {
    const { calls, hooks } = noting()
    const datastore = new FaultyDatastore()
    const store = await openStore({ ...hooks, datastore })
    datastore.breakDisk()
    await expect(store.put(key, encode('1'))).rejects.toMatchObject({ name: 'CommitFailedError' })
    expect(calls).toEqual([])
  })

  test('one without the other', async () => {
    const { calls, hooks } = noting()
    const store = await openStore({ deleteHook: hooks.deleteHook! })
    await store.put(key, encode('1'))
    await store.delete(key)
    expect(calls).toEqual(['delete /k'])
  })

  test('and may write', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const store = await openStore({
      putHook: (written, value) => {
        if (written.toString() === '/k') resolve(store.put(new Key('/copy'), value))
      }
    })
    await store.put(key, encode('1'))
    await promise
    expect(await contentOf(store)).toEqual({ '/k': '1', '/copy': '1' })
  })
})

describe('a hook that fails', () => {
  const FAILING: Record<string, () => void> = {
    throws: () => {
      throw new RangeError('the hook failed')
    },
    rejects: (async () => {
      throw new RangeError('the hook failed')
    }) as () => void
  }

  test.each(Object.entries(FAILING))(
    'because it %s is counted, logged, and harms nothing',
    async (_name, fail) => {
      const lines: string[] = []
      const store = await openStore({ putHook: fail, deleteHook: fail, logger: capture(lines) })
      const events: string[] = []
      store.addEventListener('change', ({ detail }) => events.push(detail.key.toString()))
      const changes = store.watch()
      const batch = store.batch()
      batch.put(key, encode('1'))
      batch.put(new Key('/other'), encode('1'))
      await batch.commit()
      await store.delete(key)
      expect(events).toEqual(['/k', '/other', '/k'])
      for (const name of events) expect((await changes.next()).value.key.toString()).toBe(name)
      expect(await contentOf(store)).toEqual({ '/other': '1' })
      expect((await store.stats()).counters.listenerErrors).toBe(3)
      expect(lines.filter((line) => line.includes('the hook failed'))).toHaveLength(3)
    }
  )
})

test('a hook that is no function is refused by name', async () => {
  for (const option of ['putHook', 'deleteHook'] as const) {
    const init = { datastore: new FaultyDatastore(), [option]: 'log' } as unknown as CrdtDatastoreInit
    await expect(createCrdtDatastore(init)).rejects.toMatchObject({ name: 'InvalidOptionError', option })
  }
})
