// Watching as it happens: every change after its commit, in commit order, with the old and the new value; who is told
// of what; and every way in which a watch ends.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { Change, CrdtDatastore } from '../src/index.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'
import { RemotePeer, remoteNode } from './storage/remote-peer.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)
const key = (name: string): Key => new Key(name)

async function put(store: CrdtDatastore, name: string, value: string): Promise<void> {
  await store.put(key(name), encode(value))
}

/** What a change says, in short: `/k: old > new`. */
function short({ key, value, previous }: Change): string {
  return `${key}: ${text(previous) ?? '-'} > ${text(value) ?? '-'}`
}

/** The next changes; fails by the test's timeout if there are not so many. */
async function take(changes: AsyncGenerator<Change>, count: number): Promise<Change[]> {
  const taken: Change[] = []
  while (taken.length < count) {
    const { value, done } = await changes.next()
    if (done) expect.fail(`It ended after ${taken.length} of ${count} changes`)
    taken.push(value)
  }
  return taken
}

async function takeShort(changes: AsyncGenerator<Change>, count: number): Promise<string[]> {
  return (await take(changes, count)).map(short)
}

/** The changes until it ends. */
async function rest(changes: AsyncGenerator<Change>): Promise<string[]> {
  const taken: string[] = []
  for await (const change of changes) taken.push(short(change))
  return taken
}

async function openWithPeer(): Promise<{ store: CrdtDatastore; peer: RemotePeer }> {
  const peer = new RemotePeer()
  return { store: await openStore({ broadcaster: peer, topic: 'test' }), peer }
}

