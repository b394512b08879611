// Bad input is only counted: lies, damage, floods and odd blocks. Whatever a peer sends, every replica shows what the
// oracle makes of its blocks, other heads are merged as ever, and the log names the sender.
import { afterEach, describe, expect, test } from 'vitest'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { below } from './clock.ts'
import {
  expectConverged,
  expectLikeOracle,
  type Forged,
  forge,
  forgeBytes,
  forgeChain,
  forgeMissing
} from './forge.ts'
import { type Outsider, type Peer, type PeerInit, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

interface Cast {
  alice: Peer
  bob: Peer
  mallory: Outsider
}

async function cast(seed: number, init: PeerInit = {}): Promise<Cast> {
  world = new World(seed)
  const alice = await world.peer('alice', init)
  const bob = await world.peer('bob', init)
  return { alice, bob, mallory: world.outsider('mallory') }
}

/** Fails unless a write of one honest peer reaches the other at once. */
async function expectUnaffected({ alice, bob }: Cast): Promise<void> {
  await alice.put('/honest/small', 'x')
  await alice.put('/honest/large', 'x'.repeat(20_000))
  await world.clock.until(async () => (await bob.get('/honest/large')) !== undefined, 200)
  expect(await bob.get('/honest/small')).toBe('x')
}

/** A dag-pb block that links to whatever CIDs. */
function blockWithLinks(cids: Uint8Array[]): Uint8Array {
  const links = cids.flatMap((cid) => [0x12, cid.length + 2, 0x0a, cid.length, ...cid])
  return Uint8Array.from([...links, 0x0a, 0])
}

/** The CID of a node that nobody has. */
function cidOf(index: number): Uint8Array {
  const digest = new Uint8Array(32)
  new DataView(digest.buffer).setUint32(0, index)
  return Uint8Array.of(1, 0x70, 0x12, 32, ...digest)
}

describe('lies', () => {
  test('an inlined block that is not the head it comes with is never stored, and the head is asked for', async () => {
    const { bob, mallory } = await cast(1)
    const [head, other] = [forge({ puts: { '/head': '' } }), forge({ puts: { '/other': '' } })]
    mallory.has(head)
    mallory.say([{ id: head.id, block: other.bytes }])
    await world.clock.advance(1000)
    expect(await bob.get('/other')).toBeUndefined()
    expect(await bob.get('/head')).toBe('')
    expect((await bob.store.stats()).counters.mismatchedBlocks).toBe(1)
    expect(bob.lines.some((line) => line.includes('mallory'))).toBe(true)
    await expectLikeOracle(bob)
  })

  test('blocks that are cut or have a bit flipped are never stored, and come from another peer', async () => {
    const everything = await cast(2, { goLike: true })
    const { bob, mallory } = everything
    const carol = world.outsider('carol')
    const chain = forgeChain(8)
    mallory.has(...chain)
    carol.has(...chain)
    mallory.rules.lie = (bytes) => {
      const lie = bytes.slice(0, world.random() < 0.5 ? below(world.random, bytes.length) : undefined)
      if (lie.length === bytes.length) lie[below(world.random, lie.length)]! ^= 1 << below(world.random, 8)
      return lie
    }
    mallory.say([{ id: chain[7]!.id }])
    await expectUnaffected(everything)
    await world.clock.until(async () => (await bob.get('/chain/7')) === '7', 120_000)
    const { counters, gaps } = await bob.store.stats()
    expect({ gaps, lies: counters.mismatchedBlocks > 0 }).toEqual({ gaps: 0, lies: true })
    expect(bob.lines.some((line) => line.includes('mallory'))).toBe(true)
    await world.clock.advance(60_000)
    await expectConverged([bob, everything.alice])
  })

  test('damaged broadcasts are counted, and what else they say is heard', async () => {
    const everything = await cast(3, { gapPatienceMs: 1000 })
    const { alice, bob, mallory } = everything
    const message = encodeBroadcast(forgeChain(3).map(({ id, bytes }) => ({ id, dagName: '', block: bytes })))
    for (let i = 0; i < 300; i++) {
      const damaged = message.slice(0, world.random() < 0.3 ? below(world.random, message.length) : undefined)
      for (let j = 0; j < 3 && damaged.length > 0; j++)
        damaged[below(world.random, damaged.length)] = below(world.random, 256)
      mallory.say(damaged)
    }
    mallory.say(Uint8Array.of())
    await world.clock.advance(100)
    await expectUnaffected(everything)
    const { counters } = await bob.store.stats()
    expect(counters.broadcastsReceived).toBe(303)
    expect(counters.invalidBroadcasts).toBeGreaterThan(0)
    expect(counters.invalidHeads).toBeGreaterThan(0)
    expect(bob.lines.filter((line) => line.includes('mallory')).length).toBeGreaterThan(0)
    await world.clock.advance(120_000)
    for (const peer of [alice, bob]) await expectLikeOracle(peer)
  })

  test('a stream of blocks that nobody asked for is verified like any other', async () => {
    world = new World(4)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory', { streams: true })
    const [bottom, top] = forgeChain(2) as [Forged, Forged]
    const stray = forge({ puts: { '/stray': '' } })
    mallory.has(bottom, stray, { id: top.id, bytes: forgeBytes(Uint8Array.of(7)).bytes })
    mallory.greet(bob, [top.id])
    await world.clock.advance(10_000)
    // What hashes to something is a node, whatever the peer called it.
    expect(await bob.get('/stray')).toBe('')
    expect(await bob.get('/chain/0')).toBe('0')
    expect(await bob.store.stats()).toMatchObject({ nodes: 3, wanted: 1 })
    await expectLikeOracle(bob)
  })

  test('a block that is too large is dropped unread', async () => {
    const everything = await cast(5, { gapPatienceMs: 1000 })
    const { bob, mallory } = everything
    const huge = forge({ puts: { '/huge': 'x'.repeat(10 * 1024 * 1024) } })
    mallory.has(huge)
    mallory.say([huge].map(({ id }) => ({ id })))
    await expectUnaffected(everything)
    await world.clock.advance(10_000)
    const { counters, nodes } = await bob.store.stats()
    expect({ nodes, dropped: counters.droppedHeads }).toEqual({ nodes: 2, dropped: 1 })
    expect(counters.oversizedBlocks).toBeGreaterThan(0)
    expect(bob.lines.some((line) => line.includes('mallory') && line.includes('too-large'))).toBe(true)
  })
})

describe('odd blocks', () => {
  test('are nodes without effects on every replica, whatever the order', async () => {
    const root = forge({ puts: { '/root': '' } })
    const notDagPb = forgeBytes(new TextEncoder().encode('these bytes are no dag-pb'))
    // A delta whose only element ends before it should, with a link that counts all the same.
    const valid = forge({ puts: { '/lost': 'value' }, links: [root] }).bytes
    const invalid = valid.slice()
    invalid[valid.length - 1 - 'value'.length - 4] = 0xff
    const invalidDelta = forgeBytes(invalid)
    const top = forge({ puts: { '/top': '' }, links: [notDagPb, invalidDelta], priority: 3n })
    const nodes = [root, notDagPb, invalidDelta, top]
    const peers: Peer[] = []
    world = new World(10)
    for (const [index, order] of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 3, 0, 1]
    ].entries()) {
      world.partition([`peer${index}`, `mallory${index}`])
      const peer = await world.peer(`peer${index}`, { goLike: true })
      const mallory = world.outsider(`mallory${index}`)
      mallory.has(...nodes)
      for (const position of order) {
        mallory.say([nodes[position]!].map(({ id, bytes }) => ({ id, block: bytes })))
        await world.clock.advance(100)
      }
      await world.clock.advance(1000)
      const { counters } = await peer.store.stats()
      expect(counters.oddBlocks).toBe(2)
      expect(peer.lines.filter((line) => line.includes(`mallory${index}`)).length).toBe(2)
      peers.push(peer)
    }
    await expectConverged(peers)
    expect(await peers[0]!.nodes()).toBe(4)
    expect(await peers[0]!.get('/lost')).toBeUndefined()
    expect(await peers[0]!.headIds()).toEqual([top.id])
  })

  test('links that cannot name a node are counted, never fetched, and leave no gap', async () => {
    const { bob, mallory } = await cast(11, { gapPatienceMs: 1000 })
    const digest = new Uint8Array(32).fill(7)
    const raw = Uint8Array.of(1, 0x55, 0x12, 32, ...digest)
    const sha512 = Uint8Array.of(1, 0x70, 0x13, 32, ...digest)
    const foreign = forgeBytes(blockWithLinks([raw, sha512]))
    mallory.say([{ id: foreign.id, block: foreign.bytes }])
    await world.clock.advance(10_000)
    const { nodes, gaps, wanted, counters } = await bob.store.stats()
    expect({ nodes, gaps, wanted, foreign: counters.foreignLinks }).toEqual({
      ...{ nodes: 1, gaps: 0, wanted: 0, foreign: 2 }
    })
    expect(bob.exchange.requests).toEqual([])
    await expectLikeOracle(bob)
  })

  test('a block of 90,000 links that nobody has costs the others nothing', async () => {
    const everything = await cast(12, { goLike: true })
    const { bob, mallory } = everything
    const wide = forgeBytes(blockWithLinks(Array.from({ length: 90_000 }, (_, i) => cidOf(i))))
    mallory.has(wide)
    mallory.say([{ id: wide.id }])
    await world.clock.advance(100)
    expect(await bob.store.stats()).toMatchObject({ pending: 1, wanted: 1024 })
    await expectUnaffected(everything)
  })

  test('a block of many links that nobody has is a node in the end', async () => {
    const { bob, mallory } = await cast(13, { goLike: true, gapPatienceMs: 10 })
    const wide = forgeBytes(blockWithLinks(Array.from({ length: 5000 }, (_, i) => cidOf(i))))
    mallory.has(wide)
    mallory.say([{ id: wide.id }])
    await world.clock.until(async () => (await bob.nodes()) === 1, 60_000, 100)
    const { gaps, counters } = await bob.store.stats()
    expect({ gaps, givenUp: counters.linksGivenUp }).toEqual({ gaps: 5000, givenUp: 5000 })
    await expectLikeOracle(bob)
  })
})

