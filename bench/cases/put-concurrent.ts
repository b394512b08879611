/**
 * A thousand puts under way at once, which may share commits and nodes.
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkEntries, openLevel, openStore, putAtOnce } from '../stores.ts'
import { alternating } from '../timing.ts'
import { makeEntries } from '../workload.ts'

const PUTS = 1000

export const putConcurrent: Benchmark<'rate' | 'speed'> = {
  name: 'put-concurrent',
  about: 'Promise.all of 1,000 puts, and their speed in as many at once of raw datastore-level',
  figures: {
    rate: { unit: 'puts/s', better: 'more', target: 40_000 },
    speed: { unit: 'x raw', better: 'more' }
  },
  runs: { full: 15, quick: 7 },
  warmUps: 3,
  async prepare(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    const pair = alternating()
    let written = 0
    return async () => {
      const entries = makeEntries('put-concurrent', PUTS, written)
      const { ours, theirs } = await pair(
        () => putAtOnce(store, entries),
        () => putAtOnce(raw, entries)
      )
      written += PUTS
      checkEqual((await store.stats()).keys, written, 'keys')
      await checkEntries(store, entries)
      return { rate: (PUTS / ours) * 1000, speed: theirs / ours }
    }
  }
}
