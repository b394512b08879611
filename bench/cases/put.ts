/**
 * Puts that are awaited one by one, against those of a raw datastore-level in the same run.
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkEntries, openLevel, openStore, putOneByOne } from '../stores.ts'
import { alternating } from '../timing.ts'
import { makeEntries } from '../workload.ts'

const PUTS = 2000

export const put: Benchmark<'speed' | 'rate'> = {
  name: 'put',
  about: 'puts awaited one by one, and their speed in raw datastore-level puts',
  figures: {
    speed: { unit: 'x raw', better: 'more', bar: 0.35, target: 0.5 },
    rate: { unit: 'puts/s', better: 'more' }
  },
  runs: { full: 15, quick: 7 },
  warmUps: 12,
  async prepare(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    const pair = alternating()
    let written = 0
    return async () => {
      const entries = makeEntries('put', PUTS, written)
      const { ours, theirs } = await pair(
        () => putOneByOne(store, entries),
        () => putOneByOne(raw, entries)
      )
      written += PUTS
      checkEqual((await store.stats()).nodes, written, 'nodes')
      await checkEntries(store, entries)
      return { speed: theirs / ours, rate: (PUTS / ours) * 1000 }
    }
  }
}
