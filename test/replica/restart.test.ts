// Catching up across restarts and crashes: what is here is not fetched again, and a branch that was half walked is
// taken up although nobody announces it again.
import { afterEach, describe, expect, test } from 'vitest'
import { expectConverged, expectLikeOracle, forgeChain } from './forge.ts'
import { AtomicMemory } from './memory.ts'
import { type Peer, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

const NEVER_AGAIN = { rebroadcastIntervalMs: 86_400_000 }
const quietGo = { goLike: true, ...NEVER_AGAIN }
const LARGE = 'x'.repeat(20_000)

function idsAsked({ exchange }: Peer): string[] {
  return exchange.requests.flatMap(({ ids }) => ids)
}

/** A replica that is taken out of the world as if its machine had lost power, and what its disk holds. */
async function crash(peer: Peer): Promise<AtomicMemory> {
  const disk = peer.datastore.copy()
  peer.datastore.writesLeft = 0
  await world.clock.during(peer.store.close().catch(() => {}))
  return disk
}

describe('a restart', () => {
  test('in the middle of a walk resumes it without a new announcement', async () => {
    world = new World(1)
    const alice = await world.peer('alice', quietGo)
    await alice.history(60)
    let bob = await world.peer('bob', quietGo)
    await alice.put('/last', 'one')
    await world.clock.until(async () => (await bob.store.stats()).pending >= 30)
    const asked = idsAsked(bob)
    bob = await bob.restart(NEVER_AGAIN)
    await world.clock.until(async () => (await bob.nodes()) === 61)
    await expectConverged([alice, bob])
    // Only what was under way is asked for again, and nothing before the exchange runs.
    const again = idsAsked(bob)
    expect(asked.filter((id) => again.includes(id)).length).toBeLessThanOrEqual(1)
    expect(asked.length + again.length).toBeLessThanOrEqual(61)
    expect(bob.exchange.early).toBe(0)
    await world.clock.advance(1000)
    expect(bob.datastore.rows('/crdt/p')).toEqual([])
    expect(bob.datastore.rows('/crdt/w')).toEqual([])
  })

  test('in the middle of a stream goes on where it was', async () => {
    world = new World(2)
    const alice = await world.peer('alice', NEVER_AGAIN)
    await alice.history(400)
    let bob = await world.peer('bob', NEVER_AGAIN)
    await world.clock.until(async () => (await bob.nodes()) >= 128)
    const { streamed } = bob.exchange
    const merged = await bob.nodes()
    bob = await bob.restart(NEVER_AGAIN)
    await world.clock.until(async () => (await bob.nodes()) === 400)
    expect(bob.exchange.streamed).toBe(400 - merged)
    expect(streamed - merged).toBeLessThan(64)
    // The head that was wanted before is asked for again, and all below it comes by one stream.
    expect(bob.exchange.requests.map(({ kind }) => kind)).toEqual(['fetch', 'pull'])
    await expectConverged([alice, bob])
  })

  test('while a head is wanted asks for it again', async () => {
    world = new World(3)
    const alice = await world.peer('alice', { ...quietGo, rules: { mute: true } })
    let bob = await world.peer('bob', quietGo)
    await alice.put('/large', LARGE)
    await world.clock.advance(1000)
    expect(bob.datastore.rows('/crdt/w')).toHaveLength(1)
    bob = await bob.restart(NEVER_AGAIN)
    expect(await bob.store.stats()).toMatchObject({ wanted: 1 })
    alice.rules.mute = false
    await world.clock.until(async () => (await bob.get('/large')) === LARGE)
    await world.clock.advance(1000)
    expect(bob.datastore.rows('/crdt/w')).toEqual([])
  })

  test('with branches of several heads and of other peers takes all of them up', async () => {
    world = new World(4)
    let bob = await world.peer('bob', quietGo)
    const mallory = world.outsider('mallory')
    const carol = world.outsider('carol')
    const chains = Array.from({ length: 6 }, (_, i) => forgeChain(10, { name: `${i}` }))
    for (const [index, chain] of chains.entries()) {
      const source = index % 2 === 0 ? mallory : carol
      source.has(...chain)
      source.say([{ id: chain[9]!.id, ...(index < 3 && { block: chain[9]!.bytes }) }])
    }
    await world.clock.until(async () => (await bob.store.stats()).pending >= 20)
    bob = await bob.restart(NEVER_AGAIN)
    expect((await bob.store.stats()).pending).toBeGreaterThanOrEqual(20)
    await world.clock.until(async () => (await bob.nodes()) === 60)
    await expectLikeOracle(bob)
  })

  test('remembers gaps, and closes them', async () => {
    world = new World(5)
    const limits = { ...quietGo, gapPatienceMs: 1000 }
    let bob = await world.peer('bob', limits)
    const mallory = world.outsider('mallory')
    const chain = forgeChain(3)
    mallory.say([{ id: chain[2]!.id, block: chain[2]!.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    bob = await bob.restart(limits)
    expect(await bob.store.stats()).toMatchObject({ gaps: 1 })
    expect(bob.view?.commonGroundLimit()).toBe(1)
    mallory.has(...chain)
    await world.clock.until(async () => (await bob.nodes()) === 3, 120_000)
    expect(await bob.store.stats()).toMatchObject({ gaps: 0, heads: 1 })
    await expectLikeOracle(bob)
  })
})

describe('a crash', () => {
  test('at any write of a catch-up loses nothing that was known', async () => {
    for (let writes = 1; writes < 200; writes++) {
      world = new World(10)
      const alice = await world.peer('alice', quietGo)
      await alice.history(12)
      let bob = await world.peer('bob', { ...quietGo, datastore: new AtomicMemory() })
      bob.datastore.writesLeft = writes
      await alice.put('/last', LARGE)
      await world.clock.advance(3000)
      const isDone = bob.datastore.writesLeft > 0
      const disk = await crash(bob)
      const isKnown = ['p', 'w', 'b'].some((row) => disk.rows(`/crdt/${row}/`).length > 0)
      bob = await world.peer('bob', { ...quietGo, datastore: disk })
      await expectLikeOracle(bob)
      // The very first write is what makes the announcement known.
      expect(isKnown, `after ${writes} writes`).toBe(true)
      await world.clock.until(async () => (await bob.nodes()) === 13)
      await expectConverged([alice, bob])
      await world.close()
      if (isDone) return
    }
    expect.fail('The catch-up never ended')
  })

  test('between fetching and merging: the blocks are there and are merged', async () => {
    world = new World(11)
    const alice = await world.peer('alice', quietGo)
    await alice.history(20)
    let bob = await world.peer('bob', quietGo)
    await alice.put('/last', 'one')
    // The lowest block has come, and the power fails with the commit that would merge the branch.
    await world.clock.until(async () => (await bob.store.stats()).pending >= 19)
    const go = bob.datastore.hold()
    await world.clock.advance(1000)
    const disk = bob.datastore.copy()
    bob.datastore.writesLeft = 0
    go()
    await world.clock.during(bob.store.close().catch(() => {}))
    const asked = idsAsked(bob)
    bob = await world.peer('bob', { ...quietGo, datastore: disk })
    await world.clock.until(async () => (await bob.nodes()) === 21)
    expect(asked.filter((id) => idsAsked(bob).includes(id)).length).toBeLessThanOrEqual(2)
    await expectConverged([alice, bob])
  })

  test('between a commit and its announcement: what was acknowledged is announced, and reaches the others', async () => {
    world = new World(14)
    const bob = await world.peer('bob', { goLike: true })
    let alice = await world.peer('alice', { goLike: true })
    // The process ends before it has said anything.
    alice.broadcaster.fails = true
    await alice.put('/k', '1')
    alice = await world.peer('alice', { goLike: true, datastore: await crash(alice) })
    expect(world.messages).toEqual([])
    expect(await alice.get('/k')).toBe('1')
    await world.clock.until(async () => (await bob.get('/k')) === '1', 80_000)
    await expectConverged([alice, bob])
  })

  test('between merging and announcing: what was merged is passed on', async () => {
    world = new World(15)
    const alice = await world.peer('alice')
    await alice.history(100)
    world.partition(['alice', 'bob'], ['carol'])
    let bob = await world.peer('bob')
    const carol = await world.peer('carol')
    const said = world.messages.length
    await world.clock.until(async () => (await bob.nodes()) === 100)
    const disk = await crash(bob)
    expect(world.messages.slice(said).filter(({ from }) => from === 'bob')).toEqual([])
    // Whoever wrote it is gone, and nobody says hello.
    world.partition(['bob', 'carol'], ['alice'])
    bob = await world.peer('bob', { goLike: true, datastore: disk })
    await world.clock.until(async () => (await carol.nodes()) === 100, 80_000)
    await expectConverged([bob, carol])
  })

  test('a commit that fails is tried again, and nothing is fetched twice for it', async () => {
    world = new World(12)
    const alice = await world.peer('alice', quietGo)
    await alice.history(20)
    const bob = await world.peer('bob', quietGo)
    bob.datastore.failures = 6
    await alice.put('/last', 'one')
    await world.clock.until(async () => (await bob.nodes()) === 21, 120_000)
    expect((await bob.store.stats()).counters.failedCommits).toBe(6)
    expect(new Set(idsAsked(bob)).size).toBe(idsAsked(bob).length)
    await expectConverged([alice, bob])
  })

  test('with a small budget: what was dropped for want of room is taken up again', async () => {
    for (const writes of [5, 20, 40, 60, 80]) {
      world = new World(13)
      const limits = { ...quietGo, pendingBlocksPerPeerMax: 16 }
      const alice = await world.peer('alice', quietGo)
      await alice.history(40)
      let bob = await world.peer('bob', { ...limits, datastore: new AtomicMemory() })
      bob.datastore.writesLeft = writes
      await alice.put('/last', 'one')
      await world.clock.advance(3000)
      bob = await world.peer('bob', { ...limits, datastore: await crash(bob) })
      await world.clock.until(async () => (await bob.nodes()) === 41)
      await expectConverged([alice, bob])
      await world.close()
    }
  })
})
