// The composition root: options that are no limits, namespaces, topics, start and stop, and that nothing is left.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { blockIdFromCid, cidFromBlockId } from '../src/codec/block-id.ts'
import {
  type BlockExchange,
  type CrdtDatastore,
  type CrdtDatastoreInit,
  createCrdtDatastore,
  type ReplicaView
} from '../src/index.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { ManualClock } from './storage/manual-clock.ts'
import { openLevel, openStore } from './storage/open-store.ts'
import { RemotePeer, remoteNode } from './storage/remote-peer.ts'
import { checkStore, contentOf } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

/** An exchange without peers, which knows whether it runs. */
class LonelyExchange implements BlockExchange {
  starts = 0
  stops = 0
  view: ReplicaView | undefined

  async start(replica: ReplicaView): Promise<void> {
    this.starts += 1
    this.view = replica
  }

  async stop(): Promise<void> {
    this.stops += 1
  }

  async *fetch(): AsyncGenerator<never> {}

  peers(): string[] {
    return []
  }
}

/** The parts of interface-blockstore that a store uses, as Helia 7 has them: `get` is an async generator. */
class MapBlockstore {
  readonly blocks = new Map<string, Uint8Array>()
  broken = false

  async *get(cid: { toString(): string }): AsyncGenerator<Uint8Array> {
    const block = this.blocks.get(cid.toString())
    if (block === undefined) throw Object.assign(new Error('gone'), { name: 'NotFoundError' })
    yield block.subarray(0, 5)
    yield block.subarray(5)
  }

  async put(cid: { toString(): string }, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new RangeError('the blockstore is broken')
    this.blocks.set(cid.toString(), bytes)
  }
}

describe('options', () => {
  const datastore = new MemoryDatastore()
  const bad: Record<string, Record<string, unknown>> = {
    'no datastore': { datastore: undefined },
    'a datastore without batches': { datastore: { get() {}, put() {}, delete() {}, query() {} } },
    'no object for a datastore': { datastore: null },
    'a namespace without a slash': { namespace: 'crdt' },
    'a namespace that ends in one': { namespace: '/crdt/' },
    'the root for a namespace': { namespace: '/' },
    'an empty topic': { topic: '' },
    'a topic that is no text': { topic: 7 },
    'a libp2p that is none': { libp2p: {}, topic: 't' },
    'a broadcaster that is none': { broadcaster: { start() {} }, topic: 't' },
    'a block fetcher that is none': { blockFetcher: {}, libp2p: {}, topic: 't' },
    'a block fetcher and nobody to hear of blocks from': { blockFetcher: { fetch() {} }, topic: 't' },
    'an exchange that is none': { exchange: () => {}, topic: 't' },
    'a blockstore without get': { blockstore: { put() {} } },
    'an allowPeer that is a list': { allowPeer: ['peer'] },
    'an atomicBatch that is a number': { atomicBatch: 1 },
    'a durability nobody has': { durability: 'flush' },
    'a coalesce that is a text': { coalesce: 'yes' },
    'a start that is a number': { start: 0 },
    'a logger that is a function': { logger: () => {} },
    'a clock without timers': { clock: { now: () => 0 } },
    'a random that is a number': { random: 4 },
    'durability fsync where the datastore cannot': { durability: 'fsync' },
    'an option nobody knows': { namespaces: '/crdt' },
    'an option that every object has': { constructor: 1 }
  }

  test.each(Object.entries(bad))('%s is refused by name', async (_name, given) => {
    const [option] = Object.keys(given)
    const creating = createCrdtDatastore({
      datastore,
      start: false,
      ...given
    } as unknown as CrdtDatastoreInit)
    await expect(creating).rejects.toMatchObject({ name: 'InvalidOptionError', option })
    await expect(creating).rejects.toThrow(`Option ${option} is`)
  })

  test.each([
    ['broadcaster', { broadcaster: new RemotePeer() }],
    ['exchange', { exchange: new LonelyExchange() }]
  ])('a %s without a topic is refused by name', async (_name, given) => {
    await expect(createCrdtDatastore({ datastore, ...given })).rejects.toMatchObject({
      name: 'InvalidOptionError',
      option: 'topic'
    })
  })

  test('an option that is undefined is not given', async () => {
    const store = await openStore({
      topic: undefined,
      linksMax: undefined,
      coalesce: undefined,
      clock: undefined
    })
    expect(store.isStarted()).toBe(true)
  })

  test('what is refused has touched nothing', async () => {
    const faulty = new FaultyDatastore()
    await expect(createCrdtDatastore({ datastore: faulty, linksMax: 0 })).rejects.toThrow('linksMax')
    expect(faulty).toMatchObject({ reads: 0, writes: 0 })
  })
})

