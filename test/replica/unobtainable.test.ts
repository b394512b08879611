// What nobody has, and peers that do not answer: no other head waits for it, and nobody is asked without end.
import { afterEach, describe, expect, test } from 'vitest'
import { expectLikeOracle, type Forged, forge, forgeChain, forgeMissing } from './forge.ts'
import { type Peer, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

const HOUR = 3_600_000
const LARGE = 'x'.repeat(20_000)

/** The times between a replica's requests. */
function pauses({ exchange }: Peer): number[] {
  return exchange.requests.slice(1).map(({ at }, index) => at - (exchange.requests[index]?.at ?? 0))
}

describe('a head that nobody can serve', () => {
  test('delays no other head, and is dropped and counted after a while', async () => {
    world = new World(1)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    mallory.say([forgeMissing('head')])
    await world.clock.advance(100)
    const from = world.clock.now()
    await alice.put('/large', LARGE)
    await world.clock.until(async () => (await bob.get('/large')) === LARGE)
    expect(world.clock.now() - from).toBeLessThan(100)
    expect(await bob.store.stats()).toMatchObject({ wanted: 1 })
    await world.clock.advance(330_000)
    const { wanted, counters } = await bob.store.stats()
    expect({ wanted, dropped: counters.droppedHeads }).toEqual({ wanted: 0, dropped: 1 })
    expect(bob.datastore.rows('/crdt/w')).toEqual([])
    await world.clock.during(bob.store.waitForSync())
    const requests = bob.exchange.requests.length
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests).toHaveLength(requests)
  })

  test('is asked for with pauses that double, give or take 30%', async () => {
    world = new World(2)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    mallory.say([forgeMissing('head')])
    await world.clock.advance(HOUR)
    const between = pauses(bob)
    expect(between.length).toBeGreaterThan(8)
    expect(between.length).toBeLessThan(16)
    for (const [index, pause] of between.slice(0, -1).entries()) {
      const expected = Math.min(500 * 2 ** index, 60_000) + 2 * world.latencyMs
      expect(pause).toBeGreaterThan(expected * 0.69)
      expect(pause).toBeLessThan(expected * 1.31)
    }
    expect(new Set(between.map((pause, index) => pause / 2 ** index)).size).toBe(between.length)
  })

  test('does not hold up the relay of what was learned otherwise', async () => {
    world = new World(3)
    world.chain('alice', 'bob', 'carol')
    const [alice, , carol] = (await world.peers(['alice', 'bob', 'carol'])) as [Peer, Peer, Peer]
    world.partition(['alice'], ['bob', 'carol', 'mallory'])
    await alice.put('/a', '1')
    world.outsider('mallory').say([forgeMissing('head')])
    await world.clock.advance(1000)
    world.chain('alice', 'bob', 'carol')
    await world.clock.until(async () => (await carol.get('/a')) === '1', 2000)
  })

  test('as part of a history is asked for once in a while, not in a storm', async () => {
    world = new World(4)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const [, top] = forgeChain(2) as [Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(12 * HOUR)
    expect(await bob.store.stats()).toMatchObject({ gaps: 1, wanted: 0 })
    // Once a minute, give or take 30%.
    expect(bob.exchange.requests.length).toBeGreaterThan((12 * 60) / 1.3)
    expect(bob.exchange.requests.length).toBeLessThan((12 * 60) / 0.7)
    expect(new Set(pauses(bob).map(Math.round)).size).toBeGreaterThan(100)
  })

  test('a hello that is said again and again does not ask for it each time', async () => {
    world = new World(5)
    const bob = await world.peer('bob', { gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory', { streams: true })
    const [, top] = forgeChain(2) as [Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    const before = bob.exchange.requests.length
    for (let i = 0; i < 100; i++) {
      mallory.greet(bob, [])
      await world.clock.advance(100)
    }
    expect(bob.exchange.requests.length - before).toBeLessThan(5)
  })
})

describe('a flood', () => {
  test('of heads that nobody has holds up no head of another peer', async () => {
    world = new World(10)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    for (let i = 0; i < 20; i++) {
      mallory.say(Array.from({ length: 100 }, (_, j) => forgeMissing(`${i} ${j}`)))
    }
    await world.clock.advance(100)
    expect((await bob.store.stats()).wanted).toBe(2000)
    const from = world.clock.now()
    for (let i = 0; i < 5; i++) await alice.put(`/large/${i}`, LARGE)
    await world.clock.until(async () => (await bob.nodes()) === 5)
    expect(world.clock.now() - from).toBeLessThan(200)
  })

  test('of too many heads costs the peer that said them, and nobody else', async () => {
    world = new World(11)
    const alice = await world.peer('alice', { goLike: true })
    const bob = await world.peer('bob', { goLike: true, wantedHeadsMax: 50 })
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    mallory.say(Array.from({ length: 200 }, (_, i) => forgeMissing(`${i}`)))
    await world.clock.advance(100)
    const { wanted, counters } = await bob.store.stats()
    expect({ wanted, dropped: counters.droppedHeads }).toEqual({ wanted: 50, dropped: 150 })
    await alice.put('/large', LARGE)
    await world.clock.until(async () => (await bob.get('/large')) === LARGE, 100)
    // What is given up is not kept on disk either.
    expect(bob.datastore.rows('/crdt/w').length).toBeLessThanOrEqual(50)
  })

  test('of links that nobody has holds up no head of another peer', async () => {
    world = new World(12)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    const links = Array.from({ length: 3000 }, (_, i) => forgeMissing(`${i}`))
    const wide = forge({ links, puts: { '/wide': '' } })
    mallory.say([{ id: wide.id, block: wide.bytes }])
    await world.clock.advance(100)
    const from = world.clock.now()
    await alice.put('/large', LARGE)
    await world.clock.until(async () => (await bob.get('/large')) === LARGE)
    expect(world.clock.now() - from).toBeLessThan(100)
  })
})

describe('a peer that announces what it does not give', () => {
  for (const [name, rules] of [
    ['never answers', { mute: true }],
    ['sends other bytes', { lie: () => Uint8Array.of(1) }],
    ['breaks off', { breakAfter: 0 }]
  ] as const) {
    test(`is not the only one that is asked: ${name}`, async () => {
      world = new World(20)
      const bob = await world.peer('bob', { goLike: true })
      const mallory = world.outsider('mallory')
      const carol = world.outsider('carol')
      const chain = forgeChain(3)
      mallory.has(...chain)
      carol.has(...chain)
      Object.assign(mallory.rules, rules)
      mallory.say([{ id: chain[2]!.id }])
      await world.clock.until(async () => (await bob.nodes()) === 3, 120_000)
      expect(bob.exchange.requests.length).toBeLessThan(10)
      await expectLikeOracle(bob)
    })
  }

  test('cannot stall others with a stream that never ends', async () => {
    for (const [seed, isJunk] of [
      [21, true],
      [22, false]
    ] as const) {
      world = new World(seed)
      const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
      const mallory = world.outsider('mallory', { streams: true })
      const [known] = forgeChain(1) as [Forged]
      mallory.stream = async function* () {
        for (let i = 0; ; i++) {
          await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 50))
          const { id, bytes } = isJunk ? forge({ puts: { '/junk': `${i}` } }) : known
          if (world.clock.now() > HOUR) return
          yield { sequence: i + 1, id, bytes }
        }
      }
      mallory.greet(bob, [forgeMissing('head').id])
      await world.clock.advance(100)
      expect(bob.exchange.requests.map(({ kind }) => kind)).toEqual(['pull'])
      world.partition(['bob', 'mallory'], ['alice'])
      await alice.history(20)
      world.heal()
      await world.clock.until(async () => (await bob.get('/k/19')) === '19', 30_000)
      await world.close()
    }
  })

  test('cannot keep a head to itself by streaming other blocks', async () => {
    world = new World(23)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { gapPatienceMs: 60_000 })) as [Peer, Peer]
    const mallory = world.outsider('mallory', { streams: true })
    world.partition(['bob', 'mallory'], ['alice'])
    await alice.history(20)
    mallory.stream = async function* () {
      for (let i = 0; world.clock.now() < HOUR; i++) {
        await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 100))
        const { id, bytes } = forge({ puts: { '/junk': `${i}` } })
        yield { sequence: i + 1, id, bytes }
      }
    }
    mallory.greet(bob, await alice.headIds())
    await world.clock.advance(100)
    world.heal()
    await world.clock.until(async () => (await bob.get('/k/19')) === '19', 90_000)
  })
})

