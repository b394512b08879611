/**
 * What replicas say when there is nothing to say, over an hour of virtual time in the simulated world: the rebroadcast
 * that nobody else made, and no more.
 */
import { Key } from 'interface-datastore'
import { World } from '../../src/testkit/world.ts'
import { type Benchmark, checkEqual } from '../benchmark.ts'

const REPLICAS = 5
const MINUTES = 60
/** Newcomers are greeted twice, some seconds apart. */
const SETTLE_MS = 60_000
const SEED = 1

export const idle: Benchmark = {
  name: 'idle',
  about: `${REPLICAS} replicas with nothing to do, over an hour of virtual time`,
  figures: {
    // One a minute, give or take 30%: whoever is first spares the others theirs.
    broadcasts: { unit: '/minute, of all', better: 'less', target: 1.5 },
    streams: { unit: 'opened', better: 'less', target: 0 },
    timers: { unit: '/minute, of each', better: 'less', target: 2 }
  },
  runs: { full: 1, quick: 1 },
  warmUps: 0,
  async prepare() {
    return async () => {
      const world = new World({ seed: SEED, link: { latencyMs: 20 } })
      const [first] = await world.replicas(Array.from({ length: REPLICAS }, (_, index) => `r${index}`))
      await world.run(first!.store.put(new Key('/key'), new Uint8Array(100)))
      await world.converge()
      await world.advance(SETTLE_MS)
      const before = { messages: world.network.messages, streams: world.network.opened }
      const timers = countTimers(world)
      await world.advance(MINUTES * 60_000)
      const set = timers()
      for (const { store } of world.running()) checkEqual((await world.run(store.stats())).keys, 1, 'keys')
      const messages = world.network.messages - before.messages
      const streams = world.network.opened - before.streams
      await world.close()
      // The simulated network sets a timer for each message and receiver.
      const ours = set - messages * (REPLICAS - 1)
      return { broadcasts: messages / MINUTES, streams, timers: ours / MINUTES / REPLICAS }
    }
  }
}

/** Begins to count every timer that is set. */
function countTimers({ clock }: World): () => number {
  let count = 0
  const add = clock.add.bind(clock)
  clock.add = (...args) => {
    count += 1
    return add(...args)
  }
  return () => count
}