describe('before start', () => {
  test('nothing runs and nothing is read', async () => {
    const datastore = new FaultyDatastore()
    const clock = new ManualClock()
    const broadcaster = new RemotePeer()
    const exchange = new LonelyExchange()
    const store = await openStore({ datastore, clock, broadcaster, exchange, topic: 't', start: false })
    expect(store.isStarted()).toBe(false)
    expect(datastore).toMatchObject({ reads: 0, writes: 0 })
    expect([clock.openTimers, broadcaster.starts, exchange.starts]).toEqual([0, 0, 0])
    await expectEveryMethodToThrow(store, 'NotStartedError')
    await store.start()
    expect(store.isStarted()).toBe(true)
    expect([broadcaster.starts, exchange.starts]).toEqual([1, 1])
  })

  test('close is for good', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, start: false })
    await store.close()
    await expect(store.start()).rejects.toMatchObject({ name: 'ClosedError' })
    await expectEveryMethodToThrow(store, 'ClosedError')
    expect(datastore).toMatchObject({ reads: 0, writes: 0 })
  })

  test('stop does nothing', async () => {
    const store = await openStore({ start: false })
    await store.stop()
    await store.start()
    await store.put(key('/k'), encode('1'))
  })
})

describe('start and stop', () => {
  test('twice is as good as once', async () => {
    const broadcaster = new RemotePeer()
    const store = await openStore({ broadcaster, topic: 't' })
    await store.start()
    expect(broadcaster.starts).toBe(1)
    await store.stop()
    await store.stop()
    await store.close()
    await store.close()
    expect(broadcaster.stops).toBe(1)
  })

  test('in any order at once end where the last call said', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, start: false })
    await Promise.all([
      store.start(),
      store.stop(),
      store.start(),
      store.start(),
      store.stop(),
      store.start()
    ])
    expect(store.isStarted()).toBe(true)
    await store.put(key('/k'), encode('1'))
    await Promise.allSettled([store.stop(), store.start(), store.close()])
    expect(store.isStarted()).toBe(false)
    await expect(store.start()).rejects.toMatchObject({ name: 'ClosedError' })
  })

  test('a store that was stopped can be started again and has everything', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    await store.put(key('/k'), encode('1'))
    const before = { heads: await store.heads(), digest: await store.digest() }
    await store.stop()
    await expectEveryMethodToThrow(store, 'NotStartedError')
    await store.start()
    expect({ heads: await store.heads(), digest: await store.digest() }).toEqual(before)
    await store.put(key('/k'), encode('2'))
    expect((await store.heads())[0]?.priority).toBe(2n)
    await checkStore(store, datastore)
  })

  test('after close everything is a ClosedError', async () => {
    const store = await openStore()
    await store.close()
    await expectEveryMethodToThrow(store, 'ClosedError')
  })

  test('no timer and no listener is left after close', async () => {
    const clock = new ManualClock()
    const broadcaster = new RemotePeer()
    const exchange = new LonelyExchange()
    const store = await openStore({ clock, broadcaster, exchange, topic: 't' })
    const missing = await remoteNode({ priority: 1n })
    // A branch that nobody can complete, so that fetching and patience are under way, and a node to relay.
    broadcaster.say(await remoteNode({ priority: 2n, links: [missing.id] }))
    broadcaster.say(await remoteNode({ priority: 9n, elements: [{ key: '/r', value: encode('1') }] }))
    await store.put(key('/k'), encode('1'))
    clock.advance(100)
    expect(clock.openTimers).toBeGreaterThan(0)
    await store.close()
    expect(clock.openTimers).toBe(0)
    expect([broadcaster.stops, exchange.stops]).toEqual([1, 1])
  })

  test('no timer of the real clock keeps the process alive, before close and after it', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const broadcaster = new RemotePeer()
    const store = await openStore({ broadcaster, exchange: new LonelyExchange(), topic: 't' })
    const missing = await remoteNode({ priority: 1n })
    broadcaster.say(await remoteNode({ priority: 2n, links: [missing.id] }))
    await store.put(key('/k'), encode('1'))
    await store.put(key('/k'), encode('2'))
    expect(timers()).toBe(before)
    await store.close()
    expect(timers()).toBe(before)
  })

  test('a start that fails leaves nothing running, and can be tried again', async () => {
    const clock = new ManualClock()
    const exchange = new LonelyExchange()
    const broadcaster = new RemotePeer()
    const start = broadcaster.start.bind(broadcaster)
    broadcaster.start = async () => {
      throw new RangeError('no gossip')
    }
    const store = await openStore({ clock, exchange, broadcaster, topic: 't', start: false })
    await expect(store.start()).rejects.toThrow('no gossip')
    expect(store.isStarted()).toBe(false)
    expect([exchange.starts, exchange.stops, clock.openTimers]).toEqual([1, 1, 0])
    broadcaster.start = start
    await store.start()
    await store.put(key('/k'), encode('1'))
  })

  test('a network that fails to stop is reported, and the store ends all the same', async () => {
    const clock = new ManualClock()
    const datastore = new FaultyDatastore()
    const exchange = new LonelyExchange()
    const broadcaster = new RemotePeer()
    broadcaster.stop = async () => {
      throw new RangeError('cannot leave')
    }
    const store = await openStore({ clock, datastore, exchange, broadcaster, topic: 't' })
    const release = datastore.holdWrites()
    const asked = datastore.nextWrite()
    const put = store.put(key('/k'), encode('1'))
    await asked
    const closing = store.close()
    const other = createCrdtDatastore({ datastore })
    await expect(other, 'the commit is not done yet').rejects.toMatchObject({ name: 'NamespaceInUseError' })
    release()
    await expect(closing).rejects.toThrow('cannot leave')
    await put
    expect([exchange.stops, clock.openTimers]).toEqual([1, 0])
    expect(await contentOf(await openStore({ datastore }))).toEqual({ '/k': '1' })
  })
})

