// What is said over gossip, and when: new nodes at once and together, heads once in a while and only those that nobody
// else says, and nothing in vain.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { type AnnouncedHead, decodeBroadcast } from '../../src/codec/broadcast.ts'
import { decodeNode } from '../../src/codec/node.ts'
import { defaultLimits, type LimitName, type Random } from '../../src/index.ts'
import { Announcer } from '../../src/replica/announce.ts'
import { newCounters } from '../../src/replica/counters.ts'
import { FakeClock, seededRandom } from './clock.ts'
import { expectConverged, type Forged, forge } from './forge.ts'
import { type Peer, utf8, World } from './world.ts'

let world: World

afterEach(async () => {
  await world?.close()
})

interface Stage {
  announcer: Announcer
  clock: FakeClock
  counters: ReturnType<typeof newCounters>
  /** What was broadcast, and when. */
  messages: Array<{ at: number; size: number; heads: AnnouncedHead[] }>
  heads: AnnouncedHead[]
  /** When a peer was to be told outside of gossip. */
  reminders: number[]
  network: { fails: boolean; delayMs: number; level: boolean; listened: boolean }
}

function stage(
  limits: Partial<Record<LimitName, number>> = {},
  random: Random = seededRandom(1),
  started = true
): Stage {
  const clock = new FakeClock()
  const counters = newCounters()
  const messages: Stage['messages'] = []
  const heads: AnnouncedHead[] = []
  const reminders: number[] = []
  const network = { fails: false, delayMs: 0, level: true, listened: true }
  const announcer = new Announcer({
    ...{ clock, random, counters, limits: { ...defaultLimits, ...limits } },
    logger: Object.assign(() => {}, { error: () => {}, trace: () => {} }),
    heads: () => heads,
    headCount: () => heads.length,
    isLevel: () => network.level,
    remind: () => void reminders.push(clock.now()),
    broadcaster: {
      start: async () => {},
      stop: async () => {},
      broadcast: async (message) => {
        if (network.fails) throw new Error('The broadcast failed')
        messages.push({ at: clock.now(), size: message.length, heads: decodeBroadcast(message).heads })
        if (network.delayMs > 0)
          await new Promise<void>((resolve) => clock.setTimeout(resolve, network.delayMs))
        return network.listened
      }
    }
  })
  if (started) announcer.start()
  return { announcer, clock, counters, messages, heads, reminders, network }
}

function node(name: string, bytes = 0): Forged {
  return forge({ puts: { [`/${name}`]: 'x'.repeat(bytes) } })
}

function publish({ announcer }: Stage, ...nodes: Forged[]): void {
  announcer.published(nodes.map(({ id, bytes }) => decodeNode(id, bytes)))
}

describe('a node that was written here', () => {
  test('is said at once, with its block if that is small', async () => {
    const alone = stage()
    const [small, large] = [node('small'), node('large', 20_000)]
    publish(alone, small)
    await alone.clock.advance(defaultLimits.broadcastGapMs)
    publish(alone, large)
    await alone.clock.settle()
    expect(alone.messages.flatMap(({ heads }) => heads)).toEqual([
      { id: small.id, dagName: '', block: small.bytes },
      { id: large.id, dagName: '' }
    ])
  })

  test('shares a message with those that are written while one is under way', async () => {
    const busy = stage()
    busy.network.delayMs = 100
    for (let i = 0; i < 50; i++) {
      publish(busy, node(`${i}`))
      await busy.clock.advance(10)
    }
    await busy.clock.advance(1000)
    expect(busy.messages.length).toBeLessThan(10)
    expect(busy.messages.flatMap(({ heads }) => heads)).toHaveLength(50)
  })

  test('shares a message with those that follow it at once, since each message is signed and checked', async () => {
    const busy = stage()
    for (let i = 0; i < 30; i++) {
      publish(busy, node(`${i}`))
      await busy.clock.advance(1)
    }
    await busy.clock.advance(defaultLimits.broadcastGapMs)
    expect(busy.messages.length).toBeLessThanOrEqual(1 + 30 / defaultLimits.broadcastGapMs)
    expect(busy.messages.flatMap(({ heads }) => heads)).toHaveLength(30)
  })

  test('waits for others when that is asked for', async () => {
    const slow = stage({ broadcastDelayMs: 200 })
    for (let i = 0; i < 5; i++) {
      publish(slow, node(`${i}`))
      await slow.clock.advance(30)
    }
    expect(slow.messages).toEqual([])
    await slow.clock.advance(200)
    expect(slow.messages.map(({ at, heads }) => [at, heads.length])).toEqual([[200, 5]])
  })

  test('is split off where a message would be larger than the limit', async () => {
    const alone = stage({ broadcastBytesMax: 1024 })
    const nodes = [node('0', 2000), ...Array.from({ length: 40 }, (_, i) => node(`n${i}`, 100))]
    publish(alone, ...nodes)
    await alone.clock.settle()
    for (const { size } of alone.messages) expect(size).toBeLessThanOrEqual(1024)
    const said = alone.messages.flatMap(({ heads }) => heads)
    expect(said.map(({ id }) => id)).toEqual(nodes.map(({ id }) => id))
    // The first would be too large with its block, even alone.
    expect(said.map(({ block }) => block === undefined)).toEqual(nodes.map((_, i) => i === 0))
    // As full as they may be.
    expect(alone.messages.length).toBeLessThan(12)
  })

  test('is dropped from what waits to be said when that is too much, oldest first', async () => {
    const busy = stage({ announceBacklogBytesMax: 1024 })
    busy.network.delayMs = 100
    publish(busy, node('first'))
    const nodes = Array.from({ length: 30 }, (_, i) => node(`n${i}`, 100))
    publish(busy, ...nodes)
    await busy.clock.advance(1000)
    const said = busy.messages.slice(1).flatMap(({ heads }) => heads)
    expect(said.length).toBeGreaterThan(2)
    expect(said.length).toBeLessThan(10)
    expect(said.at(-1)?.id).toBe(nodes.at(-1)?.id)
  })

  test('whose broadcast fails is said again by the rebroadcast, without its block', async () => {
    const alone = stage()
    const head = node('k')
    alone.heads.push({ id: head.id, dagName: '' })
    alone.network.fails = true
    publish(alone, head)
    await alone.clock.settle()
    expect(alone.counters).toMatchObject({ broadcastsFailed: 1, broadcastsSent: 0 })
    alone.network.fails = false
    await alone.clock.advance(80_000)
    expect(alone.messages.map(({ heads }) => heads)).toEqual([[{ id: head.id, dagName: '' }]])
  })
})

