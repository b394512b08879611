/**
 * A batch of ten thousand new keys.
 */
import type { Benchmark } from '../benchmark.ts'
import { pairedWrites } from '../paired-writes.ts'
import { rivalFigures } from '../rivals/contest.ts'
import { putBatch } from '../stores.ts'

const KEYS = 10_000
/** Reading all of them back would take longer than writing them. */
const KEYS_CHECKED = 500

export const batch: Benchmark = {
  name: 'batch',
  about: 'a batch of 10,000 new keys, and its speed in batches of raw datastore-level',
  figures: {
    rate: { unit: 'keys/s', better: 'more', target: 60_000 },
    speed: { unit: 'x raw', better: 'more' },
    ...rivalFigures({ 'go-ds-crdt': 4 }, 'keys/s')
  },
  runs: { full: 9, quick: 5 },
  warmUps: 2,
  prepare: pairedWrites({
    ...{ name: 'batch', count: KEYS, write: putBatch, counted: 'keys' },
    checkEvery: KEYS / KEYS_CHECKED,
    rivals: { names: ['go-ds-crdt'], method: 'batch' }
  })
}
