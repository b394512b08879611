/**
 * Puts that are awaited one by one, against those of a raw datastore-level in the same run.
 */
import type { Benchmark } from '../benchmark.ts'
import { pairedWrites } from '../paired-writes.ts'
import { putOneByOne } from '../stores.ts'

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
  prepare: pairedWrites({ name: 'put', count: PUTS, write: putOneByOne, counted: 'nodes' })
}
