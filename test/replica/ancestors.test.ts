// Ancestors first: the order in which effects show, what happens when an ancestor cannot be had, how a gap closes,
// and which priority a write gets meanwhile.
import { afterEach, describe, expect, test } from 'vitest'
import { below } from './clock.ts'
import { expectLikeOracle, type Forged, forge, forgeBytes, forgeChain } from './forge.ts'
import { type Outsider, type Peer, type PeerInit, text, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

async function peerAndOutsider(seed: number, init: PeerInit = {}): Promise<[Peer, Outsider]> {
  world = new World(seed)
  return [await world.peer('bob', { goLike: true, ...init }), world.outsider('mallory')]
}

/** The keys in the order in which they changed. */
function changedKeys({ changes }: Peer): string[] {
  return changes.map(({ key }) => key.toString())
}

describe('order', () => {
  test('a reader never sees an effect before its cause', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const [bob, mallory] = await peerAndOutsider(seed)
      const chain = forgeChain(30)
      mallory.has(...chain)
      const order = [...chain]
      while (order.length > 0) {
        const [said] = order.splice(below(world.random, order.length), 1) as [Forged]
        mallory.say([{ id: said.id, ...(world.random() < 0.7 && { block: said.bytes }) }])
        await world.clock.advance(below(world.random, 20))
      }
      await world.clock.until(async () => (await bob.nodes()) === 30)
      expect(changedKeys(bob), `seed ${seed}`).toEqual(chain.map((_, i) => `/chain/${i}`))
      await world.close()
    }
  })

  test('a block that waits for many links shows after all of them', async () => {
    const [bob, mallory] = await peerAndOutsider(20)
    // More links than are looked at in one go.
    const parents = Array.from({ length: 1500 }, (_, i) => forge({ puts: { [`/parent/${i}`]: '' } }))
    const child = forge({ puts: { '/child': '' }, links: parents, priority: 2n })
    mallory.has(...parents)
    mallory.say([{ id: child.id, block: child.bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 1501)
    expect(changedKeys(bob).at(-1)).toBe('/child')
    await expectLikeOracle(bob)
  })

  test('nodes that are merged in one commit tell each key once, with the value before and after', async () => {
    const [bob, mallory] = await peerAndOutsider(22)
    await bob.put('/k', 'mine')
    const chain: Forged[] = []
    for (let i = 0; i < 20; i++) {
      // The other key comes and goes again within it.
      const puts = { '/k': `${i}`, ...(i === 5 && { '/brief': '' }) }
      const tombstones = i === 9 ? [{ key: '/brief', id: chain[5]!.id }] : []
      chain.push(forge({ puts, tombstones, links: chain.slice(-1), priority: BigInt(i + 2) }))
    }
    // The first one comes last, and lets all of them go.
    for (const { id, bytes } of chain.toReversed()) mallory.say([{ id, block: bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 21)
    expect((await bob.store.stats()).counters.remoteCommits).toBe(1)
    const told = bob.changes.map(({ key, value, previous }) => [
      ...[key.toString(), previous && text(previous), value && text(value)]
    ])
    expect(told).toEqual([
      ['/k', undefined, 'mine'],
      ['/k', 'mine', '19']
    ])
    await expectLikeOracle(bob)
  })

  test('a head and its ancestor that arrive at the same time do not miss each other', async () => {
    const [bob, mallory] = await peerAndOutsider(21)
    for (let i = 0; i < 40; i++) {
      const [parent, child] = forgeChain(2, { name: `pair${i}` }) as [Forged, Forged]
      mallory.has(parent)
      mallory.say([{ id: parent.id }])
      // Its answer comes in the same instant as the child's announcement.
      await world.clock.advance(2 * world.latencyMs)
      mallory.say([{ id: child.id, block: child.bytes }])
      await world.clock.advance(2 * world.latencyMs)
    }
    await world.clock.advance(1000)
    expect(await bob.store.stats()).toMatchObject({ nodes: 80, pending: 0, wanted: 0 })
  })
})

describe('a missing ancestor', () => {
  const patient = { gapPatienceMs: 10_000 }

  test('is waited for, then gone without, and the gap is remembered', async () => {
    const [bob, mallory] = await peerAndOutsider(30, patient)
    const [, middle, top] = forgeChain(3) as [Forged, Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(9000)
    expect(await bob.store.stats()).toMatchObject({ nodes: 0, pending: 1, gaps: 0 })
    await world.clock.advance(3000)
    expect(await bob.store.stats()).toMatchObject({ nodes: 1, pending: 0, gaps: 1, wanted: 0 })
    expect((await bob.store.stats()).counters.linksGivenUp).toBe(1)
    expect(await bob.get('/chain/2')).toBe('2')
    expect(bob.view?.commonGroundLimit()).toBe(1)
    expect(bob.datastore.rows('/crdt/g')).toHaveLength(1)
    expect(bob.exchange.requests.flatMap(({ ids }) => ids)).toContain(middle.id)
    await expectLikeOracle(bob)
  })

  test('that comes later closes the gap, with what is below it', async () => {
    const [bob, mallory] = await peerAndOutsider(31, patient)
    const chain = forgeChain(4)
    const top = chain[3] as Forged
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    mallory.has(...chain)
    await world.clock.until(async () => (await bob.nodes()) === 4, 2 * 60_000)
    expect(await bob.store.stats()).toMatchObject({ gaps: 0, pending: 0, wanted: 0, heads: 1 })
    expect(await bob.headIds()).toEqual([top.id])
    expect(bob.view?.commonGroundLimit()).toBe(Number.POSITIVE_INFINITY)
    expect(bob.datastore.rows('/crdt/g')).toEqual([])
    await expectLikeOracle(bob)
    // And nothing is asked for any more.
    const requests = bob.exchange.requests.length
    await world.clock.advance(10 * 60_000)
    expect(bob.exchange.requests).toHaveLength(requests)
  })

  // Whoever says the missing block itself gets it asked for anyway; whoever has built on it says what is here already.
  test.each([
    ['the missing block as its head', 0],
    ['a head that is here', 1]
  ])('is asked of a peer that was not there before as soon as it comes, with %s', async (_, said) => {
    world = new World(32)
    const bob = await world.peer('bob', patient)
    const mallory = world.outsider('mallory')
    const chain = forgeChain(2)
    const [, top] = chain as [Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    await world.clock.advance(5000)
    world.partition(['bob'], ['mallory', 'carol'])
    mallory.has(...chain)
    const carol = await world.peer('carol')
    mallory.say([{ id: chain[said]!.id, block: chain[said]!.bytes }])
    await world.clock.advance(1000)
    expect(await carol.nodes()).toBe(said + 1)
    world.partition(['bob', 'carol'], ['mallory'])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 0, 100)
  })

  test('in its own DAG or another one: heads are true tips throughout', async () => {
    for (const [seed, childDag] of [
      [33, 'one'],
      [34, 'two']
    ] as const) {
      const [bob, mallory] = await peerAndOutsider(seed, patient)
      const bottom = forge({ puts: { '/bottom': '' }, dagName: 'one' })
      const middle = forge({ puts: { '/middle': '' }, links: [bottom], priority: 2n, dagName: 'one' })
      const top = forge({ puts: { '/top': '' }, links: [middle], priority: 3n, dagName: childDag })
      mallory.say([{ id: bottom.id, block: bottom.bytes }])
      mallory.say([{ id: top.id, block: top.bytes }])
      await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
      await expectLikeOracle(bob)
      mallory.has(middle)
      await world.clock.until(async () => (await bob.store.stats()).gaps === 0, 2 * 60_000)
      await expectLikeOracle(bob)
      expect(await bob.store.heads('one')).toHaveLength(1)
      await world.close()
    }
  })

  test('of several nodes: each gap is remembered, and one block closes them all', async () => {
    const [bob, mallory] = await peerAndOutsider(35, patient)
    const missing = forge({ puts: { '/missing': '' } })
    const children = Array.from({ length: 5 }, (_, i) =>
      forge({ puts: { [`/child/${i}`]: '' }, links: [missing], priority: 2n })
    )
    for (const { id, bytes } of children) mallory.say([{ id, block: bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 5)
    await expectLikeOracle(bob)
    mallory.say([{ id: missing.id, block: missing.bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 6)
    expect(await bob.store.stats()).toMatchObject({ gaps: 0, heads: 5 })
    await expectLikeOracle(bob)
  })

  test('a walk that is slow is no gap: patience counts from the last progress', async () => {
    const [bob, mallory] = await peerAndOutsider(36, patient)
    const chain = forgeChain(12)
    mallory.has(...chain)
    mallory.rules.delayMs = 4000
    mallory.say([{ id: chain[11]!.id }])
    await world.clock.until(async () => (await bob.nodes()) > 0, 100_000)
    expect(world.clock.now()).toBeGreaterThan(4 * patient.gapPatienceMs)
    expect(await bob.store.stats()).toMatchObject({ nodes: 12, gaps: 0 })
    expect((await bob.store.stats()).counters.linksGivenUp).toBe(0)
  })

  test('new gaps do not put off the retry of old ones', async () => {
    const [bob, mallory] = await peerAndOutsider(37, { gapPatienceMs: 1000 })
    const chain = forgeChain(2)
    mallory.say([{ id: chain[1]!.id, block: chain[1]!.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    mallory.has(...chain)
    let gaps = 1
    for (let i = 0; i < 20 && (await bob.nodes()) < 2 + i; i++) {
      const other = forge({ puts: { [`/other/${i}`]: '' }, links: [forge({ puts: { '/nowhere': `${i}` } })] })
      mallory.say([{ id: other.id, block: other.bytes }])
      await world.clock.advance(10_000)
      gaps++
    }
    // It was retried once a minute, although a gap was opened every ten seconds.
    expect(gaps).toBeLessThan(10)
    expect(await bob.get('/chain/0')).toBe('0')
  })
})

describe('later is later', () => {
  test('a write outranks a block that was received and still waits for its ancestors', async () => {
    const [bob, mallory] = await peerAndOutsider(40)
    const chain = forgeChain(500, { name: 'deep' })
    const top = forge({ puts: { '/k': 'theirs' }, links: [chain[499]!], priority: 501n })
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(1000)
    expect(await bob.nodes()).toBe(0)
    await bob.put('/k', 'mine')
    expect((await bob.store.heads())[0]?.priority).toBe(502n)
    mallory.has(...chain)
    await world.clock.until(async () => (await bob.nodes()) === 502, 120_000)
    expect(await bob.get('/k')).toBe('mine')
    await expectLikeOracle(bob)
  })

  test('also after a restart in between', async () => {
    let [bob, mallory] = await peerAndOutsider(41)
    const chain = forgeChain(2)
    const top = forge({ puts: { '/k': 'theirs' }, links: [chain[1]!], priority: 2n ** 53n + 1n })
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(1000)
    bob = await bob.restart()
    await bob.put('/k', 'mine')
    expect((await bob.store.heads())[0]?.priority).toBe(2n ** 53n + 2n)
  })

  test('a number that was not verified does not count', async () => {
    const [bob, mallory] = await peerAndOutsider(42)
    const liar = forge({ priority: 2n ** 60n })
    const other = forge({ priority: 2n ** 61n, puts: { '/x': '' } })
    mallory.rules.lie = () => other.bytes
    mallory.has(liar)
    mallory.say([{ id: liar.id, block: other.bytes }])
    mallory.say([{ id: forgeBytes(Uint8Array.of(1, 2, 3)).id }])
    await world.clock.advance(60_000)
    expect((await bob.store.stats()).clock).toBe(0n)
    await bob.put('/k', '1')
    expect((await bob.store.heads())[0]?.priority).toBe(1n)
  })

  test('a joiner that writes before it has caught up does not lose to what it has heard of', async () => {
    world = new World(43)
    const alice = await world.peer('alice')
    await alice.history(300)
    await alice.put('/k/0', 'old')
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) >= 64)
    expect(await bob.nodes()).toBeLessThan(300)
    const { clock } = await bob.store.stats()
    await bob.put('/k/0', 'new')
    const [head] = await bob.store.heads()
    expect(head?.priority).toBeGreaterThan(clock)
    // With its head heard of by gossip, inlined, the joiner knows the greatest priority before anything below it.
    const carol = await world.peer('carol', { goLike: true })
    await alice.put('/other', 'one')
    await world.clock.advance(world.latencyMs)
    expect(await carol.nodes()).toBe(0)
    await carol.put('/k/0', 'newest')
    await world.clock.advance(60_000)
    for (const peer of [alice, bob, carol]) expect(await peer.get('/k/0')).toBe('newest')
  })
})
