// How a replica gets what it lacks: inlined blocks, blocks by id, streams, and the walk from level to level where
// nobody streams. What is counted are requests, because each costs a round trip.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { cidV0, cidV1 } from '../codec/wire-bytes.ts'
import { expectConverged, expectLikeOracle, type Forged, forgeChain } from './forge.ts'
import { type Peer, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

/** Everything that was asked for by id, over all requests of a replica. */
function idsAsked(peer: Peer): string[] {
  return peer.exchange.requests.filter(({ kind }) => kind === 'fetch').flatMap(({ ids }) => ids)
}

describe('one head', () => {
  test('a small block rides inside its announcement: one hop, no request', async () => {
    world = new World(1)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    await world.clock.advance(1000)
    await alice.put('/a', '1')
    await world.clock.advance(world.latencyMs)
    expect(await bob.get('/a')).toBe('1')
    expect(bob.exchange.requests).toEqual([])
    expect(world.messages).toHaveLength(1)
    expect(bob.changes.map(({ key, origin }) => [key.toString(), origin])).toEqual([['/a', 'remote']])
  })

  test('a large block is announced by name and fetched by id', async () => {
    world = new World(2)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    await world.clock.advance(1000)
    await alice.put('/a', 'x'.repeat(20_000))
    expect(world.messages[0]?.heads[0]?.block).toBeUndefined()
    await world.clock.advance(3 * world.latencyMs)
    expect(await bob.get('/a')).toHaveLength(20_000)
    expect(bob.exchange.requests.map(({ kind, peer, ids }) => [kind, peer, ids.length])).toEqual([
      ['fetch', 'alice', 1]
    ])
  })

  test('after a message that was lost only the missing part is asked for', async () => {
    world = new World(3)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    await world.clock.advance(1000)
    await alice.put('/a', '1')
    await world.clock.advance(1000)
    world.loss = 1
    await alice.put('/b', '2')
    await world.clock.advance(1000)
    world.loss = 0
    const [lost] = await alice.headIds()
    await alice.put('/c', '3')
    await world.clock.advance(1000)
    await expectConverged([alice, bob])
    expect(idsAsked(bob)).toEqual([lost])
  })
})

describe('many blocks', () => {
  test('a joiner is up to date within a few round trips, by one stream', async () => {
    world = new World(4)
    const alice = await world.peer('alice')
    await alice.history(500)
    const from = world.clock.now()
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) === 500)
    // A hello, a pull, and a wait for each frame.
    expect(world.clock.now() - from).toBeLessThan(15 * 2 * world.latencyMs)
    expect(bob.exchange.requests.map(({ kind }) => kind)).toEqual(['pull'])
    expect(bob.exchange.streamed).toBe(500)
    expect((await bob.store.stats()).counters.duplicateBlocks).toBe(0)
    await expectConverged([alice, bob])
  })

  test('many peers with the same history send it once', async () => {
    world = new World(5)
    const peers = await world.peers(['alice', 'bob', 'carol', 'dave'])
    for (let i = 0; i < 200; i++) await (peers[i % 4] as Peer).put(`/k/${i}`, `${i}`)
    await world.clock.advance(5000)
    const erin = await world.peer('erin')
    await world.clock.advance(5000)
    await expectConverged([...peers, erin])
    expect(erin.exchange.requests.map(({ kind }) => kind)).toEqual(['pull'])
    expect(erin.exchange.streamed).toBe(200)
  })

  test('without streams a history is walked level by level, each block asked for once', async () => {
    world = new World(6)
    const alice = await world.peer('alice', { goLike: true })
    await alice.history(60)
    const bob = await world.peer('bob', { goLike: true })
    await alice.put('/last', 'one')
    await world.clock.advance(5000)
    await expectConverged([alice, bob])
    expect(idsAsked(bob)).toHaveLength(60)
    expect(new Set(idsAsked(bob)).size).toBe(60)
  })

  test('the same missing block is asked for once, however many heads lead to it', async () => {
    world = new World(7)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const common = forgeChain(5, { name: 'common' })
    const heads = Array.from({ length: 20 }, (_, i) =>
      forgeChain(1, { name: `${i}`, below: common[4] })
    ).flat()
    // The links are wanted while each other head still arrives.
    mallory.has(...common, ...heads)
    for (const head of heads) mallory.say([{ id: head.id }])
    await world.clock.until(async () => (await bob.nodes()) === 25)
    expect(idsAsked(bob).sort()).toEqual([...heads, ...common].map(({ id }) => id).sort())
    await expectLikeOracle(bob)
  })

  test('a head that is announced under its CIDv0 and its CIDv1 is asked for once, and is one node', async () => {
    world = new World(15)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const [parent, head] = forgeChain(2) as [Forged, Forged]
    mallory.has(parent, head)
    // Messages of old were a bare CID.
    mallory.say(cidV0(head.bytes))
    mallory.say(cidV1(head.bytes))
    mallory.say([{ id: head.id }])
    await world.clock.until(async () => (await bob.nodes()) === 2)
    mallory.say(cidV0(head.bytes))
    await world.clock.advance(1000)
    expect(idsAsked(bob)).toEqual([head.id, parent.id])
    expect(await bob.store.stats()).toMatchObject({ nodes: 2, heads: 1, wanted: 0 })
    await expectLikeOracle(bob)
  })

  test('a stream that ends in the middle is followed by another peer, and what has come is kept', async () => {
    world = new World(8)
    const [alice, carol] = (await world.peers(['alice', 'carol'])) as [Peer, Peer]
    await alice.history(300)
    await world.clock.advance(1000)
    alice.rules.breakAfter = 100
    carol.rules.delayMs = 1
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) === 300)
    await expectConverged([alice, bob, carol])
    expect(bob.exchange.requests.map(({ peer }) => peer)).toEqual(['alice', 'carol'])
    expect(bob.exchange.streamed).toBe(300)
    expect((await bob.store.stats()).counters).toMatchObject({ failedPulls: 1, duplicateBlocks: 0 })
  })

  test('a peer that goes away in the middle of a stream is replaced by another', async () => {
    world = new World(9)
    const [alice, carol] = (await world.peers(['alice', 'carol'])) as [Peer, Peer]
    await alice.history(300)
    await world.clock.advance(1000)
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) >= 64)
    world.partition(['bob', 'carol'], ['alice'])
    await world.clock.until(async () => (await bob.nodes()) === 300)
    expect(bob.exchange.requests.map(({ peer }) => peer)).toEqual(['alice', 'carol'])
    expect(bob.exchange.streamed).toBeLessThan(310)
    await expectConverged([alice, bob, carol])
  })

  test('a stream that stalls does not hold up what another peer can stream', async () => {
    world = new World(10)
    const [alice] = (await world.peers(['alice', 'carol'])) as [Peer, Peer]
    await alice.history(100)
    await world.clock.advance(1000)
    alice.rules.mute = true
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) === 100, 2000)
    expect(bob.exchange.requests.map(({ kind, peer }) => [kind, peer])).toEqual([
      ['pull', 'alice'],
      ['pull', 'carol']
    ])
  })
})

