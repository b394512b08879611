// Two nodes over loopback, of the same generation of libp2p or of one each, with fake replicas behind the exchanges.
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  gossipsubBroadcaster,
  SYNC_PROTOCOL,
  type SyncExchangeInit,
  syncExchange
} from '../../src/libp2p/index.ts'
import { FakeReplica } from './fake-replica.ts'
import { type Generation, PAIRINGS, type RealNode } from './generations.ts'

// Sockets and a busy machine take their time; no test waits for anything else.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const cleanUp: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

async function start(generation: Generation): Promise<RealNode> {
  const node = await generation.create()
  cleanUp.push(node.stop)
  return node
}

async function store(node: RealNode, replica = new FakeReplica(), init: Partial<SyncExchangeInit> = {}) {
  const exchange = syncExchange(node, { topic: 'topic', ...init })
  await exchange.start(replica)
  cleanUp.push(() => exchange.stop())
  return { node, name: node.name, replica, exchange }
}

const waitUntil = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 2 })

const signal = new AbortController().signal

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe.each(PAIRINGS)('$name:', ({ dialled, dialler }) => {
  /** Alice is dialled, Bob dials. */
  const aliceNode = () => start(dialled)
  const bobNode = () => start(dialler)

  /** Two stores, connected and greeted. */
  async function pair(init: { alice?: Partial<SyncExchangeInit>; bob?: Partial<SyncExchangeInit> } = {}) {
    const alice = await store(await aliceNode(), new FakeReplica(), init.alice)
    const bob = await store(await bobNode(), new FakeReplica(), init.bob)
    await bob.node.connect(alice.node)
    await waitUntil(() => alice.exchange.peers().length > 0 && bob.exchange.peers().length > 0)
    return { alice, bob }
  }

  describe('two nodes', () => {
    test('say hello to each other on connect, and each hears what the other has', async () => {
      const alice = await store(await aliceNode())
      const bob = await store(await bobNode())
      await alice.replica.writeMany('a', 3)
      bob.replica.gaps = 7
      await bob.node.connect(alice.node)
      await waitUntil(() => alice.replica.claims.length > 0 && bob.replica.claims.length > 0)
      expect(bob.replica.claims[0]).toEqual({
        peer: alice.name,
        claim: { ...alice.replica.snapshot(), headsLeftOut: 0 }
      })
      expect(alice.replica.claims[0]!.claim).toMatchObject({ gaps: 7, sequence: 0 })
      expect(alice.exchange.peers()).toEqual([bob.name])
      expect(bob.exchange.canPull(alice.name)).toBe(true)
      expect(alice.exchange.counters).toMatchObject({ hellos: 1, streams: 1, helloFailures: 0 })
      expect(bob.exchange.counters).toMatchObject({ hellos: 1, streams: 1, helloFailures: 0 })
    })

    test('a store that starts on connected nodes says hello by itself', async () => {
      const alice = await aliceNode()
      const bob = await bobNode()
      const early = await store(alice)
      await alice.connect(bob)
      const late = await store(bob)
      await waitUntil(() => late.exchange.peers().length > 0 && early.exchange.peers().length > 0)
      expect(early.replica.claims.map(({ peer }) => peer)).toEqual([late.name])
    })

    test('an empty replica pulls everything, ancestors first, in the stream that said hello', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 500)
      const received = await collect(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      expect(received.map(({ bytes }) => bytes)).toEqual(alice.replica.log.map(({ bytes }) => bytes))
      expect(received[0]!.from).toBe(alice.name)
      expect(bob.exchange.counters).toMatchObject({ streams: 1, rounds: 0, blocksIn: 500 })
      expect(alice.exchange.counters.blocksOut).toBe(500)
    })

    test('large blocks and many bytes arrive whole, at the pace of a slow consumer', async () => {
      const { alice, bob } = await pair()
      for (let index = 0; index < 6; index++) await alice.replica.write(`large${index}`, { size: 2_000_000 })
      let most = 0
      let count = 0
      for await (const { bytes } of bob.exchange.pull({ peer: alice.name, want: [], signal })) {
        if (count === 1) await new Promise((resolve) => setTimeout(resolve, 100))
        expect(Buffer.compare(bytes, alice.replica.log[count++]!.bytes)).toBe(0)
        most = Math.max(most, alice.exchange.counters.blocksOut - count)
      }
      expect(count).toBe(6)
      expect(most).toBeLessThan(6)
    })

    test('after a partition only what is new travels', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('common', 2000)
      bob.replica.copyFrom(alice.replica)
      await alice.replica.writeMany('a', 10)
      await bob.replica.writeMany('b', 10)
      const before = alice.exchange.counters
      const received = await bob.replica.applyAll(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      const after = alice.exchange.counters
      expect(alice.replica.ids().every((id) => bob.replica.has(id))).toBe(true)
      expect(received).toBeLessThan(40)
      expect(after.bytesOut + after.bytesIn - before.bytesOut - before.bytesIn).toBeLessThan(10_000)
      expect(bob.exchange.counters.rounds).toBeLessThanOrEqual(2)
    })

    test('a replica that is only behind gets just what it lacks, in one round', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('common', 1000)
      bob.replica.copyFrom(alice.replica)
      await alice.replica.writeMany('a', 100)
      const received = await collect(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      expect(received).toHaveLength(100)
      expect(bob.exchange.counters.rounds).toBe(0)
    })

    test('blocks by id come from the peer that has them, and only applied ones', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 300)
      const absent = await new FakeReplica().write('elsewhere')
      const ids = [...alice.replica.ids().slice(50, 250), absent]
      const received = await collect(bob.exchange.fetch(ids, { peers: [], signal }))
      expect(received).toHaveLength(200)
      expect(new Set(received.map(({ bytes }) => bytes.length)).size).toBeGreaterThan(0)
    })

    test('a pull that is aborted in the middle ends at once, and its stream with it', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 3000)
      const controller = new AbortController()
      const pulling = (async () => {
        for await (const _ of bob.exchange.pull({ peer: alice.name, want: [], signal: controller.signal })) {
          controller.abort(new Error('enough'))
        }
      })()
      await expect(pulling).rejects.toThrow('enough')
      await waitUntil(() => alice.node.syncStreams() === 0 && bob.node.syncStreams() === 0)
      await waitUntil(() => alice.exchange.counters.streamsOpen === 0)
    })

    test('an interrupted first pull goes on where it was', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 3000)
      for await (const { bytes } of bob.exchange.pull({ peer: alice.name, want: [], signal })) {
        await bob.replica.apply(bytes)
        if (bob.replica.log.length === 2000) break
      }
      const rest = await bob.replica.applyAll(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      expect(bob.replica.ids()).toEqual(alice.replica.ids())
      expect(rest).toBeLessThan(2000)
    })

    test('a peer that goes away in the middle ends the pull with an error', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 3000)
      const pulling = (async () => {
        for await (const _ of bob.exchange.pull({ peer: alice.name, want: [], signal })) {
          await alice.node.stop()
        }
      })()
      await expect(pulling).rejects.toMatchObject({ name: 'SyncError', peer: alice.name })
      await waitUntil(() => bob.replica.left.includes(alice.name))
      expect(bob.exchange.peers()).toEqual([])
      expect(bob.exchange.canPull(alice.name)).toBe(false)
    })

    test('peers that meet again say hello again', async () => {
      const { alice, bob } = await pair()
      await bob.node.hangUp(alice.node)
      await waitUntil(() => alice.replica.left.length === 1 && bob.replica.left.length === 1)
      await bob.node.connect(alice.node)
      await waitUntil(() => alice.replica.claims.length === 2 && bob.replica.claims.length === 2)
    })

    test('what was written between a hello and a subscription, which gossip did not carry, is told', async () => {
      const { alice, bob } = await pair()
      const subscribers = ({ pubsub }: RealNode) => pubsub.getSubscribers('topic').length
      // Whoever dialled, and so whoever opened the stream of the hello.
      for (const [writer, reader] of [
        [alice, bob],
        [bob, alice]
      ] as const) {
        const head = await writer.replica.write(writer.name)
        reader.node.pubsub.subscribe('topic')
        await waitUntil(() =>
          reader.replica.claims.some(({ claim }) => claim.heads.some(({ id }) => id === head))
        )
      }
      await waitUntil(() => alice.exchange.counters.hellos === 3 && bob.exchange.counters.hellos === 3)
      bob.node.pubsub.unsubscribe('topic')
      await waitUntil(() => subscribers(alice.node) === 0)
      bob.node.pubsub.subscribe('topic')
      await waitUntil(() => subscribers(alice.node) === 1)
      // A round trip later another hello would have come.
      await collect(alice.exchange.pull({ peer: bob.name, want: [], signal }))
      expect(alice.exchange.counters.hellos).toBe(3)
    })

    test('after stop there is no handler, no stream and no peer, and it can start again', async () => {
      const { alice, bob } = await pair()
      await bob.exchange.stop()
      expect(bob.node.protocols()).not.toContain(SYNC_PROTOCOL)
      await waitUntil(() => alice.node.syncStreams() === 0 && bob.node.syncStreams() === 0)
      expect(bob.exchange.peers()).toEqual([])
      expect(() => bob.exchange.pull({ peer: alice.name, want: [], signal })).toThrow('not started')
      await bob.exchange.stop()
      await bob.exchange.start(bob.replica)
      await waitUntil(() => bob.exchange.peers().length === 1)
    })

    test('a stop in the middle of a pull and of serving one is prompt', async () => {
      const { alice, bob } = await pair()
      await alice.replica.writeMany('a', 3000)
      let stopped = false
      const pulling = (async () => {
        for await (const _ of bob.exchange.pull({ peer: alice.name, want: [], signal })) {
          if (stopped) continue
          stopped = true
          await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
        }
      })()
      await expect(pulling).rejects.toMatchObject({ name: 'SyncError' })
      await waitUntil(() => alice.node.syncStreams() === 0 && bob.node.syncStreams() === 0)
    })
  })

  describe('who is served', () => {
    test('two topics on one node know nothing of each other', async () => {
      const alice = await aliceNode()
      const bob = await bobNode()
      const [aliceRed, aliceBlue] = [
        await store(alice, new FakeReplica(), { topic: 'red' }),
        await store(alice, new FakeReplica(), { topic: 'blue' })
      ]
      const bobRed = await store(bob, new FakeReplica(), { topic: 'red' })
      await aliceRed.replica.writeMany('red', 3)
      await aliceBlue.replica.writeMany('blue', 4)
      await bob.connect(alice)
      await waitUntil(() => bobRed.exchange.peers().length > 0 && aliceRed.exchange.peers().length > 0)
      expect(aliceBlue.exchange.peers()).toEqual([])
      const received = await collect(bobRed.exchange.pull({ peer: aliceRed.name, want: [], signal }))
      expect(received).toHaveLength(3)
      const blue = aliceBlue.replica.ids()
      expect(await collect(bobRed.exchange.fetch(blue, { peers: [aliceRed.name], signal }))).toEqual([])
      await aliceRed.exchange.stop()
      expect(alice.protocols()).toContain(SYNC_PROTOCOL)
    })

    test('two stores of one topic cannot share a node', async () => {
      const node = await bobNode()
      await store(node)
      await expect(store(node)).rejects.toMatchObject({ name: 'InvalidOptionError', option: 'topic' })
    })

    test('a topic that the other side does not have is refused, and not asked for again', async () => {
      const alice = await store(await aliceNode(), new FakeReplica(), { topic: 'red' })
      const bob = await store(await bobNode(), new FakeReplica(), {
        topic: 'blue',
        limits: { helloRetryMs: 10 }
      })
      await bob.node.connect(alice.node)
      await waitUntil(() => bob.exchange.counters.helloFailures === 1)
      const failure = collect(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      await expect(failure).rejects.toMatchObject({ name: 'SyncError', reason: 'unknown-topic' })
      expect(bob.exchange.counters.helloFailures).toBe(1)
    })

    test('a peer that is not allowed is neither served nor asked', async () => {
      const alice = await store(await aliceNode(), new FakeReplica(), { allowPeer: () => false })
      const bob = await store(await bobNode())
      await alice.replica.writeMany('a', 3)
      await bob.node.connect(alice.node)
      await waitUntil(() => alice.exchange.counters.refusedPeers === 1)
      await waitUntil(() => bob.exchange.counters.helloFailures === 1)
      expect(alice.replica.claims).toEqual([])
      expect(bob.replica.claims).toEqual([])
      const failure = collect(bob.exchange.pull({ peer: alice.name, want: [], signal }))
      await expect(failure).rejects.toMatchObject({ reason: 'not-allowed' })
      await expect(collect(alice.exchange.pull({ peer: bob.name, want: [], signal }))).rejects.toMatchObject({
        name: 'SyncError'
      })
      expect(alice.exchange.counters.streams).toBe(0)
    })

    test('streams beyond the cap are refused, and those within it go on', async () => {
      const { alice, bob } = await pair({ alice: { limits: { syncStreamsPerPeerMax: 2 } } })
      await alice.replica.writeMany('a', 2000)
      const results = await Promise.allSettled(
        Array.from({ length: 4 }, () => collect(bob.exchange.pull({ peer: alice.name, want: [], signal })))
      )
      const refused = results.filter(({ status }) => status === 'rejected')
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.length).toBeLessThan(4)
      for (const { reason } of refused as PromiseRejectedResult[])
        expect(reason).toMatchObject({ reason: 'busy' })
      expect(alice.exchange.counters.refusedStreams).toBe(refused.length)
    })
  })

  describe('gossip', () => {
    test('reaches those on the topic and allowed, under the name of who signed it, and nobody else', async () => {
      const [alice, bob, carol] = [await aliceNode(), await bobNode(), await bobNode()]
      const heard = new Map<string, string[]>()
      const listen = async (
        name: string,
        node: RealNode,
        init: { topic: string; allowPeer?: () => boolean }
      ) => {
        const broadcaster = gossipsubBroadcaster(node, init)
        const messages: string[] = []
        heard.set(name, messages)
        await broadcaster.start((message, from) =>
          messages.push(`${new TextDecoder().decode(message)} ${from}`)
        )
        cleanUp.push(() => broadcaster.stop())
        return broadcaster
      }
      const speaker = await listen('alice', alice, { topic: 'topic' })
      await speaker.broadcast(new TextEncoder().encode('alone'))
      expect(speaker.counters).toMatchObject({ sent: 0, unheard: 1 })
      await listen('alice elsewhere', alice, { topic: 'other' })
      await listen('bob', bob, { topic: 'topic' })
      await listen('bob elsewhere', bob, { topic: 'other' })
      const deaf = await listen('carol', carol, { topic: 'topic', allowPeer: () => false })
      await bob.connect(alice)
      await carol.connect(alice)
      await waitUntil(() => alice.pubsub.getSubscribers('topic').length === 2)
      await speaker.broadcast(new TextEncoder().encode('hello'))
      await waitUntil(() => heard.get('bob')!.length === 1 && deaf.counters.refused === 1)
      expect(Object.fromEntries(heard)).toEqual({
        alice: [],
        'alice elsewhere': [],
        bob: [`hello ${alice.name}`],
        'bob elsewhere': [],
        carol: []
      })
    })
  })
})