describe('with nobody to ask', () => {
  test('patience does not run out, and requests are few', async () => {
    world = new World(30)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const chain = forgeChain(2)
    mallory.say([{ id: chain[1]!.id, block: chain[1]!.bytes }, forgeMissing('head')])
    await world.clock.advance(world.latencyMs)
    world.partition()
    await world.clock.advance(12 * HOUR)
    expect(await bob.store.stats()).toMatchObject({ pending: 1, wanted: 2, gaps: 0 })
    expect((await bob.store.stats()).counters.droppedHeads).toBe(0)
    expect(bob.exchange.requests.length).toBeLessThan((2 * 12 * 60) / 0.7)
    mallory.has(...chain)
    world.heal()
    await world.clock.until(async () => (await bob.nodes()) === 2, 2 * 60_000)
  })

  test('a peer that comes back is asked at once, not when the pause is over', async () => {
    world = new World(31)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    await alice.history(10)
    await world.clock.advance(1000)
    world.loss = 1
    await alice.history(10, 'lost')
    await world.clock.advance(10)
    world.loss = 0
    await alice.put('/last', 'one')
    // Alice goes before she could be asked for what is missing.
    await world.clock.advance(world.latencyMs + 1)
    expect(await bob.store.stats()).toMatchObject({ pending: 1, wanted: 1 })
    world.partition()
    await world.clock.advance(HOUR)
    world.heal()
    await world.clock.until(async () => (await bob.get('/last')) === 'one', 200)
  })
})