describe('close during a put', () => {
  test('each put is acknowledged and kept, or rejected and not made', async () => {
    const outcomes = new Set<string>()
    // Closing a little later each time meets the puts at every stage of their way.
    for (let turns = 0; turns < 60; turns++) {
      const datastore = new MemoryDatastore()
      const store = await openStore({ datastore, commitOperationsMax: 1 })
      const kept: Record<string, string> = {}
      const puts = ['/a', '/b', '/c'].map((name) =>
        store.put(key(name), encode('1')).then(
          () => {
            kept[name] = '1'
            outcomes.add('acknowledged')
          },
          (error: Error) => outcomes.add(error.name)
        )
      )
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      await store.close()
      await Promise.all(puts)
      const again = await openStore({ datastore })
      expect(await contentOf(again)).toEqual(kept)
      await checkStore(again, datastore)
    }
    expect([...outcomes].sort()).toEqual(['ClosedError', 'acknowledged'])
  })

  test('finishes the commit that is under way and rejects what waits', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    const release = datastore.holdWrites()
    const asked = datastore.nextWrite()
    const first = store.put(key('/first'), encode('1'))
    await asked
    const second = store.put(key('/second'), encode('2'))
    const closing = store.close()
    await expect(second).rejects.toMatchObject({ name: 'ClosedError' })
    release()
    await first
    await closing
    expect(await contentOf(await openStore({ datastore }))).toEqual({ '/first': '1' })
  })
})

describe('namespaces', () => {
  test('in one datastore do not see each other', async () => {
    const datastore = new MemoryDatastore()
    const one = await openStore({ datastore, namespace: '/one' })
    const other = await openStore({ datastore, namespace: '/one-more', topic: 'other' })
    await one.put(key('/k'), encode('one'))
    await other.put(key('/k'), encode('other'))
    await other.put(key('/l'), encode('other'))
    await one.delete(key('/l'))
    expect(await contentOf(one)).toEqual({ '/k': 'one' })
    expect(await contentOf(other)).toEqual({ '/k': 'other', '/l': 'other' })
    await checkStore(one, datastore, '/one')
    await checkStore(other, datastore, '/one-more')
  })

  test.each([
    ['/crdt', '/crdt'],
    ['/crdt', '/crdt/below'],
    ['/crdt/below', '/crdt']
  ])('%s and %s overlap, so the second is refused by name', async (first, second) => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, namespace: first })
    const opening = createCrdtDatastore({ datastore, namespace: second })
    await expect(opening).rejects.toMatchObject({ name: 'NamespaceInUseError' })
    await expect(opening).rejects.toThrow(`"${first}"`)
    await expect(opening).rejects.toThrow(`"${second}"`)
    await store.put(key('/k'), encode('1'))
    await store.close()
    await openStore({ datastore, namespace: second })
  })

  test('a start that failed gives its namespace free', async () => {
    const datastore = new FaultyDatastore()
    datastore.failRead = () => true
    await expect(createCrdtDatastore({ datastore })).rejects.toMatchObject({ name: 'DatastoreOpenError' })
    datastore.mendDisk()
    await openStore({ datastore })
  })
})

