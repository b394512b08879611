// A store that has grown: who joins it catches up in a constant number of round trips, and goes on after a crash where
// it was; and those who have it and wrote apart send each other what is new and little else.
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import type { SimulatedReplica } from '../../src/testkit/simulated-replica.ts'
import { World } from '../../src/testkit/world.ts'

const DELTAS = 10_000
/** Greeting, and one answer for everything, at 10 ms each way; and the bytes on a wire of 1 MB/s. */
const CATCH_UP_MS = 15_000

/** Writes so many deltas at once. */
async function grow(world: World, { name, store }: SimulatedReplica, deltas: number): Promise<void> {
  const writes = Array.from({ length: deltas }, (_, index) =>
    store.put(new Key(`/k/${index % 100}`), new TextEncoder().encode(`${name} ${index}`))
  )
  await world.run(Promise.all(writes))
}

test('a joiner of a store of 10,000 deltas needs a few streams, also when it crashes half way', async () => {
  const world = new World({ seed: 1, link: { bytesPerMs: 1000 } })
  const alice = await world.replica('alice', { coalesce: false })
  await grow(world, alice, DELTAS)
  const bob = await world.replica('bob')
  await world.clock.until(async () => (await bob.store.stats()).nodes > DELTAS / 3)
  bob.crash()
  const kept = [...bob.disk.entries()].filter(([row]) => row.startsWith('/crdt/a/')).length
  expect(kept).toBeGreaterThan(DELTAS / 3)
  const [opened, begun, bytes] = [world.network.opened, world.clock.now(), world.network.bytes]
  await world.run(bob.start())
  // It writes before it is level, on top of what it heard of.
  await world.run(bob.store.put(new Key('/k/0'), new Uint8Array()))
  await world.converge()
  const { counters } = await bob.store.stats()
  // What was kept is not fetched again, but for what was under way.
  expect(counters.receivedBlocks).toBe(DELTAS - kept)
  expect(counters.duplicateBlocks).toBeLessThan(DELTAS / 10)
  expect(world.network.opened - opened).toBeLessThan(8)
  expect(world.clock.now() - begun).toBeLessThan(CATCH_UP_MS)
  expect(world.network.bytes - bytes).toBeLessThan(300 * DELTAS)
  await checkEqualsOracle(bob)
  await world.close()
}, 240_000)

test('two sides that extend a store of 10,000 deltas apart send each other what is new, and little else', async () => {
  const APART = 500
  const world = new World({ seed: 2, link: { bytesPerMs: 1000 } })
  const [alice, bob, carol, dave] = (await world.replicas(['alice', 'bob', 'carol', 'dave'], {
    coalesce: false
  })) as [SimulatedReplica, SimulatedReplica, SimulatedReplica, SimulatedReplica]
  await grow(world, alice, DELTAS)
  await world.converge()
  world.partition(['alice', 'bob'], ['carol', 'dave'])
  // Both of a side write at the same time, so that its history is no line.
  await Promise.all([alice, bob, carol, dave].map((replica) => grow(world, replica, APART)))
  const replicas = [alice, bob, carol, dave]
  const nodes = async (): Promise<number[]> =>
    await Promise.all(replicas.map(async ({ store }) => (await store.stats()).nodes))
  await world.clock.until(async () => (await nodes()).every((count) => count === DELTAS + 2 * APART))
  const received = async (): Promise<number> => {
    const stats = await Promise.all(replicas.map(({ store }) => store.stats()))
    return stats.reduce((sum, { counters }) => sum + counters.receivedBlocks + counters.duplicateBlocks, 0)
  }
  const [before, begun, bytes] = [await received(), world.clock.now(), world.network.bytes]
  world.heal()
  await world.converge()
  expect(new Set(await nodes())).toEqual(new Set([DELTAS + 4 * APART]))
  // Each of the four lacks what two wrote.
  const lacking = 4 * 2 * APART
  expect((await received()) - before).toBeLessThan(3 * lacking)
  expect(world.network.bytes - bytes).toBeLessThan(3 * lacking * 300)
  expect(world.clock.now() - begun).toBeLessThan(CATCH_UP_MS)
  await checkEqualsOracle(dave)
  await world.close()
}, 240_000)
