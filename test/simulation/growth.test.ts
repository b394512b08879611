// A store that has grown: who joins it catches up in a constant number of round trips, and goes on after a crash where
// it was.
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import { World } from '../../src/testkit/world.ts'

const DELTAS = 10_000
/** Greeting, and one answer for everything, at 10 ms each way; and the bytes on a wire of 1 MB/s. */
const CATCH_UP_MS = 15_000

test('a joiner of a store of 10,000 deltas needs a few streams, also when it crashes half way', async () => {
  const world = new World({ seed: 1, link: { bytesPerMs: 1000 } })
  const alice = await world.replica('alice', { coalesce: false })
  const writes = Array.from({ length: DELTAS }, (_, index) =>
    alice.store.put(new Key(`/k/${index % 100}`), new TextEncoder().encode(`${index}`))
  )
  await world.run(Promise.all(writes))
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
