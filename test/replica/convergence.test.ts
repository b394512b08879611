// Convergence: whatever the order, duplication and loss on the way, replicas that have the same nodes show the same,
// and what they show is what the oracle makes of their blocks.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { below } from './clock.ts'
import { areLevel, expectConverged, expectLikeOracle, forge } from './forge.ts'
import { type Peer, type PeerInit, text, utf8, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin']

/** One write, of a few keys, so that they collide. */
async function act(peer: Peer): Promise<void> {
  const { random } = world
  const key = new Key(`/k/${below(random, 6)}`)
  const dagName = random() < 0.2 ? 'named' : ''
  const value = utf8('x'.repeat(below(random, 3)) + below(random, 4))
  if (random() < 0.65) await peer.store.put(key, value, { dagName })
  else if (random() < 0.8) await peer.store.delete(key, { dagName })
  else {
    const batch = peer.store.batch({ dagName })
    for (let i = 0; i < 4; i++) {
      const other = new Key(`/k/${below(random, 6)}`)
      if (random() < 0.6) batch.put(other, value)
      else batch.delete(other)
    }
    await batch.commit()
  }
}

/** Splits the peers into two groups, or heals. */
function splitOrHeal(names: readonly string[]): void {
  const { random } = world
  if (random() < 0.4) world.heal()
  else {
    const left = names.filter(() => random() < 0.5)
    world.partition(
      left,
      names.filter((name) => !left.includes(name))
    )
  }
}

/** Cuts the power in the middle of whatever is going on, and starts the replica anew from what is on its disk. */
async function crash(peer: Peer, limits: PeerInit): Promise<Peer> {
  peer.datastore.writesLeft = below(world.random, 3)
  await world.clock.advance(below(world.random, 40))
  peer.datastore.writesLeft = 0
  const datastore = peer.datastore.copy()
  await world.clock.during(peer.store.close().catch(() => {}))
  return await world.peer(peer.name, { ...limits, goLike: !peer.streams, datastore })
}

async function live(peers: readonly Peer[], writes: number): Promise<void> {
  const names = peers.map(({ name }) => name)
  for (let i = 0; i < writes; i++) {
    if (i % 8 === 3) splitOrHeal(names)
    // Not awaited: what a write does meets what arrives meanwhile.
    const acts = [act(peers[below(world.random, peers.length)] as Peer)]
    if (world.random() < 0.3) acts.push(act(peers[below(world.random, peers.length)] as Peer))
    await world.clock.advance(below(world.random, 120))
    await world.clock.during(Promise.all(acts))
  }
  world.loss = 0
  world.heal()
  await world.clock.until(() => areLevel(peers), 300_000, 500)
}

describe('random worlds', () => {
  for (const [name, goLike] of [
    ['that stream', () => false],
    ['that serve blocks by id', () => true],
    ['of both kinds', (index: number) => index % 2 === 0]
  ] as const) {
    test(`of five replicas ${name}: loss, duplicates, disorder, partitions`, async () => {
      for (let seed = 1; seed <= 17; seed++) {
        // The seed of a failure is in the message of the error.
        try {
          world = new World(seed, { loss: 0.3, duplication: 0.2, jitterMs: 300 })
          const peers: Peer[] = []
          for (const [index, peer] of NAMES.entries()) {
            const limits = {
              rebroadcastIntervalMs: 5000,
              pendingBlocksPerPeerMax: seed % 3 === 0 ? 16 : 1000
            }
            peers.push(await world.peer(peer, { goLike: goLike(index), ...limits }))
          }
          await live(peers, 25)
          await expectConverged(peers)
          await world.close()
        } catch (error) {
          throw new Error(`Seed ${seed} fails`, { cause: error })
        }
      }
    }, 30_000)
  }

  test('of replicas that crash and come back: what was acknowledged is kept', async () => {
    for (let seed = 200; seed < 210; seed++) {
      try {
        world = new World(seed, { loss: 0.2, jitterMs: 100 })
        const limits = { rebroadcastIntervalMs: 5000, pendingBlocksPerPeerMax: seed % 2 === 0 ? 16 : 1000 }
        const peers = await world.peers(NAMES.slice(0, 4), { ...limits, goLike: seed % 3 === 0 })
        const acknowledged: string[] = []
        for (let i = 0; i < 24; i++) {
          if (i % 6 === 2) splitOrHeal(NAMES)
          const index = below(world.random, peers.length)
          const peer = peers[index] as Peer
          const key = `/acknowledged/${i}`
          void peer.store.put(new Key(key), utf8('')).then(
            () => void acknowledged.push(key),
            () => {}
          )
          void act(peer).catch(() => {})
          if (i % 5 === 4) peers[index] = await crash(peer, limits)
          await world.clock.advance(below(world.random, 150))
        }
        world.loss = 0
        world.heal()
        await world.clock.until(() => areLevel(peers), 300_000, 500)
        await expectConverged(peers)
        expect(acknowledged.length).toBeGreaterThan(15)
        for (const key of acknowledged) expect(await peers[0]!.get(key)).toBe('')
        await world.close()
      } catch (error) {
        throw new Error(`Seed ${seed} fails`, { cause: error })
      }
    }
  }, 30_000)

  test('of fifty replicas', async () => {
    world = new World(50, { loss: 0.3, duplication: 0.1, jitterMs: 100 })
    const names = Array.from({ length: 50 }, (_, i) => `peer${i}`)
    const peers = await world.peers(names, { rebroadcastIntervalMs: 10_000 })
    await live(peers, 12)
    await expectConverged(peers.slice(0, 3))
    expect(new Set(await Promise.all(peers.map(({ store }) => store.digest()))).size).toBe(1)
  }, 30_000)

  test('are the same for the same seed', async () => {
    const runs: string[] = []
    for (let run = 0; run < 2; run++) {
      world = new World(99, { loss: 0.3, duplication: 0.2, jitterMs: 200 })
      const peers = await world.peers(NAMES.slice(0, 3), { rebroadcastIntervalMs: 5000 })
      await live(peers, 20)
      const requests = peers.map(({ exchange }) => exchange.requests)
      const said = world.messages.map(({ at, from, bytes }) => [at, from, Buffer.from(bytes).toString('hex')])
      runs.push(JSON.stringify([said, requests]))
      await world.close()
    }
    expect(runs[1]).toBe(runs[0])
  })
})

describe('two replicas', () => {
  async function pair(seed: number): Promise<[Peer, Peer]> {
    world = new World(seed)
    return (await world.peers(['alice', 'bob'])) as [Peer, Peer]
  }

  async function heal(peers: readonly Peer[]): Promise<void> {
    world.heal()
    await world.clock.until(() => areLevel(peers))
    await expectConverged(peers)
  }

  test('put, put and delete on one side while the other puts', async () => {
    const peers = await pair(1)
    const [alice, bob] = peers
    world.partition()
    await alice.put('/k', '1')
    await alice.put('/k', '2')
    await alice.delete('/k')
    await bob.put('/k', 'kept')
    await heal(peers)
    for (const peer of peers) expect(await peer.get('/k')).toBe('kept')
  })

  test('delete what has versions of both sides, on both sides', async () => {
    const peers = await pair(2)
    const [alice, bob] = peers
    for (let round = 0; round < 5; round++) {
      world.partition()
      for (let i = 0; i <= round; i++) await alice.put('/k', `a${i}`)
      await bob.put('/k', `b${round}`)
      await heal(peers)
      expect((await alice.store.stats()).elements).toBeGreaterThan(1)
      world.partition()
      await alice.delete('/k')
      if (round % 2 === 0) await bob.put('/k', 'again')
      else await bob.delete('/k')
      await heal(peers)
      for (const peer of peers) expect(await peer.get('/k')).toBe(round % 2 === 0 ? 'again' : undefined)
    }
  })

  test('write the very same node at the same moment: it is one node', async () => {
    const peers = await pair(3)
    const [alice, bob] = peers
    // Bob's disk is slow, so that Alice's node arrives while his own commit of it is under way.
    const go = bob.datastore.hold()
    const put = bob.store.put(new Key('/k'), utf8('same'))
    await world.clock.settle()
    await alice.put('/k', 'same')
    await world.clock.advance(100)
    go()
    await world.clock.during(put)
    await world.clock.advance(100)
    for (const peer of peers)
      expect(await peer.store.stats()).toMatchObject({ nodes: 1, heads: 1, elements: 1 })
    await bob.put('/k', 'next')
    await world.clock.advance(100)
    await expectConverged(peers)
    expect(await alice.nodes()).toBe(2)
  })
})

describe('tombstones', () => {
  test('that come before their element keep it from showing, whatever the order', async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0]
    ]) {
      world = new World(10)
      const bob = await world.peer('bob')
      const mallory = world.outsider('mallory')
      const older = forge({ puts: { '/k': 'older' }, priority: 1n })
      const newer = forge({ puts: { '/k': 'newer' }, priority: 2n })
      // It names a block that is not among its ancestors.
      const tomb = forge({ tombstones: [{ key: '/k', id: newer.id }], priority: 3n })
      for (const index of order) {
        const { id, bytes } = [older, newer, tomb][index]!
        mallory.say([{ id, block: bytes }])
        await world.clock.advance(100)
        await expectLikeOracle(bob)
      }
      expect(await bob.get('/k')).toBe('older')
      expect(bob.changes.at(-1)?.value === undefined).toBe(false)
      // The block that it named has run, so nothing has to be remembered any more.
      expect(await bob.store.stats()).toMatchObject({ tombstones: 0, elements: 1 })
      await world.close()
    }
  })

  test('that reveal an older value are a change to it, not a removal', async () => {
    world = new World(11)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory')
    const older = forge({ puts: { '/k': 'older' }, priority: 1n })
    const newer = forge({ puts: { '/k': 'newer' }, priority: 2n })
    const tomb = forge({ tombstones: [{ key: '/k', id: newer.id }], priority: 3n })
    for (const { id, bytes } of [older, newer, tomb]) {
      mallory.say([{ id, block: bytes }])
      await world.clock.advance(100)
    }
    const last = bob.changes.at(-1)
    expect([last?.previous, last?.value].map((value) => value && text(value))).toEqual(['newer', 'older'])
  })

  test('of two DAGs for one element', async () => {
    world = new World(12)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    await alice.put('/k', '1', 'one')
    await world.clock.advance(100)
    world.partition()
    await alice.delete('/k', 'two')
    await bob.delete('/k', 'one')
    world.heal()
    await world.clock.until(() => areLevel([alice, bob]))
    await expectConverged([alice, bob])
    expect(await alice.get('/k')).toBeUndefined()
  })
})
