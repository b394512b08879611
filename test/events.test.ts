// Change events: after the commit, in its order, once for each changed key, with the old and the new value; and
// listeners that misbehave.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { blockIdFromCid } from '../src/codec/block-id.ts'
import { GuardedEventTarget } from '../src/events.ts'
import type { Change, CrdtDatastore } from '../src/index.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { RemotePeer, remoteNode } from './storage/remote-peer.ts'
import { contentOf } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)
const key = (name: string): Key => new Key(name)

/** Every event from now on, in short. */
function listen(store: CrdtDatastore): Array<Record<string, unknown>> {
  const events: Array<Record<string, unknown>> = []
  store.addEventListener('change', ({ detail }) => {
    const { value, previous, origin, sequence } = detail
    events.push({
      key: detail.key.toString(),
      value: text(value),
      previous: text(previous),
      origin,
      sequence
    })
  })
  return events
}

describe('a local write', () => {
  test('raises one event with the old and the new value', async () => {
    const store = await openStore()
    const events = listen(store)
    await store.put(key('/k'), encode('1'))
    await store.put(key('/k'), encode('2'))
    await store.delete(key('/k'))
    await store.put(key('/k'), encode('3'))
    const local = { key: '/k', origin: 'local' }
    expect(events).toEqual([
      { ...local, value: '1', previous: undefined, sequence: 1 },
      { ...local, value: '2', previous: '1', sequence: 2 },
      { ...local, value: undefined, previous: '2', sequence: 3 },
      { ...local, value: '3', previous: undefined, sequence: 4 }
    ])
  })

  test('names the node that made the change', async () => {
    const store = await openStore()
    const changes: Change[] = []
    store.addEventListener('change', ({ detail }) => changes.push(detail))
    await store.put(key('/k'), encode('1'))
    const [head] = await store.heads()
    expect(changes[0]?.cid.toString()).toBe(head?.cid.toString())
    expect(changes[0]?.key).toBeInstanceOf(Key)
  })

  test('that resolves has raised its events', async () => {
    const store = await openStore()
    const events = listen(store)
    await Promise.all([store.put(key('/a'), encode('1')), store.put(key('/b'), encode('1'))])
    expect(events).toHaveLength(2)
  })

  test('that changes nothing raises none', async () => {
    const store = await openStore()
    const events = listen(store)
    await store.delete(key('/nothing'))
    const batch = store.batch()
    batch.put(key('/never'), encode('1'))
    batch.delete(key('/never'))
    await batch.commit()
    expect(events).toEqual([])
  })

  test('of a whole batch raises one event for each key, in the order of its first mention, once all is visible', async () => {
    const store = await openStore()
    await store.put(key('/gone'), encode('0'))
    const seen: unknown[] = []
    const reads: Array<Promise<Record<string, string>>> = []
    store.addEventListener('change', ({ detail }) => {
      seen.push([detail.key.toString(), text(detail.value)])
      reads.push(contentOf(store))
    })
    const batch = store.batch()
    batch.put(key('/b'), encode('1'))
    batch.put(key('/a'), encode('1'))
    batch.put(key('/b'), encode('2'))
    batch.delete(key('/gone'))
    await batch.commit()
    expect(seen).toEqual([
      ['/b', '2'],
      ['/a', '1'],
      ['/gone', undefined]
    ])
    for (const content of await Promise.all(reads)) expect(content).toEqual({ '/a': '1', '/b': '2' })
  })

  test('that fails raises none', async () => {
    const datastore = new FaultyDatastore({ atomic: true })
    const store = await openStore({ datastore, atomicBatch: true })
    const events = listen(store)
    datastore.breakDisk()
    await expect(store.put(key('/k'), encode('1'))).rejects.toMatchObject({ name: 'CommitFailedError' })
    expect(events).toEqual([])
    datastore.mendDisk()
    await store.put(key('/k'), encode('2'))
    expect(events).toMatchObject([{ value: '2', previous: undefined }])
  })

  test('is durable when its event is raised', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    const survivors: Array<ReadonlyMap<string, Uint8Array>> = []
    store.addEventListener('change', () => survivors.push(datastore.rows()))
    await store.put(key('/k'), encode('1'))
    const [rows] = survivors
    expect(await contentOf(await openStore({ datastore: new FaultyDatastore({ rows: rows! }) }))).toEqual({
      '/k': '1'
    })
  })
})

