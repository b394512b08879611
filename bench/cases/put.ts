/**
 * Puts that are awaited one by one, against those of a raw datastore-level in the same run, and against the least that a put
 * of a Merkle-CRDT does there.
 */
import type { Benchmark } from '../benchmark.ts'
import { LeastPuts } from '../least-put.ts'
import { pairedWrites } from '../paired-writes.ts'
import { rivalFigures } from '../rivals/contest.ts'
import { putOneByOne } from '../stores.ts'

const PUTS = 2000

const RIVALS = { 'go-ds-crdt': 2, 'js-ds-crdt': undefined, OrbitDB: undefined } as const

export const put: Benchmark = {
  name: 'put',
  about: 'puts awaited one by one, and their speed in raw datastore-level puts',
  figures: {
    speed: { unit: 'x raw', better: 'more', bar: 0.35, target: 0.5 },
    rate: { unit: 'puts/s', better: 'more' },
    'of the least': { unit: 'x the least', better: 'more' },
    least: { unit: 'x raw', better: 'more' },
    ...rivalFigures(RIVALS, 'puts/s')
  },
  runs: { full: 15, quick: 7 },
  warmUps: 12,
  prepare: pairedWrites({
    ...{ name: 'put', count: PUTS, write: putOneByOne, counted: 'nodes' },
    least: (datastore) => {
      const puts = new LeastPuts(datastore)
      return (entries) => puts.putOneByOne(entries)
    },
    rivals: { names: ['go-ds-crdt', 'js-ds-crdt', 'OrbitDB'], method: 'puts' }
  })
}
