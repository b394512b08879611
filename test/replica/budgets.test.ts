// The budget of a peer: what its heads led to is bounded, in memory and on disk, whatever those heads are.
import { Key } from 'interface-datastore'
import { afterEach, expect, test } from 'vitest'
import { type Forged, forgeChain, forgeNode, missingNode } from '../../src/testkit/hostile/forged.ts'
import { World } from '../../src/testkit/world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

/** Nodes without links, and their ids. */
function forgeMany(count: number, name: string): Forged[] {
  return Array.from({ length: count }, (_, index) => forgeNode({ puts: [[`/${name}`, `${index}`]] }))
}

test('a head that was dropped over a budget, and is one too many to be remembered, leaves no row behind', async () => {
  world = new World({ seed: 1 })
  const bob = await world.replica('bob', {
    ...{ pendingBlocksPerPeerMax: 16, wantedHeadsMax: 4, gapPatienceMs: 600_000 }
  })
  const mallory = await world.hostile('mallory')
  await world.advance(1000)
  const heads = Array.from({ length: 24 }, (_, index) => {
    const links = [missingNode(`${index}`)]
    return forgeNode({ puts: [['/head', `${index}`]], links, priority: 2n })
  })
  // Each is remembered, comes again, and is dropped again when there is no room to remember it.
  for (const head of [...heads, ...heads, ...heads, ...heads]) {
    mallory.tell([head], 'inlined')
    await world.advance(100)
  }
  await bob.store.put(new Key('/own'), new Uint8Array())
  const { pending, counters } = await bob.store.stats()
  expect(counters.droppedHeads).toBeGreaterThan(0)
  const rows = [...bob.disk.entries()].filter(([row]) => row.startsWith('/crdt/w/'))
  // Those that wait, and those that are remembered until there is room for them.
  expect(rows.length).toBeLessThanOrEqual(pending + 4)
}, 30_000)

test('blocks that wait for a few links at first cannot come to wait for thousands later', async () => {
  world = new World({ seed: 2 })
  const limits = { pendingBlocksPerPeerMax: 64, gapPatienceMs: 600_000, wantedHeadsMax: 100 }
  const bob = await world.replica('bob', limits)
  const mallory = await world.hostile('mallory')
  await world.advance(1000)
  const [last, ...here] = forgeMany(1024, 'here').reverse() as [Forged, ...Forged[]]
  mallory.tell(here, 'inlined')
  await world.clock.until(async () => (await bob.store.stats()).nodes === 1023)
  const wide = Array.from({ length: 20 }, (_, index) => {
    const later = Array.from({ length: 900 }, (_, link) => missingNode(`${index} ${link}`))
    return forgeNode({ links: [...here.map(({ id }) => id), last.id, ...later], priority: BigInt(index) })
  })
  // Each of them waits for one link, and then for 900 others.
  mallory.tell(wide, 'inlined')
  await world.advance(1000)
  expect((await bob.store.stats()).pending).toBe(20)
  mallory.tell([last], 'inlined')
  await world.advance(1000)
  const { wanted, pending } = await bob.store.stats()
  expect(pending).toBeGreaterThan(0)
  expect(wanted).toBeLessThan(1024 + 100)
}, 30_000)

test('a branch longer than the budget, whose end nobody has, is merged over the gap and not fetched for ever', async () => {
  // A stream brings its end first. Dropping that over the budget would drop all of it, and the patience with it.
  world = new World({ seed: 3 })
  const bob = await world.replica('bob', { pendingBlocksPerPeerMax: 16, gapPatienceMs: 5000 })
  const mallory = await world.hostile('mallory')
  await world.advance(1000)
  const chain = forgeChain(60, { name: 'long', below: missingNode('nobody has it') })
  mallory.tell(chain, 'streamed')
  await world.clock.until(async () => (await bob.store.stats()).nodes === 60, { withinMs: 10 * 60_000 })
  const { gaps, counters } = await bob.store.stats()
  expect(gaps).toBe(1)
  // A block is fetched again in each pass over the branch, and there are as many passes as it has budgets.
  expect(counters.receivedBlocks).toBeLessThan(60 * 12)
}, 60_000)

test.each(['streamed', 'by id'] as const)(
  'a branch that fits into no budget of those who tell of it, %s, causes no storm while it waits',
  async (how) => {
    // What was dropped over the budget of one peer was asked for again at once, for there was room in that of another.
    world = new World({ seed: 4 })
    const limits = { pendingBlocksPerPeerMax: 64, pendingBytesPerPeerMax: 65_536, gapPatienceMs: 60_000 }
    const bob = await world.replica('bob', limits)
    const peers = await Promise.all(
      ['mallory', 'malory', 'mal'].map(async (name) => await world.hostile(name))
    )
    await world.advance(1000)
    const chain = forgeChain(90, { name: 'long', padding: 2000, below: missingNode('nobody has it') })
    for (const peer of peers) peer.tell(chain, how)
    await world.advance(50_000)
    const waiting = await bob.store.stats()
    expect(waiting.pending).toBeGreaterThan(0)
    // Each budget is filled once, from the head down.

    expect(waiting.counters.receivedBlocks).toBeLessThan(90 * 6)
    await world.clock.until(async () => (await bob.store.stats()).nodes === 90, { withinMs: 30 * 60_000 })
    expect((await bob.store.stats()).gaps).toBe(1)
  },
  60_000
)

test('more heads than fit into a budget are not fetched again and again while they wait', async () => {
  world = new World({ seed: 5 })
  const bob = await world.replica('bob', { pendingBlocksPerPeerMax: 16, gapPatienceMs: 600_000 })
  const mallory = await world.hostile('mallory')
  await world.advance(1000)
  const heads = Array.from({ length: 24 }, (_, index) =>
    forgeNode({ puts: [['/head', `${index}`]], links: [missingNode(`${index}`)], priority: 2n })
  )
  for (let round = 0; round < 10; round++) {
    mallory.tell(heads, 'inlined')
    await world.advance(10_000)
  }
  expect((await bob.store.stats()).counters.pendingEvicted).toBeLessThan(24 * 3)
}, 60_000)