describe('a remote write', () => {
  async function openWithPeer(): Promise<{
    store: CrdtDatastore
    peer: RemotePeer
    events: ReturnType<typeof listen>
  }> {
    const peer = new RemotePeer()
    const store = await openStore({ broadcaster: peer, topic: 'test' })
    return { store, peer, events: listen(store) }
  }

  test('raises an event of remote origin, with the node as its cid', async () => {
    const { store, peer, events } = await openWithPeer()
    const cids: unknown[] = []
    store.addEventListener('change', ({ detail }) => cids.push(blockIdFromCid(detail.cid)))
    await store.put(key('/k'), encode('mine'))
    const node = await remoteNode({ priority: 7n, elements: [{ key: '/k', value: encode('theirs') }] })
    peer.say(node)
    await store.waitForSync()
    expect(events).toMatchObject([
      { value: 'mine', origin: 'local' },
      { value: 'theirs', previous: 'mine', origin: 'remote', sequence: 2 }
    ])
    expect(cids[1]).toBe(node.id)
  })

  test('that loses against the value here raises none', async () => {
    const { store, peer, events } = await openWithPeer()
    await store.put(key('/k'), encode('1'))
    await store.put(key('/k'), encode('mine'))
    peer.say(await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('theirs') }] }))
    await store.waitForSync()
    expect((await store.stats()).elements).toBe(3)
    expect(events).toHaveLength(2)
  })

  test('that comes twice raises one event', async () => {
    const { store, peer, events } = await openWithPeer()
    const node = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('1') }] })
    peer.say(node, node)
    peer.say(node)
    await store.waitForSync()
    expect(events).toHaveLength(1)
  })

  test('whose tombstone reveals an older value is a put event, not a delete', async () => {
    const { store, peer, events } = await openWithPeer()
    const older = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('older') }] })
    const newer = await remoteNode({ priority: 2n, elements: [{ key: '/k', value: encode('newer') }] })
    peer.say(older, newer)
    await store.waitForSync()
    const tombstones = [{ key: '/k', id: newer.id }]
    peer.say(await remoteNode({ priority: 3n, tombstones, links: [newer.id] }))
    await store.waitForSync()
    expect(events.at(-1)).toMatchObject({ value: 'older', previous: 'newer', origin: 'remote' })
    expect(await contentOf(store)).toEqual({ '/k': 'older' })
  })

  test('whose tombstone is for a version that is not the winner raises none', async () => {
    const { store, peer, events } = await openWithPeer()
    const older = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('older') }] })
    const newer = await remoteNode({ priority: 2n, elements: [{ key: '/k', value: encode('newer') }] })
    peer.say(older, newer)
    await store.waitForSync()
    const before = events.length
    peer.say(await remoteNode({ priority: 3n, tombstones: [{ key: '/k', id: older.id }], links: [older.id] }))
    await store.waitForSync()
    expect(events).toHaveLength(before)
    expect(await contentOf(store)).toEqual({ '/k': 'newer' })
  })

  test('of many nodes that become one commit raises one event for each key', async () => {
    const { store, peer, events } = await openWithPeer()
    const links: string[] = []
    const nodes = []
    for (let priority = 1n; priority <= 5n; priority++) {
      const node = await remoteNode({
        priority,
        links: links.slice(-1),
        elements: [{ key: '/k', value: encode(`${priority}`) }]
      })
      links.push(node.id)
      nodes.push(node)
    }
    // The head alone waits for its ancestors; the first one lets all of them go at once.
    for (const node of nodes.slice(1)) peer.say(node)
    peer.say(nodes[0]!)
    await store.waitForSync()
    expect(await contentOf(store)).toEqual({ '/k': '5' })
    expect(events.at(-1)).toMatchObject({ value: '5' })
    expect(new Set(events.map(({ sequence }) => sequence)).size).toBe(events.length)
  })
})