describe('the rebroadcast', () => {
  test('says nothing where there is nothing to say', async () => {
    const alone = stage()
    await alone.clock.advance(600_000)
    expect(alone.messages).toEqual([])
    expect(alone.clock.timers).toBe(1)
  })

  test('comes once in an interval, give or take 30%, and inlines nothing', async () => {
    const alone = stage()
    alone.heads.push({ id: node('k').id, dagName: '' })
    await alone.clock.advance(6_000_000)
    const pauses = alone.messages.slice(1).map(({ at }, index) => at - alone.messages[index]!.at)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(42_000)
    expect(Math.min(...pauses)).toBeLessThan(50_000)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(78_000)
    expect(Math.max(...pauses)).toBeGreaterThan(70_000)
    expect(alone.messages.flatMap(({ heads }) => heads).every(({ block }) => block === undefined)).toBe(true)
  })

  test('says only what nobody else said within the interval', async () => {
    const { announcer, clock, messages, heads } = stage({}, () => 0.5)
    const [one, other] = [node('one'), node('other')]
    heads.push({ id: one.id, dagName: '' }, { id: other.id, dagName: 'named' })
    await clock.advance(30_000)
    announcer.heard(one.id)
    await clock.advance(31_000)
    expect(messages.map((message) => message.heads)).toEqual([[{ id: other.id, dagName: 'named' }]])
    // In the next interval nobody said anything.
    await clock.advance(60_000)
    expect(messages.at(-1)?.heads).toHaveLength(2)
    announcer.heard(one.id)
    announcer.heard(other.id)
    await clock.advance(60_000)
    expect(messages).toHaveLength(2)
  })
})

describe('heads that were learned otherwise than by gossip', () => {
  test('are said once, after a short wait in which somebody else may say them', async () => {
    const { announcer, clock, messages, heads } = stage()
    const [one, other] = [node('one'), node('other')]
    heads.push({ id: one.id, dagName: '' }, { id: other.id, dagName: '' })
    for (let i = 0; i < 10; i++) announcer.learned()
    announcer.heard(one.id)
    await clock.advance(500)
    expect(messages.map((message) => message.heads)).toEqual([[{ id: other.id, dagName: '' }]])
    announcer.learned()
    await clock.advance(500)
    expect(messages).toHaveLength(1)
  })

  test('are not said while more of them come, and that costs no loop', async () => {
    const { announcer, clock, messages, heads, network } = stage({ relayDelayMs: 0 })
    heads.push({ id: node('k').id, dagName: '' })
    network.level = false
    announcer.learned()
    await clock.advance(10_000)
    expect(messages).toEqual([])
    network.level = true
    await clock.advance(1000)
    expect(messages).toHaveLength(1)
    expect(clock.timers).toBe(1)
  })
})

