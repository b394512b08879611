// Who is told again by a hello what gossip may not have carried, in a time that the tests make pass.
import { describe, expect, test } from 'vitest'
import { syncExchange } from '../../src/libp2p/index.ts'
import { Reminder } from '../../src/libp2p/sync/reminder.ts'
import { defaultLimits } from '../../src/options.ts'
import { FakeLibp2p } from './fake-libp2p.ts'
import { FakePubSub } from './fake-pubsub.ts'
import { FakeReplica } from './fake-replica.ts'
import { ManualClock, settle } from './manual-clock.ts'

const { gossipSettleMs } = defaultLimits

describe('a reminder', () => {
  function newReminder() {
    const clock = new ManualClock()
    const state = { sequence: 1, connected: true, allowed: true, failure: undefined as Error | undefined }
    const greetings: Array<{ peer: string; at: number }> = []
    const failures: unknown[] = []
    const reminder: Reminder = new Reminder({
      limits: defaultLimits,
      clock,
      random: () => 0.5,
      sequence: () => state.sequence,
      isConnected: () => state.connected,
      allows: () => state.allowed,
      greet: async (peer) => {
        greetings.push({ peer, at: clock.now() })
        reminder.telling(peer)
        if (state.failure !== undefined) throw state.failure
      },
      failed: (_peer, error) => failures.push(error)
    })
    return { clock, state, greetings, failures, reminder }
  }

  test('tells what was committed between a hello and a subscription at once', async () => {
    const { state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    state.sequence++
    reminder.subscribed('bob')
    expect(greetings).toEqual([{ peer: 'bob', at: 0 }])
  })

  test('tells what was committed until gossip reaches a peer that subscribed, and once', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    reminder.subscribed('bob')
    state.sequence++
    await clock.pass(3600_000)
    expect(greetings).toEqual([{ peer: 'bob', at: gossipSettleMs }])
    expect(clock.timers).toBe(0)
    // From then on gossip carries what is committed.
    state.sequence++
    await clock.pass(3600_000)
    expect(greetings).toHaveLength(1)
  })

  test('tells later what gossip brought here before it reached that peer, and took long to be merged', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    reminder.subscribed('bob')
    await clock.pass(gossipSettleMs)
    state.sequence++
    await clock.pass(3600_000)
    expect(greetings).toEqual([{ peer: 'bob', at: 4 * gossipSettleMs }])
    expect(clock.timers).toBe(0)
  })

  test('tells a peer nothing that knows all there is', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    reminder.subscribed('bob')
    state.sequence++
    // A hello of the peer's own.
    reminder.telling('bob')
    await clock.pass(3600_000)
    expect(greetings).toEqual([])
  })

  test('leaves a peer alone that was never greeted, is gone, or is not allowed', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.subscribed('stranger')
    for (const peer of ['bob', 'carol', 'dave']) reminder.telling(peer)
    for (const peer of ['bob', 'carol', 'dave']) reminder.subscribed(peer)
    state.sequence++
    reminder.left('bob')
    state.allowed = false
    await clock.pass(gossipSettleMs)
    reminder.subscribed('carol')
    state.allowed = true
    state.connected = false
    await clock.pass(gossipSettleMs)
    expect(greetings).toEqual([])
  })

  test('counts from the last of many subscriptions, and greets once for all', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    for (let index = 0; index < 10; index++) {
      reminder.subscribed('bob')
      await clock.pass(gossipSettleMs / 10)
    }
    expect(clock.timers).toBe(1)
    state.sequence++
    await clock.pass(3600_000)
    expect(greetings).toEqual([{ peer: 'bob', at: 1.9 * gossipSettleMs }])
  })

  test('tells a peer again that failed a hello, when it subscribes again', async () => {
    const { clock, state, greetings, failures, reminder } = newReminder()
    state.failure = new Error('no stream')
    reminder.telling('bob')
    state.sequence++
    reminder.subscribed('bob')
    await settle()
    expect(failures).toEqual([state.failure])
    state.failure = undefined
    await clock.pass(3600_000)
    expect(greetings).toHaveLength(2)
  })

  test('does nothing any more after stop', async () => {
    const { clock, state, greetings, reminder } = newReminder()
    reminder.telling('bob')
    reminder.subscribed('bob')
    state.sequence++
    reminder.stop()
    expect(clock.timers).toBe(0)
    await clock.pass(3600_000)
    expect(greetings).toEqual([])
  })
})

describe('replicas whose gossip takes time to begin', () => {
  async function start(name: string, clock: ManualClock) {
    const libp2p = new FakeLibp2p(name)
    const pubsub = new FakePubSub()
    libp2p.services = { pubsub }
    const replica = new FakeReplica()
    const exchange = syncExchange({ libp2p, clock, random: () => 0.5 }, { topic: 'topic' })
    await exchange.start(replica)
    return { libp2p, pubsub, replica, exchange }
  }

  /** Two that have said hello, and know that the other is on the topic. */
  async function newPair() {
    const clock = new ManualClock()
    const [alice, bob] = [await start('alice', clock), await start('bob', clock)]
    bob.libp2p.connect(alice.libp2p)
    await settle()
    alice.pubsub.joined('bob')
    bob.pubsub.joined('alice')
    const end = async (): Promise<void> => {
      await Promise.all([alice.exchange.stop(), bob.exchange.stop()])
      expect(clock.timers).toBe(0)
      expect(alice.pubsub.listeners.size + bob.pubsub.listeners.size).toBe(0)
    }
    return { clock, alice, bob, end }
  }

  test.each(['alice', 'bob'] as const)('are told by a hello what %s wrote meanwhile', async (writer) => {
    const { clock, alice, bob, end } = await newPair()
    const [from, to] = writer === 'alice' ? [alice, bob] : [bob, alice]
    const head = await from.replica.write('lost')
    await clock.pass(gossipSettleMs + 10)
    expect(to.replica.claims.at(-1)?.claim.heads).toEqual([{ id: head, dagName: '' }])
    expect([alice.exchange.counters.hellos, bob.exchange.counters.hellos]).toEqual([2, 2])
    await end()
  })

  test('say nothing to each other while they are level', async () => {
    const { clock, alice, bob, end } = await newPair()
    await clock.pass(3600_000)
    expect([alice.exchange.counters.hellos, bob.exchange.counters.hellos]).toEqual([1, 1])
    await end()
  })
})