describe.each(DATASTORES)('a watch over $name', ({ open }) => {
  test('gives every change in commit order, with the old and the new value', async () => {
    const store = await openStore({ datastore: await open() })
    const changes = store.watch()
    await put(store, '/k', '1')
    await put(store, '/k', '2')
    await put(store, '/other', '1')
    await store.delete(key('/k'))
    await put(store, '/k', '3')
    const taken = await take(changes, 5)
    expect(taken.map(short)).toEqual(['/k: - > 1', '/k: 1 > 2', '/other: - > 1', '/k: 2 > -', '/k: - > 3'])
    expect(taken.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
    for (const change of taken) expect(change).toMatchObject({ origin: 'local' })
    for (const change of taken) expect(change).not.toHaveProperty('replayed')
    expect(taken[3]).not.toHaveProperty('value')
    expect(taken[4]).not.toHaveProperty('previous')
    expect(taken[4]?.key).toBeInstanceOf(Key)
    expect(taken[4]?.value?.constructor).toBe(Uint8Array)
    const [head] = await store.heads()
    expect(taken[4]?.cid.toString()).toBe(head?.cid.toString())
  })

  test('gives one change for each key of a batch, at one sequence number', async () => {
    const store = await openStore({ datastore: await open() })
    await put(store, '/gone', '0')
    const changes = store.watch()
    const batch = store.batch()
    batch.put(key('/b'), encode('1'))
    batch.put(key('/a'), encode('1'))
    batch.put(key('/b'), encode('2'))
    batch.delete(key('/gone'))
    batch.put(key('/never'), encode('1'))
    batch.delete(key('/never'))
    await batch.commit()
    await put(store, '/after', '1')
    const taken = await take(changes, 4)
    expect(taken.map(short)).toEqual(['/b: - > 2', '/a: - > 1', '/gone: 0 > -', '/after: - > 1'])
    expect(taken.map(({ sequence }) => sequence)).toEqual([2, 2, 2, 3])
  })

  test('replays a batch that was divided into several nodes, and resumes between them', async () => {
    const store = await openStore({ datastore: await open(), deltaBytesMax: 1024 })
    const batch = store.batch()
    for (let i = 0; i < 8; i++) batch.put(key(`/${i}`), new Uint8Array(400))
    const live = store.watch()
    await batch.commit()
    const told = (await take(live, 8)).map(({ key, sequence }) => `${key} ${sequence}`)
    expect(told.at(-1)).toBe('/7 4')
    for (let since = 0; since < 4; since++) {
      const replayed = await take(store.watch({ since }), 8 - 2 * since)
      expect(replayed.map(({ key, sequence }) => `${key} ${sequence}`)).toEqual(told.slice(2 * since))
    }
  })
})

describe('a watch begins', () => {
  test('with the call, not with the first wait', async () => {
    const store = await openStore()
    await put(store, '/k', '1')
    const changes = store.watch()
    await put(store, '/k', '2')
    const [change] = await take(changes, 1)
    expect(change).toMatchObject({ sequence: 2, previous: encode('1'), value: encode('2') })
  })

  test('with what is committed after the call, not with a write that was acknowledged before', async () => {
    const store = await openStore()
    await put(store, '/before', '1')
    const changes = store.watch()
    await put(store, '/after', '1')
    expect(await takeShort(changes, 1)).toEqual(['/after: - > 1'])
  })

  test('only on a store that is started', async () => {
    const store = await openStore({ start: false })
    expect(() => store.watch()).toThrow(expect.objectContaining({ name: 'NotStartedError' }))
    await store.start()
    await store.stop()
    expect(() => store.watch({ since: 0 })).toThrow(expect.objectContaining({ name: 'NotStartedError' }))
    await store.close()
    expect(() => store.watch()).toThrow(expect.objectContaining({ name: 'ClosedError' }))
  })
})

describe('who watches', () => {
  test('gets the keys that start with the prefix, as in a query', async () => {
    const store = await openStore()
    const prefixes = ['/a', '/a/', '/ab', '', '/nothing', '/ä']
    const watches = prefixes.map((prefix) => store.watch({ prefix }))
    for (const name of ['/a', '/ab', '/a/b', '/b', '/ä', '/ä/😀']) await put(store, name, '1')
    await store.stop()
    const told = await Promise.all(watches.map(rest))
    expect(told.map((changes) => changes.map((change) => change.split(':')[0]))).toEqual([
      ['/a', '/ab', '/a/b'],
      ['/a/b'],
      ['/ab'],
      ['/a', '/ab', '/a/b', '/b', '/ä', '/ä/😀'],
      [],
      ['/ä', '/ä/😀']
    ])
  })

  test('gets what this replica wrote, or what others did, if one of them was asked for', async () => {
    const { store, peer } = await openWithPeer()
    const [all, local, remote] = [
      store.watch(),
      store.watch({ origin: 'local' }),
      store.watch({ origin: 'remote' })
    ]
    await put(store, '/k', 'mine')
    const node = await remoteNode({ priority: 7n, elements: [{ key: '/k', value: encode('theirs') }] })
    peer.say(node)
    await store.waitForSync()
    await put(store, '/k', 'mine again')
    await store.stop()
    expect(await rest(local)).toEqual(['/k: - > mine', '/k: theirs > mine again'])
    expect(await rest(remote)).toEqual(['/k: mine > theirs'])
    expect(await rest(all)).toHaveLength(3)
  })

  test('is not alone: each goes at its own pace and ends when it likes', async () => {
    const store = await openStore()
    const [fast, slow, short] = [store.watch(), store.watch(), store.watch()]
    for (let i = 0; i < 5; i++) {
      await put(store, '/k', `${i}`)
      expect(await take(fast, 1)).toMatchObject([{ value: encode(`${i}`) }])
      if (i === 2) await short.return(undefined)
    }
    expect((await take(slow, 5)).map(({ value }) => text(value))).toEqual(['0', '1', '2', '3', '4'])
    expect(await short.next()).toEqual({ done: true, value: undefined })
  })

  test('gets a put, not a delete, where a tombstone reveals an older value', async () => {
    const { store, peer } = await openWithPeer()
    const older = await remoteNode({ priority: 1n, elements: [{ key: '/k', value: encode('older') }] })
    const newer = await remoteNode({ priority: 2n, elements: [{ key: '/k', value: encode('newer') }] })
    peer.say(older, newer)
    await store.waitForSync()
    const changes = store.watch()
    const tombstones = [{ key: '/k', id: newer.id }]
    peer.say(await remoteNode({ priority: 3n, tombstones, links: [newer.id] }))
    expect(await take(changes, 1)).toMatchObject([
      { value: encode('older'), previous: encode('newer'), origin: 'remote', sequence: 3 }
    ])
    expect(await takeShort(store.watch({ since: 2 }), 1)).toEqual(['/k: - > older'])
  })

  test('gets what a purge changes, as it happens', async () => {
    const store = await openStore()
    await store.put(key('/gone'), encode('named'), { dagName: 'named' })
    await put(store, '/k', 'unnamed')
    await store.put(key('/k'), encode('named'), { dagName: 'named' })
    const watches = [store.watch(), store.watch({ since: 3 })]
    await store.dag.purge('named')
    await put(store, '/after', '1')
    for (const changes of watches) {
      const taken = await take(changes, 3)
      const purged = taken.slice(0, 2).map(short)
      expect(purged.sort()).toEqual(['/gone: named > -', '/k: named > unnamed'])
      expect(taken.map(({ sequence }) => sequence)).toEqual([3, 3, 4])
    }
  })

  test('can write from within the loop, and sees that too', async () => {
    const store = await openStore()
    const seen: string[] = []
    const changes = store.watch()
    await put(store, '/count', '1')
    for await (const { value } of changes) {
      seen.push(text(value) as string)
      if (seen.length === 5) break
      await put(store, '/count', `${seen.length + 1}`)
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5'])
  })

  test('can read what it is told of, and close the store, from within the loop', async () => {
    const store = await openStore()
    const changes = store.watch()
    await put(store, '/k', '1')
    for await (const { key, value } of changes) {
      expect(await store.get(key)).toEqual(value)
      await store.close()
    }
    expect(store.isStarted()).toBe(false)
  })

  test('is told what was written, whatever becomes of the bytes that were given', async () => {
    const store = await openStore()
    const changes = store.watch()
    const bytes = encode('written')
    await store.put(key('/k'), bytes)
    bytes.fill(0)
    expect(await takeShort(changes, 1)).toEqual(['/k: - > written'])
    expect(text(await store.get(key('/k')))).toBe('written')
  })

  test('holds on to a value, not to the block that it came in', async () => {
    const { store, peer } = await openWithPeer()
    const changes = store.watch({ prefix: '/small' })
    const elements = [
      { key: '/large', value: new Uint8Array(100_000) },
      { key: '/small', value: encode('1') }
    ]
    peer.say(await remoteNode({ priority: 1n, elements }))
    const [change] = await take(changes, 1)
    expect(change?.value?.buffer.byteLength).toBe(1)
  })
})

describe('a watch that is aborted', () => {
  const reason = new RangeError('enough')

  test('before it begins is not begun', async () => {
    const store = await openStore()
    expect(() => store.watch({ signal: AbortSignal.abort(reason) })).toThrow(reason)
  })

  test('before the first wait gives the reason there', async () => {
    const store = await openStore()
    const controller = new AbortController()
    const changes = store.watch({ signal: controller.signal })
    await put(store, '/k', '1')
    controller.abort(reason)
    await expect(changes.next()).rejects.toBe(reason)
    expect((await changes.next()).done).toBe(true)
  })

  test('while it waits gives the reason at once', async () => {
    const store = await openStore()
    const controller = new AbortController()
    const next = store.watch({ signal: controller.signal }).next()
    controller.abort(reason)
    await expect(next).rejects.toBe(reason)
    await put(store, '/k', '1')
  })

  test('between two changes that wait gives the reason, not the second', async () => {
    const store = await openStore()
    const controller = new AbortController()
    const changes = store.watch({ signal: controller.signal })
    await put(store, '/k', '1')
    await put(store, '/k', '2')
    await take(changes, 1)
    controller.abort(reason)
    await expect(changes.next()).rejects.toBe(reason)
  })

  test('between two changes that are replayed gives the reason', async () => {
    const store = await openStore()
    await put(store, '/a', '1')
    await put(store, '/b', '1')
    const controller = new AbortController()
    const changes = store.watch({ since: 0, signal: controller.signal })
    await take(changes, 1)
    controller.abort(reason)
    await expect(changes.next()).rejects.toBe(reason)
  })

  test('while the disk hangs in a replay gives the reason at once', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    await put(store, '/a', '1')
    const controller = new AbortController()
    const changes = store.watch({ since: 0, signal: controller.signal })
    const release = datastore.holdReads()
    const next = changes.next()
    controller.abort(reason)
    await expect(next).rejects.toBe(reason)
    release()
  })

  test('after the store stopped, with changes that still wait, gives the reason', async () => {
    const store = await openStore()
    const controller = new AbortController()
    const changes = store.watch({ signal: controller.signal })
    await put(store, '/k', '1')
    await store.stop()
    controller.abort(reason)
    await expect(changes.next()).rejects.toBe(reason)
  })
})

describe('the end of the store', () => {
  test('ends a watch after what waits was handed over', async () => {
    const store = await openStore()
    const changes = store.watch()
    await put(store, '/a', '1')
    await put(store, '/b', '1')
    await store.close()
    expect(await rest(changes)).toEqual(['/a: - > 1', '/b: - > 1'])
  })

  test('ends one that waits, one that never waited and one that begins with a replay', async () => {
    const store = await openStore()
    await put(store, '/a', '1')
    const [waiting, idle, replaying] = [store.watch(), store.watch(), store.watch({ since: 0 })]
    const next = waiting.next()
    await store.stop()
    expect((await next).done).toBe(true)
    expect(await rest(idle)).toEqual([])
    expect(await rest(replaying)).toEqual([])
  })

  test('and another start leaves it ended: a new one goes on behind the last change', async () => {
    const store = await openStore()
    const before = store.watch()
    await put(store, '/a', '1')
    const [last] = await take(before, 1)
    await store.stop()
    await store.start()
    await put(store, '/b', '1')
    expect(await rest(before)).toEqual([])
    const after = store.watch({ since: last!.sequence })
    expect(await takeShort(after, 1)).toEqual(['/b: - > 1'])
  })

  test('during a put: what was acknowledged is told, at once or after resuming', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    const changes = store.watch()
    await put(store, '/a', '1')
    const release = datastore.holdWrites()
    const writing = put(store, '/b', '1').catch(() => {})
    await datastore.nextWrite()
    const stopping = store.stop()
    release()
    await Promise.all([writing, stopping])
    const told: Change[] = []
    for await (const change of changes) told.push(change)
    await store.start()
    const later = store.watch({ since: told.at(-1)?.sequence ?? 0 })
    await put(store, '/c', '1')
    told.push(...(await take(later, 3 - told.length)))
    expect(told.map(({ key }) => key.toString())).toEqual(['/a', '/b', '/c'])
  })
})

test.each([
  ['origin', { origin: 'Remote' }],
  ['origin', { origin: '' }],
  ['prefix', { prefix: key('/a') }]
])('an option that would silently watch nothing is refused by name: %s %o', async (option, options) => {
  const store = await openStore({ datastore: new FaultyDatastore() })
  expect(() => store.watch(options as never)).toThrow(
    expect.objectContaining({ name: 'InvalidOptionError', option })
  )
})