describe('a peer that came and can only hear', () => {
  const [one, other] = [node('one'), node('other')]
  const both = [
    { id: one.id, dagName: '' },
    { id: other.id, dagName: '' }
  ]

  test('is told all heads, also those that were said before it came, but for what somebody says meanwhile', async () => {
    const { announcer, clock, messages, heads } = stage()
    heads.push(...both)
    for (const { id } of both) announcer.heard(id)
    announcer.learned()
    await clock.advance(5000)
    expect(messages).toEqual([])
    announcer.newcomer()
    await clock.advance(0)
    announcer.heard(one.id)
    await clock.advance(500)
    expect(messages.map((message) => message.heads)).toEqual([[both[1]]])
    // Gossip may not have reached it yet, so it is told once more, and then no more.
    await clock.advance(30_000)
    expect(messages.slice(1).map((message) => message.heads)).toEqual([both])
    const pause = (messages[1]?.at ?? 0) - (messages[0]?.at ?? 0)
    expect(pause).toBeGreaterThan(defaultLimits.gossipSettleMs - defaultLimits.relayDelayMs)
    expect(pause).toBeLessThan(defaultLimits.gossipSettleMs + defaultLimits.relayDelayMs)
  })

  test('comes as one of many, and all of them are told a few times', async () => {
    const { announcer, clock, messages, heads } = stage()
    heads.push(...both)
    for (let i = 0; i < 1000; i++) {
      announcer.newcomer()
      await clock.advance(10)
    }
    await clock.advance(3000)
    // Ten seconds, and no more often than every two.
    expect(messages.length).toBeGreaterThan(3)
    expect(messages.length).toBeLessThan(8)
    // The last of them came after the last but one of these was said.
    expect(messages.at(-1)?.at).toBeGreaterThan(10_000)
    expect(messages.at(-1)?.heads).toEqual(both)
  })

  test('was there before there was anything to tell with, and is told at the start', async () => {
    const { announcer, clock, messages, heads } = stage({}, seededRandom(1), false)
    heads.push(...both)
    announcer.newcomer()
    await clock.advance(5000)
    expect(messages).toEqual([])
    announcer.start()
    await clock.advance(500)
    expect(messages.map((message) => message.heads)).toEqual([both])
  })

  test('is waited for by no timer after a stop', async () => {
    const { announcer, clock, messages, heads } = stage()
    heads.push(...both)
    announcer.newcomer()
    await clock.advance(600)
    announcer.newcomer()
    await announcer.stop()
    expect(clock.timers).toBe(0)
    announcer.newcomer()
    await clock.advance(5000)
    expect(messages).toHaveLength(1)
  })
})

test('a peer is told outside of gossip at every rebroadcast, also where there is nothing to say, and not after a stop', async () => {
  const { announcer, clock, reminders, messages } = stage()
  await clock.advance(10 * defaultLimits.rebroadcastIntervalMs)
  expect(messages).toEqual([])
  const pauses = reminders.map((at, index) => at - (reminders[index - 1] ?? 0))
  expect(pauses.length).toBeGreaterThanOrEqual(8)
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.7 * defaultLimits.rebroadcastIntervalMs)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1.3 * defaultLimits.rebroadcastIntervalMs)
  await announcer.stop()
  await clock.advance(10 * defaultLimits.rebroadcastIntervalMs)
  expect(reminders).toHaveLength(pauses.length)
})

test('a head that nobody heard is said again at the next rebroadcast, as if it had not been said', async () => {
  const { announcer, clock, messages, heads, network } = stage()
  const lone = node('lone')
  heads.push({ id: lone.id, dagName: '' })
  network.listened = false
  announcer.published([decodeNode(lone.id, lone.bytes)])
  await clock.settle()
  expect(messages).toHaveLength(1)
  network.listened = true
  await clock.advance(1.3 * defaultLimits.rebroadcastIntervalMs)
  expect(messages.map((message) => message.heads[0]?.id)).toEqual([lone.id, lone.id])
  await announcer.stop()
})

test('stop says what still waits, leaves no timer, and nothing is said after it', async () => {
  const busy = stage({ broadcastDelayMs: 100 })
  busy.heads.push({ id: node('k').id, dagName: '' })
  publish(busy, node('n'))
  busy.announcer.learned()
  await busy.announcer.stop()
  expect(busy.clock.timers).toBe(0)
  publish(busy, node('late'))
  busy.announcer.learned()
  await busy.clock.advance(200_000)
  expect(busy.messages.map(({ heads }) => heads.map(({ id }) => id))).toEqual([[node('n').id]])
})