describe('a flood of heads without links', () => {
  test('leaves our own nodes and broadcasts within their limits', async () => {
    const limits = { linksMax: 50, rebroadcastIntervalMs: 10_000 }
    const everything = await cast(20, limits)
    const { alice, bob, mallory } = everything
    const flood = Array.from({ length: 1500 }, (_, i) => forge({ puts: { [`/flood/${i}`]: '' } }))
    for (let i = 0; i < flood.length; i += 250) {
      mallory.say(flood.slice(i, i + 250).map(({ id, bytes }) => ({ id, block: bytes })))
    }
    await world.clock.until(async () => (await bob.nodes()) === 1500)
    await world.clock.until(async () => (await alice.nodes()) === 1500)
    await expectUnaffected(everything)
    // Each of the two writes replaced as many heads as it may link to.
    expect(await bob.store.stats()).toMatchObject({ nodes: 1502, heads: 1402 })
    await world.clock.advance(60_000)
    for (const { bytes, from } of world.messages) {
      if (from !== 'mallory') expect(bytes.length).toBeLessThanOrEqual(64 * 1024)
    }
    await expectConverged([alice, bob])
  })

  test('of one peer is bounded while it waits to be handled, and counted', async () => {
    const { bob, mallory } = await cast(21, { readyBytesMax: 64 * 1024, gapPatienceMs: 1000 })
    const go = bob.datastore.hold()
    for (let i = 0; i < 100; i++)
      mallory.say(Array.from({ length: 100 }, (_, j) => forgeMissing(`${i} ${j}`)))
    for (let i = 0; i < 100; i++) {
      const { id, bytes } = forge({ puts: { [`/big/${i}`]: 'x'.repeat(15_000) } })
      mallory.say([{ id, block: bytes }])
    }
    await world.clock.advance(100)
    const { counters, nodes } = await bob.store.stats()
    expect(nodes).toBe(0)
    expect(counters.droppedMessages).toBeGreaterThan(50)
    go()
    await world.clock.advance(30_000)
    await expectLikeOracle(bob)
  })
})
