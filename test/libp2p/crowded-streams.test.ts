// More blocks to ask for than there are streams to ask over, on a link where every answer takes its time.
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import { World } from '../../src/testkit/world.ts'

// Each announced head was a request of its own, all of them waited for one stream, and their time ran while they waited:
// whoever came to its turn was aborted as its stream opened, and so was the stream. Nothing came for half an hour.
test('a crowd of heads that are asked for over one stream arrives, and as few requests', async () => {
  const HEADS = 120
  const world = new World({ seed: 161, link: { latencyMs: 400, jitterMs: 300 } })
  const limits = {
    // One stream for the requests of one side, no block in a broadcast, and little patience.
    ...{ syncStreamsPerPeerMax: 2, inlineBytesMax: 0, gapPatienceMs: 3000, rebroadcastIntervalMs: 5000 },
    linksMax: 1
  }
  const [alice, bob] = await world.replicas(['alice', 'bob'], { coalesce: false, ...limits })
  if (alice === undefined || bob === undefined) throw new Error('There are two replicas')
  await world.advance(5000)
  const opened = world.network.opened
  for (let i = 0; i < HEADS; i++) {
    // A DAG each, so that no head leads to another.
    await world.run(bob.store.put(new Key(`/k/${i}`), Uint8Array.of(i), { dagName: `dag ${i}` }))
    await world.advance(5)
  }
  await world.until(async () => (await alice.store.stats()).nodes === HEADS, 120_000)
  const { gaps, counters } = await alice.store.stats()
  expect({ gaps, forgotten: counters.duplicateBlocks }).toEqual({ gaps: 0, forgotten: 0 })
  expect(world.network.opened - opened).toBeLessThan(12)
  await checkEqualsOracle(alice)
  await world.close()
})