describe('in a world', () => {
  test('idle replicas have one timer each and say each head about once in an interval, together', async () => {
    world = new World(1)
    const peers = await world.peers(['alice', 'bob', 'carol', 'dave'])
    await peers[0]!.put('/k', '1')
    await world.clock.advance(1000)
    world.messages.length = 0
    const minutes = 60
    await world.clock.advance(minutes * 60_000)
    expect(world.clock.timers).toBe(peers.length)
    expect(world.messages.every(({ heads }) => heads.length === 1 && heads[0]?.block === undefined)).toBe(
      true
    )
    expect(world.messages.length).toBeGreaterThan(minutes / 1.3)
    // Two may speak within one latency of each other, and whoever spoke may be the first to have forgotten it.
    expect(world.messages.length).toBeLessThan(2 * minutes)
    expect(peers.every(({ exchange }) => exchange.requests.length === 0)).toBe(true)
    await expectConverged(peers)
  })

  test('what was learned from one neighbour after a partition is relayed to the next', async () => {
    world = new World(2)
    world.chain('alice', 'bob', 'carol')
    const [alice, bob, carol] = (await world.peers(['alice', 'bob', 'carol'])) as [Peer, Peer, Peer]
    world.partition(['bob', 'carol'], ['alice'])
    await alice.history(100)
    await world.clock.advance(1000)
    const said = world.messages.length
    world.chain('alice', 'bob', 'carol')
    await world.clock.until(async () => (await carol.nodes()) === 100, 2000)
    await world.clock.advance(1000)
    await expectConverged([alice, bob, carol])
    // Once, and not at every commit of the stream.
    expect(world.messages.length - said).toBeLessThanOrEqual(2)
    expect(world.messages.slice(said).every(({ heads }) => heads.length === 1)).toBe(true)
  })

  test('a broadcast that fails after the commit writes nothing again', async () => {
    world = new World(3)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    alice.broadcaster.fails = true
    await alice.put('/k', '1')
    await world.clock.advance(1000)
    expect(await bob.nodes()).toBe(0)
    expect(await alice.store.stats()).toMatchObject({ nodes: 1, counters: { broadcastsFailed: 1 } })
    alice.broadcaster.fails = false
    await world.clock.until(async () => (await bob.get('/k')) === '1', 80_000)
    await expectConverged([alice, bob])
    expect(await alice.nodes()).toBe(1)
  })

  test('a batch that only puts is said, and reaches the others', async () => {
    world = new World(5)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const batch = alice.store.batch()
    batch.put(new Key('/a'), utf8('1'))
    batch.put(new Key('/b'), utf8('2'))
    expect(world.messages).toEqual([])
    await batch.commit()
    await world.clock.advance(world.latencyMs)
    expect([await bob.get('/a'), await bob.get('/b')]).toEqual(['1', '2'])
    expect(world.messages.map(({ heads }) => heads.length)).toEqual([1])
  })

  test('an empty commit, and one that cancels itself, say nothing', async () => {
    world = new World(6)
    const alice = await world.peer('alice')
    const batch = alice.store.batch()
    await batch.commit()
    batch.put(new Key('/never'), utf8('1'))
    batch.delete(new Key('/never'))
    await batch.commit()
    await alice.delete('/nothing')
    await world.clock.advance(600_000)
    expect(world.messages).toEqual([])
  })

  test('followers of a writer that never pauses keep up, with few messages and no request', async () => {
    world = new World(4)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    alice.broadcaster.delayMs = 20
    for (let i = 0; i < 500; i++) {
      await alice.store.put(new Key(`/k/${i % 7}`), utf8(`${i}`))
      if (i % 5 === 0) await world.clock.advance(1)
    }
    await world.clock.advance(100)
    expect(world.messages.length).toBeLessThan(15)
    expect(bob.exchange.requests).toEqual([])
    expect(await bob.nodes()).toBe(500)
    await expectConverged([alice, bob])
  })
})

test('a head of a DAG with an endless name is said within the limit', async () => {
  const { announcer, clock, messages, heads } = stage({ broadcastBytesMax: 1024 })
  const head = forge({ puts: { '/a': '' } })
  heads.push(
    { id: head.id, dagName: '\u00e9'.repeat(5000) },
    { id: forge({ puts: { '/b': '' } }).id, dagName: '' }
  )
  announcer.start()
  await clock.advance(2 * defaultLimits.rebroadcastIntervalMs)
  await announcer.stop()
  for (const { size } of messages) expect(size).toBeLessThanOrEqual(1024)
  expect(messages.flatMap((message) => message.heads.map(({ id }) => id))).toContain(head.id)
})

test('more heads than are remembered as wanted are not all said again, though others said every one of them', async () => {
  const level = stage({ rebroadcastIntervalMs: 1000, wantedHeadsMax: 4 })
  for (let index = 0; index < 20; index++) level.heads.push({ id: node(`${index}`).id, dagName: '' })
  for (const { id } of level.heads) level.announcer.heard(id)
  await level.clock.advance(1300)
  expect(level.messages).toEqual([])
})
