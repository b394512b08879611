// A clean end: `close()` in the middle of anything is prompt and leaves nothing running; waiting for a level ends.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { forgeChain, forgeMissing } from './forge.ts'
import { AtomicMemory } from './memory.ts'
import { SimulatedBroadcaster, SimulatedExchange } from './network.ts'
import { Peer, utf8, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

/** Closes a peer, and fails unless it needs no time and leaves nothing of its own. */
async function expectPromptEnd(peer: Peer, timersOfOthers: number): Promise<void> {
  const from = world.clock.now()
  const closed = peer.store.close()
  await world.clock.during(closed, 0)
  expect(world.clock.now()).toBe(from)
  expect(peer.exchange.open).toBe(0)
  expect(world.clock.timers).toBe(timersOfOthers)
}

describe('close', () => {
  test('when idle leaves no timer', async () => {
    world = new World(1)
    const bob = await world.peer('bob')
    await bob.put('/k', '1')
    await world.clock.advance(1000)
    expect(world.clock.timers).toBe(1)
    await expectPromptEnd(bob, 0)
  })

  test('during a stream', async () => {
    world = new World(2)
    const alice = await world.peer('alice')
    await alice.history(300)
    const bob = await world.peer('bob')
    await world.clock.until(async () => (await bob.nodes()) >= 64)
    expect(bob.exchange.open).toBe(1)
    await expectPromptEnd(bob, 1)
  })

  test('during a walk, with heads that nobody has and gaps to retry', async () => {
    world = new World(3)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const [, gap] = forgeChain(2, { name: 'gap' })
    mallory.say([{ id: gap!.id, block: gap!.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    const chain = forgeChain(50)
    mallory.has(...chain)
    mallory.say([{ id: chain[49]!.id }, forgeMissing('a'), forgeMissing('b')])
    await world.clock.until(async () => (await bob.store.stats()).pending > 10)
    await expectPromptEnd(bob, 0)
  })

  test('while peers do not answer', async () => {
    world = new World(4)
    const alice = await world.peer('alice', { rules: { mute: true } })
    await alice.history(5)
    const bob = await world.peer('bob')
    await world.clock.advance(500)
    expect(bob.exchange.open).toBeGreaterThan(0)
    await expectPromptEnd(bob, 1)
  })

  test('while memory is full and the disk does not answer, ends with the disk', async () => {
    world = new World(5)
    const bob = await world.peer('bob', { readyBytesMax: 64 * 1024 })
    const mallory = world.outsider('mallory')
    const chain = forgeChain(40, { padding: 10_000 })
    const go = bob.datastore.hold()
    for (const { id, bytes } of chain) {
      mallory.say([{ id, block: bytes }])
      await world.clock.advance(world.latencyMs)
    }
    const closed = bob.store.close()
    await world.clock.advance(1000)
    go()
    await world.clock.during(closed, 0)
    expect(world.clock.timers).toBe(0)
  })

  test('before a hello has arrived', async () => {
    world = new World(6)
    const alice = await world.peer('alice')
    const bob = await world.peer('bob')
    await world.clock.during(bob.store.close(), 0)
    await world.clock.advance(1000)
    expect(bob.exchange.requests).toEqual([])
    await alice.put('/k', '1')
    await world.clock.advance(1000)
    expect(world.clock.timers).toBe(1)
  })

  test('rejects a write that waits, and finishes the one that is under way', async () => {
    world = new World(7)
    const bob = await world.peer('bob')
    const go = bob.datastore.hold()
    const underWay = bob.store.put(new Key('/a'), utf8('1'))
    await world.clock.settle()
    const waiting = bob.store.put(new Key('/b'), utf8('2'))
    const closed = bob.store.close()
    await expect(waiting).rejects.toMatchObject({ name: 'ClosedError' })
    go()
    await underWay
    await world.clock.during(closed, 0)
    const again = await world.peer('bob', { datastore: bob.datastore })
    expect(await again.get('/a')).toBe('1')
    expect(await again.get('/b')).toBeUndefined()
  })

  test('a store whose network does not start leaves nothing running', async () => {
    world = new World(8)
    const peer = new Peer(world, 'bob', new AtomicMemory(), {})
    const broadcaster = new SimulatedBroadcaster(world, peer)
    const exchange = new SimulatedExchange(world, peer)
    broadcaster.start = () => Promise.reject(new Error('There is no network'))
    const { datastore } = peer
    const init = { datastore, broadcaster, exchange, topic: 'world', clock: world.clock, atomicBatch: true }
    await expect(createCrdtDatastore(init)).rejects.toThrow('There is no network')
    expect(world.clock.timers).toBe(0)
    expect(peer.view).toBeUndefined()
    // The datastore can be opened again.
    const store = await createCrdtDatastore({ datastore, topic: 'world', clock: world.clock })
    await store.close()
  })
})

test('a broadcast that never ends holds up neither a close nor what is written next', async () => {
  world = new World(9)
  const [bob, carol] = (await world.peers(['bob', 'carol'])) as [Peer, Peer]
  await world.clock.advance(100)
  const broadcast = bob.broadcaster.broadcast.bind(bob.broadcaster)
  bob.broadcaster.broadcast = () => new Promise(() => {})
  await bob.put('/k', '1')
  bob.broadcaster.broadcast = broadcast
  await bob.put('/l', '1')
  await world.clock.advance(5000)
  expect(await carol.get('/l')).toBe('1')
  expect((await bob.store.stats()).counters.broadcastsFailed).toBe(1)
  bob.broadcaster.broadcast = () => new Promise(() => {})
  await bob.put('/m', '1')
  const before = world.clock.now()
  await world.clock.during(bob.store.close())
  expect(world.clock.now() - before).toBeLessThanOrEqual(2000)
})

describe('waitForSync', () => {
  test('resolves at once when there is nothing to wait for', async () => {
    world = new World(20)
    const bob = await world.peer('bob')
    await world.clock.during(bob.store.waitForSync(), 0)
  })

  test('resolves when every head that was heard of is merged', async () => {
    world = new World(21)
    const alice = await world.peer('alice')
    await alice.history(200)
    const bob = await world.peer('bob')
    await world.clock.advance(2 * world.latencyMs)
    await world.clock.during(bob.store.waitForSync())
    expect(await bob.nodes()).toBe(200)
  })

  test('resolves when a head is given up', async () => {
    world = new World(22)
    const bob = await world.peer('bob', { gapPatienceMs: 5000 })
    world.outsider('mallory').say([forgeMissing('head')])
    await world.clock.advance(100)
    await world.clock.during(bob.store.waitForSync(), 10_000)
    expect((await bob.store.stats()).counters.droppedHeads).toBe(1)
  })

  test('resolves when what is below a head is given up after it was dropped for want of room', async () => {
    world = new World(27)
    const limits = { goLike: true, pendingBlocksPerPeerMax: 16, gapPatienceMs: 5000 }
    const bob = await world.peer('bob', limits)
    const mallory = world.outsider('mallory')
    const chain = forgeChain(60)
    mallory.has(...chain)
    mallory.say([{ id: chain[59]!.id, block: chain[59]!.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).pending >= 6)
    const wait = bob.store.waitForSync()
    await world.clock.until(async () => (await bob.store.stats()).counters.pendingEvicted > 15)
    mallory.rules.withhold = () => true
    await world.clock.during(wait)
    expect((await bob.store.stats()).counters.droppedHeads).toBe(1)
  })

  test('does not lose a head between its arrival and its place among what waits', async () => {
    world = new World(23)
    const alice = await world.peer('alice', { goLike: true })
    const bob = await world.peer('bob', { goLike: true })
    await alice.put('/large', 'x'.repeat(20_000))
    await world.clock.advance(world.latencyMs)
    const waits: Promise<void>[] = []
    let early = 0
    // Asked for after every single microtask while the block arrives, it never resolves before the head is merged.
    for (let i = 0; i < 3; i++) {
      await world.clock.advance(world.latencyMs - 0.5)
      for (let turn = 0; turn < 200; turn++) {
        const wait = bob.store.waitForSync().then(async () => {
          if ((await bob.nodes()) === 0) early++
        })
        waits.push(wait)
        await undefined
        if (turn === 0) void world.clock.advance(0.5)
      }
      await world.clock.settle()
    }
    await world.clock.during(Promise.all(waits))
    expect(early).toBe(0)
  })

  test('is aborted by its signal, also while the inbox is full', async () => {
    world = new World(24)
    const bob = await world.peer('bob', { readyBytesMax: 64 * 1024 })
    const mallory = world.outsider('mallory')
    const go = bob.datastore.hold()
    for (const { id, bytes } of forgeChain(40, { padding: 10_000 })) {
      mallory.say([{ id, block: bytes }])
      await world.clock.advance(world.latencyMs)
    }
    expect((await bob.store.stats()).counters.droppedMessages).toBeGreaterThan(0)
    const controller = new AbortController()
    const wait = bob.store.waitForSync({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(wait).rejects.toThrow('enough')
    go()
    await world.clock.advance(100)
  })

  test('is not put off for ever by heads that keep arriving', async () => {
    world = new World(25)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { gapPatienceMs: 5000 })) as [Peer, Peer]
    let done = false
    world.outsider('mallory').say([forgeMissing('head')])
    await world.clock.advance(100)
    const wait = bob.store.waitForSync().then(() => {
      done = true
    })
    for (let i = 0; !done && i < 1000; i++) {
      void alice.store.put(new Key('/k'), utf8(`${i}`))
      await world.clock.advance(100)
    }
    await wait
    expect(world.clock.now()).toBeLessThan(10_000)
  })

  test('rejects when the store is closed', async () => {
    world = new World(26)
    const bob = await world.peer('bob')
    world.outsider('mallory').say([forgeMissing('head')])
    await world.clock.advance(100)
    const wait = bob.store.waitForSync()
    const rejected = expect(wait).rejects.toMatchObject({ name: 'ClosedError' })
    await world.clock.during(bob.store.close())
    await rejected
  })
})
