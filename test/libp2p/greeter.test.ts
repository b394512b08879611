// Who is greeted when, in a time that the tests make pass.
import { describe, expect, test } from 'vitest'
import { syncExchange } from '../../src/libp2p/index.ts'
import { Greeter } from '../../src/libp2p/sync/greeter.ts'
import { SyncError, type SyncFailure } from '../../src/libp2p/sync/sync-error.ts'
import { defaultLimits } from '../../src/options.ts'
import { FakeLibp2p } from './fake-libp2p.ts'
import { FakeReplica } from './fake-replica.ts'
import { ManualClock, settle } from './manual-clock.ts'

const { helloRetryMs, retryIntervalMsMax, helloConcurrency } = defaultLimits

function newGreeter(greet: (peer: string) => Promise<void>) {
  const clock = new ManualClock()
  const greetings: Array<{ peer: string; at: number }> = []
  const greeter = new Greeter({
    limits: defaultLimits,
    clock,
    random: () => 0.5,
    greet: (peer) => {
      greetings.push({ peer, at: clock.now() })
      return greet(peer)
    },
    failed: () => {}
  })
  return { clock, greetings, greeter }
}

const failing = (reason: SyncFailure) => async (): Promise<void> => {
  throw new SyncError(reason, 'no')
}

describe('a greeter', () => {
  test('greets a peer once, however often it is announced', async () => {
    const { clock, greetings, greeter } = newGreeter(async () => {})
    for (let index = 0; index < 10; index++) {
      greeter.greetNow('alice')
      greeter.greetLater('alice')
    }
    await clock.pass(3600_000)
    greeter.greetNow('alice')
    greeter.greetLater('alice')
    await clock.pass(3600_000)
    expect(greetings).toHaveLength(1)
    expect(greeter.greeted()).toEqual(['alice'])
    expect(clock.timers).toBe(0)
  })

  test('does not greet a peer that has greeted in time', async () => {
    const { clock, greetings, greeter } = newGreeter(async () => {})
    greeter.greetLater('alice')
    await clock.pass(helloRetryMs)
    greeter.heard('alice')
    await clock.pass(3600_000)
    expect(greetings).toEqual([])
    expect(greeter.isGreeted('alice')).toBe(true)
  })

  test('greets a peer that should have greeted and did not', async () => {
    const { clock, greetings, greeter } = newGreeter(async () => {})
    greeter.greetLater('alice')
    await clock.pass(2 * helloRetryMs)
    expect(greetings).toEqual([{ peer: 'alice', at: 1.5 * helloRetryMs }])
  })

  test('retries ever more rarely, up to the cap', async () => {
    const { clock, greetings, greeter } = newGreeter(failing('timeout'))
    greeter.greetNow('alice')
    await clock.pass(3600_000)
    const pauses = greetings.slice(1).map(({ at }, index) => at - greetings[index]!.at)
    expect(pauses.slice(0, 3)).toEqual([helloRetryMs, 2 * helloRetryMs, 4 * helloRetryMs])
    expect(Math.max(...pauses)).toBe(retryIntervalMsMax)
    expect(greetings.length).toBeLessThan(70)
    greeter.left('alice')
    expect(clock.timers).toBe(0)
  })

  test.each(['unsupported', 'unknown-topic', 'not-allowed', 'version'] as const)(
    'does not ask again after %s, until something changes',
    async (reason) => {
      const { clock, greetings, greeter } = newGreeter(failing(reason))
      greeter.greetNow('alice')
      await clock.pass(3600_000)
      expect(greetings).toHaveLength(1)
      greeter.greetLater('alice')
      await clock.pass(3600_000)
      expect(greetings).toHaveLength(2)
    }
  )

  test('greets a crowd a few at a time', async () => {
    const pending: Array<() => void> = []
    const { greetings, greeter } = newGreeter(() => new Promise((resolve) => pending.push(resolve)))
    for (let index = 0; index < 100; index++) greeter.greetNow(`peer ${index}`)
    expect(greetings).toHaveLength(helloConcurrency)
    greeter.left('peer 50')
    while (pending.length > 0) {
      for (const resolve of pending.splice(0)) resolve()
      await settle()
    }
    expect(greeter.greeted()).toHaveLength(99)
  })

  test('forgets a peer that left in the middle, and what comes of its hello', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { greeter } = newGreeter(() => promise)
    greeter.greetNow('alice')
    greeter.left('alice')
    resolve()
    await settle()
    expect(greeter.greeted()).toEqual([])
  })

  test('does nothing any more after stop', async () => {
    const { clock, greetings, greeter } = newGreeter(failing('timeout'))
    greeter.greetNow('alice')
    greeter.greetLater('bob')
    await settle()
    greeter.stop()
    greeter.greetNow('carol')
    await clock.pass(3600_000)
    expect(greetings).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })
})