describe('topics', () => {
  test('a store refuses to be opened under another topic, and writes nothing', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, topic: 'one' })
    await store.put(key('/k'), encode('1'))
    await store.close()
    const { writes } = datastore
    const opening = createCrdtDatastore({ datastore, topic: 'two' })
    await expect(opening).rejects.toMatchObject({ name: 'TopicMismatchError' })
    await expect(opening).rejects.toThrow('"one"')
    expect(datastore.writes).toBe(writes)
    expect(await contentOf(await openStore({ datastore, topic: 'one' }))).toEqual({ '/k': '1' })
  })

  test('an offline store takes the first topic that it is opened under, and may be opened without one', async () => {
    const datastore = new MemoryDatastore()
    for (const topic of [undefined, 'one', undefined, 'one']) {
      const store = await createCrdtDatastore({ datastore, topic })
      await store.close()
    }
    await expect(createCrdtDatastore({ datastore, topic: 'two' })).rejects.toMatchObject({
      name: 'TopicMismatchError'
    })
  })
})

describe('durability', () => {
  test("'fsync' works on LevelDB", async () => {
    const datastore = await openLevel()
    const store = await openStore({ datastore, durability: 'fsync' })
    await store.put(key('/k'), encode('1'))
    expect(await contentOf(store)).toEqual({ '/k': '1' })
  })
})

describe('a blockstore of its own', () => {
  test('has every block, durable before its commit', async () => {
    const blockstore = new MapBlockstore()
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, blockstore })
    datastore.failWrite = () => {
      expect(blockstore.blocks.size).toBe(1)
      return undefined
    }
    await store.put(key('/k'), encode('1'))
    datastore.mendDisk()
    await store.put(key('/k'), encode('2'))
    expect([...blockstore.blocks.keys()]).toContain((await store.heads())[0]?.cid.toString())
  })

  test('is told not to ask others, and what it then lacks is not there, by whatever name', async () => {
    const asked: unknown[] = []
    for (const name of ['NotFoundError', 'BlockNotFoundWhileOfflineError']) {
      const datastore = new MemoryDatastore()
      const blockstore = new MapBlockstore()
      const store = await openStore({ datastore, blockstore })
      await store.put(key('/k'), encode('1'))
      const lost = {
        get: (_cid: unknown, options: unknown) => {
          asked.push(options)
          throw Object.assign(new Error('gone'), { name })
        },
        put: () => {}
      }
      await store.close()
      const without = await openStore({ datastore, blockstore: lost })
      await expect(drain(without.dag.traverse())).rejects.toMatchObject({ name: 'CorruptRowError' })
    }
    expect(asked).not.toEqual([])
    expect(asked).toEqual(asked.map(() => expect.objectContaining({ offline: true })))
  })

  test('that fails is a CommitFailedError, nothing changes, and it can be tried again', async () => {
    const blockstore = new MapBlockstore()
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, blockstore })
    await store.put(key('/k'), encode('1'))
    const rows = datastore.rows()
    blockstore.broken = true
    const put = store.put(key('/k'), encode('2'))
    await expect(put).rejects.toMatchObject({ name: 'CommitFailedError', cause: { name: 'RangeError' } })
    expect(datastore.rows()).toEqual(rows)
    blockstore.broken = false
    await store.put(key('/k'), encode('3'))
    expect(await contentOf(store)).toEqual({ '/k': '3' })
  })

  test('gives the values of older versions back when a newer one is deleted elsewhere', async () => {
    const broadcaster = new RemotePeer()
    const store = await openStore({ blockstore: new MapBlockstore(), broadcaster, topic: 't' })
    await store.put(key('/k'), encode('older'))
    const newer = await remoteNode({ priority: 5n, elements: [{ key: '/k', value: encode('newer') }] })
    broadcaster.say(newer)
    broadcaster.say(
      await remoteNode({ priority: 6n, tombstones: [{ key: '/k', id: newer.id }], links: [newer.id] })
    )
    await store.waitForSync()
    expect(await contentOf(store)).toEqual({ '/k': 'older' })
  })
})

