/**
 * A thousand puts under way at once, which may share commits and nodes.
 */
import type { Benchmark } from '../benchmark.ts'
import { pairedWrites } from '../paired-writes.ts'
import { putAtOnce } from '../stores.ts'

const PUTS = 1000

export const putConcurrent: Benchmark = {
  name: 'put-concurrent',
  about: 'Promise.all of 1,000 puts, and their speed in as many at once of raw datastore-level',
  figures: {
    rate: { unit: 'puts/s', better: 'more', target: 40_000 },
    speed: { unit: 'x raw', better: 'more' }
  },
  runs: { full: 15, quick: 7 },
  warmUps: 3,
  prepare: pairedWrites({ name: 'put-concurrent', count: PUTS, write: putAtOnce, counted: 'keys' })
}