describe('memory', () => {
  test('is not filled by a stream that is faster than the disk, however long it is', async () => {
    for (const count of [100, 400]) {
      world = new World(20)
      const alice = await world.peer('alice')
      await Promise.all(
        Array.from({ length: count }, (_, i) => alice.store.put(new Key(`/${i}`), new Uint8Array(10_000)))
      )
      const bob = await world.peer('bob', { readyBytesMax: 128 * 1024, commitBytesMax: 64 * 1024 })
      const go = bob.datastore.hold()
      await world.clock.advance(10_000)
      // What may wait, what is being committed, and what is in hand.
      expect(bob.exchange.streamed, `of ${count}`).toBeGreaterThan(5)
      expect(bob.exchange.streamed, `of ${count}`).toBeLessThan(30)
      go()
      await world.clock.until(async () => (await bob.nodes()) === count)
      expect(bob.exchange.requests.map(({ kind }) => kind)).toEqual(['pull'])
      await expectConverged([alice, bob])
      await world.close()
    }
  })
})

describe('a walk that is longer than the budget', () => {
  for (const [name, goLike] of [
    ['announced with its block', 10],
    ['announced by name', 20_000]
  ] as const) {
    test(`is merged in the end, within the budget: head ${name}`, async () => {
      world = new World(11)
      const alice = await world.peer('alice', { goLike: true })
      await alice.history(150)
      const bob = await world.peer('bob', { goLike: true, pendingBlocksPerPeerMax: 32 })
      await alice.put('/last', 'x'.repeat(goLike))
      let most = 0
      await world.clock.until(async () => {
        most = Math.max(most, (await bob.store.stats()).pending)
        return (await bob.nodes()) === 151
      }, 50_000)
      expect(most).toBeLessThanOrEqual(32)
      expect((await bob.store.stats()).counters.pendingEvicted).toBeGreaterThan(0)
      await expectConverged([alice, bob])
      // Nothing is left of it on disk either.
      await world.clock.advance(1000)
      expect(bob.datastore.rows('/crdt/p')).toEqual([])
      expect(bob.datastore.rows('/crdt/w')).toEqual([])
    })
  }

  test('is merged while new heads keep arriving on top of it', async () => {
    world = new World(12)
    const alice = await world.peer('alice', { goLike: true })
    await alice.history(100)
    const bob = await world.peer('bob', { goLike: true, pendingBlocksPerPeerMax: 64 })
    for (let i = 0; i < 50; i++) {
      await alice.put(`/new/${i}`, `${i}`)
      await world.clock.advance(15)
    }
    await world.clock.until(async () => (await bob.nodes()) === 150, 50_000)
    await expectConverged([alice, bob])
  })

  test('is merged after a restart in the middle, although nobody announces it again', async () => {
    world = new World(13)
    const alice = await world.peer('alice', { goLike: true, rebroadcastIntervalMs: 86_400_000 })
    await alice.history(150)
    const limits = { goLike: true, pendingBlocksPerPeerMax: 32, rebroadcastIntervalMs: 86_400_000 }
    let bob = await world.peer('bob', limits)
    await alice.put('/last', 'one')
    await world.clock.until(async () => (await bob.store.stats()).counters.pendingEvicted > 20)
    bob = await bob.restart(limits)
    await world.clock.until(async () => (await bob.nodes()) === 151, 50_000)
    await expectConverged([alice, bob])
  })

  test('waitForSync waits for a head that was dropped over the budget', async () => {
    world = new World(14)
    const alice = await world.peer('alice', { goLike: true })
    await alice.history(100)
    const bob = await world.peer('bob', { goLike: true, pendingBlocksPerPeerMax: 16 })
    await alice.put('/last', 'one')
    await world.clock.until(async () => (await bob.store.stats()).counters.pendingEvicted > 5)
    await world.clock.during(bob.store.waitForSync())
    expect(await bob.get('/last')).toBe('one')
  })
})