describe('hellos over libp2p 2', () => {
  async function start(name: string, clock: ManualClock, libp2p = new FakeLibp2p(name)) {
    const replica = new FakeReplica()
    const exchange = syncExchange({ libp2p, clock, random: () => 0.5 }, { topic: 'topic' })
    await exchange.start(replica)
    return { libp2p, replica, exchange }
  }

  test('two peers need one stream to greet each other, whoever connected', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const bob = await start('bob', clock)
    alice.libp2p.connect(bob.libp2p)
    await clock.pass(60_000)
    expect([alice.libp2p.opened, bob.libp2p.opened]).toEqual([0, 1])
    expect(alice.replica.claims).toHaveLength(1)
    expect(bob.replica.claims).toHaveLength(1)
    // Kept for a moment, and then nothing is left: no stream and no timer.
    expect(alice.libp2p.openStreams()).toEqual([])
    expect(clock.timers).toBe(0)
    await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
  })

  test('a peer that subscribes is greeted if it does not greet, unless it has no store', async () => {
    const clock = new ManualClock()
    const alice = new FakeLibp2p('alice')
    const listeners: Array<(event: unknown) => void> = []
    alice.services = {
      pubsub: {
        subscribe() {},
        publish() {},
        addEventListener: (_type: string, listener: (event: unknown) => void) => listeners.push(listener),
        removeEventListener: () => listeners.pop()
      }
    }
    const store = await start('alice', clock, alice)
    const bob = new FakeLibp2p('bob')
    alice.connect(bob)
    const join = (topic: string) =>
      listeners[0]?.({ detail: { peerId: bob.peerId, subscriptions: [{ topic, subscribe: true }] } })
    join('other')
    await clock.pass(60_000)
    expect(bob.opened).toBe(0)
    join('topic')
    await clock.pass(60_000)
    expect(bob.opened).toBe(1)
    expect(store.exchange.counters.helloFailures).toBe(1)
    await store.exchange.stop()
    expect(listeners).toEqual([])
  })

  test('a peer that is lost again and again makes no storm', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const bob = new FakeLibp2p('bob')
    bob.handlers.set('/datastore-crdt/sync/1.0.0', ({ stream }) => stream.abort(new Error('never')))
    alice.libp2p.connect(bob)
    await clock.pass(600_000)
    expect(bob.opened).toBeLessThan(20)
    await alice.exchange.stop()
    expect(clock.timers).toBe(0)
  })

  test('a stop before a start has ended leaves nothing', async () => {
    const clock = new ManualClock()
    const libp2p = new FakeLibp2p('alice')
    const exchange = syncExchange({ libp2p, clock }, { topic: 'topic' })
    const starting = exchange.start(new FakeReplica())
    await exchange.stop()
    await starting
    expect(libp2p.handlers.size + libp2p.topologies.size + libp2p.listeners.size).toBe(0)
    expect(clock.timers).toBe(0)
  })

  test('a store pulls from another, and the requests it may make at once are limited', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const bob = await start('bob', clock)
    await alice.replica.writeMany('a', 700)
    alice.libp2p.connect(bob.libp2p)
    await settle()
    const { signal } = new AbortController()
    const pulls = Array.from({ length: 20 }, async () => {
      let count = 0
      for await (const _ of bob.exchange.pull({ peer: 'alice', want: [], signal })) count++
      return count
    })
    expect(await Promise.all(pulls)).toEqual(Array(20).fill(700))
    expect(alice.exchange.counters.refusedStreams).toBe(0)
    expect(alice.libp2p.opened).toBeLessThanOrEqual(defaultLimits.syncStreamsPerPeerMax / 2)
    await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
    expect(alice.libp2p.openStreams()).toEqual([])
    expect(clock.timers).toBe(0)
  })

  test('a peer that dialled although it was connected is told again, outside of gossip, what came since, and only then', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const bob = await start('bob', clock)
    const remind = async (): Promise<void> => {
      for (const { exchange } of [alice, bob]) exchange.remind?.()
      await clock.pass(60_000)
    }
    bob.libp2p.connect(alice.libp2p)
    await clock.pass(60_000)
    await alice.replica.write('a')
    // Gossip is not known to be broken, and carries it.
    await remind()
    expect([alice.libp2p.opened, bob.libp2p.opened]).toEqual([1, 0])
    bob.libp2p.connect(alice.libp2p)
    const head = await alice.replica.write('b')
    await remind()
    expect(bob.replica.claims.at(-1)?.claim.heads).toContainEqual({ id: head, dagName: '' })
    expect([alice.libp2p.opened, bob.libp2p.opened]).toEqual([1, 1])
    // Nothing came since.
    await remind()
    expect([alice.libp2p.opened, bob.libp2p.opened]).toEqual([1, 1])
    await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
    expect(clock.timers).toBe(0)
  })

  test('of many such peers one is told at a time', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const others = await Promise.all(['bob', 'carol', 'dave'].map((name) => start(name, clock)))
    for (const { libp2p } of [...others, ...others]) libp2p.connect(alice.libp2p)
    await clock.pass(60_000)
    await alice.replica.write('a')
    const opened = (): number => others.reduce((sum, { libp2p }) => sum + libp2p.opened, 0)
    const before = opened()
    for (let count = 1; count <= 3; count++) {
      alice.exchange.remind?.()
      await clock.pass(60_000)
      expect(opened()).toBe(before + count)
    }
    alice.exchange.remind?.()
    await clock.pass(60_000)
    expect(opened()).toBe(before + 3)
    await Promise.all([alice, ...others].map(({ exchange }) => exchange.stop()))
  })

  test('of two connections with a peer the newer one is used, since the older one may be dead', async () => {
    const clock = new ManualClock()
    const alice = await start('alice', clock)
    const bob = await start('bob', clock)
    bob.libp2p.connect(alice.libp2p)
    await clock.pass(60_000)
    bob.libp2p.connect(alice.libp2p)
    await bob.replica.write('b')
    const { signal } = new AbortController()
    for await (const _ of alice.exchange.pull({ peer: 'bob', want: [], signal }));
    const [old, young] = alice.libp2p.connections
    // The hello of the first connection, and what was asked for over the second.
    expect([old?.streams.length, young?.streams.length]).toEqual([1, 1])
    await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
  })
})