describe('a listener', () => {
  test('may put, and sees the events of what it put', async () => {
    const store = await openStore()
    const events = listen(store)
    const { promise, resolve } = Promise.withResolvers<void>()
    store.addEventListener('change', ({ detail }) => {
      if (detail.key.toString() === '/k')
        void store.put(key('/copy'), detail.value as Uint8Array).then(() => resolve())
    })
    await store.put(key('/k'), encode('1'))
    await promise
    expect(events).toMatchObject([
      { key: '/k', value: '1' },
      { key: '/copy', value: '1' }
    ])
  })

  test('may close the store', async () => {
    const store = await openStore()
    const { promise, resolve } = Promise.withResolvers<void>()
    store.addEventListener('change', () => void store.close().then(resolve))
    await store.put(key('/k'), encode('1'))
    await promise
    expect(store.isStarted()).toBe(false)
  })

  test('that throws or rejects hurts nobody else, and is counted', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    store.addEventListener('change', () => {
      throw new RangeError('thrown')
    })
    store.addEventListener('change', (async () => {
      throw new RangeError('rejected')
    }) as () => void)
    store.addEventListener('change', {
      handleEvent() {
        throw new RangeError('thrown by an object')
      }
    })
    const events = listen(store)
    await store.put(key('/a'), encode('1'))
    await store.put(key('/b'), encode('1'))
    expect(events).toHaveLength(2)
    expect((await store.stats()).counters.listenerErrors).toBe(6)
  })

  test('can be removed, and can be for one event only', async () => {
    const store = await openStore()
    const seen: string[] = []
    const everyTime = (): void => void seen.push('every time')
    const controller = new AbortController()
    store.addEventListener('change', everyTime)
    store.addEventListener('change', () => seen.push('once'), { once: true })
    store.addEventListener('change', () => seen.push('until aborted'), { signal: controller.signal })
    await store.put(key('/k'), encode('1'))
    store.removeEventListener('change', everyTime)
    controller.abort()
    await store.put(key('/k'), encode('2'))
    expect(seen).toEqual(['every time', 'once', 'until aborted'])
    expect(store.listenerCount('change')).toBe(0)
  })

  test('that was for one event only can be added again', async () => {
    const store = await openStore()
    let told = 0
    const listener = (): void => {
      told += 1
    }
    for (let round = 1; round <= 2; round++) {
      store.addEventListener('change', listener, { once: true })
      await store.put(key('/k'), encode('1'))
      await store.put(key('/k'), encode('2'))
      expect(told).toBe(round)
    }
  })

  test('that is added twice is told once', async () => {
    const store = await openStore()
    let told = 0
    const listener = (): void => {
      told += 1
    }
    store.addEventListener('change', listener)
    store.addEventListener('change', listener)
    await store.put(key('/k'), encode('1'))
    expect(told).toBe(1)
    store.removeEventListener('change', listener)
    store.removeEventListener('change', () => {})
    store.removeEventListener('change', null)
    await store.put(key('/k'), encode('2'))
    expect(told).toBe(1)
  })

  test('hears of nothing after close', async () => {
    const peer = new RemotePeer()
    const store = await openStore({ broadcaster: peer, topic: 'test' })
    const events = listen(store)
    const node = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('1') }] })
    peer.say(node)
    await store.close()
    const before = events.length
    peer.say(node)
    await store.stop()
    expect(events).toHaveLength(before)
  })
})

test('a guarded target takes null for a listener, as an EventTarget does', () => {
  const target = new GuardedEventTarget(() => {})
  target.addEventListener('change', null)
  expect(target.listenerCount('change')).toBe(0)
})