describe('a blockstore that serves two topics', () => {
  test('does not lead to a peer of one being served the blocks of the other', async () => {
    const blockstore = new MapBlockstore()
    const open = async (topic: string) => {
      const [exchange, broadcaster] = [new LonelyExchange(), new RemotePeer()]
      const store = await openStore({ blockstore, exchange, broadcaster, topic })
      return { store, broadcaster, view: exchange.view as ReplicaView }
    }
    const [red, blue] = [await open('red'), await open('blue')]
    const head = async ({ store }: typeof red): Promise<string> =>
      blockIdFromCid((await store.heads())[0]!.cid) as string
    await red.store.put(key('/red'), encode('1'))
    await blue.store.put(key('/blue'), encode('2'))
    const [ofRed, ofBlue] = [await head(red), await head(blue)]
    expect(blockstore.blocks.size).toBe(2)
    expect(await red.view.appliedBlock(ofRed)).toBeDefined()
    expect(await red.view.appliedBlock(ofBlue)).toBeUndefined()
    expect(await blue.view.appliedBlock(ofRed)).toBeUndefined()
    // Nor is what was received and is not applied, wherever it is kept.
    const missing = await remoteNode({ priority: 1n })
    const waiting = await remoteNode({ priority: 2n, links: [missing.id] })
    await blockstore.put(cidFromBlockId(missing.id), missing.bytes)
    red.broadcaster.say(waiting)
    await red.store.put(key('/red'), encode('3'))
    expect((await red.store.stats()).pending).toBe(1)
    for (const id of [missing.id, waiting.id]) expect(await red.view.appliedBlock(id)).toBeUndefined()
  })
})

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

async function expectEveryMethodToThrow(store: CrdtDatastore, name: string): Promise<void> {
  const value = encode('1')
  const calls: Record<string, () => unknown> = {
    put: () => store.put(key('/k'), value),
    putMany: () => drain(store.putMany([{ key: key('/k'), value }])),
    get: () => store.get(key('/k')),
    getMany: () => drain(store.getMany([key('/k')])),
    has: () => store.has(key('/k')),
    getSize: () => store.getSize(key('/k')),
    delete: () => store.delete(key('/k')),
    deleteMany: () => drain(store.deleteMany([key('/k')])),
    batch: async () => store.batch(),
    query: () => drain(store.query({})),
    queryKeys: () => drain(store.queryKeys({})),
    heads: () => store.heads(),
    digest: () => store.digest(),
    stats: () => store.stats(),
    waitForSync: () => store.waitForSync(),
    sync: () => store.sync()
  }
  for (const [method, call] of Object.entries(calls)) {
    await expect(call(), method).rejects.toMatchObject({ name })
  }
}

// Left over by a test, it would be told to another one.
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
process.on('unhandledRejection', onUnhandled)
afterEach(() => {
  expect(unhandled).toEqual([])
})

test('a node without gossipsub will do where a broadcaster and an exchange are given in place of both', async () => {
  const libp2p = {
    ...{ peerId: { toString: () => 'peer' }, getConnections: () => [], handle: async () => {} },
    ...{ unhandle: async () => {}, register: async () => 'id', unregister: () => {} },
    ...{ addEventListener: () => {}, removeEventListener: () => {} }
  }
  const exchange: BlockExchange = {
    start: async () => {},
    stop: async () => {},
    async *fetch() {},
    peers: () => []
  }
  const init = { datastore: new MemoryDatastore(), libp2p, topic: 'test' }
  await expect(createCrdtDatastore(init)).rejects.toThrow(/pubsub/)
  const store = await createCrdtDatastore({ ...init, broadcaster: new RemotePeer(), exchange })
  const { sync, broadcast } = await store.stats()
  expect({ sync, broadcast }).toEqual({ sync: undefined, broadcast: undefined })
  await store.close()
})
