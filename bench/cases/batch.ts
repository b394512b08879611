/**
 * A batch of ten thousand new keys.
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkEntries, openLevel, openStore, putBatch } from '../stores.ts'
import { alternating } from '../timing.ts'
import { makeEntries } from '../workload.ts'

const KEYS = 10_000
/** Reading all of them back would take longer than writing them. */
const KEYS_CHECKED = 500

export const batch: Benchmark<'rate' | 'speed'> = {
  name: 'batch',
  about: 'a batch of 10,000 new keys, and its speed in batches of raw datastore-level',
  figures: {
    rate: { unit: 'keys/s', better: 'more', target: 60_000 },
    speed: { unit: 'x raw', better: 'more' }
  },
  runs: { full: 9, quick: 5 },
  warmUps: 2,
  async prepare(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    const pair = alternating()
    let written = 0
    return async () => {
      const entries = makeEntries('batch', KEYS, written)
      const { ours, theirs } = await pair(
        () => putBatch(store, entries),
        () => putBatch(raw, entries)
      )
      written += KEYS
      checkEqual((await store.stats()).keys, written, 'keys')
      await checkEntries(
        store,
        entries.filter((_, index) => index % (KEYS / KEYS_CHECKED) === 0)
      )
      return { rate: (KEYS / ours) * 1000, speed: theirs / ours }
    }
  }
}
