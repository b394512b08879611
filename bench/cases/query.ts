/**
 * A query that reads every key and value, against that of a raw datastore-level of as many rows in the same run.
 */
import type { Datastore } from 'interface-datastore'
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { Contest, figuresOfTurns, rivalFigures } from '../rivals/contest.ts'
import { openLevel, openStore, putBatch } from '../stores.ts'
import { milliseconds, turns } from '../timing.ts'
import { makeEntries, numberOf } from '../workload.ts'

const ROWS = 20_000

export const query: Benchmark = {
  name: 'query',
  about: 'a query of 20,000 keys and values, in raw datastore-level queries',
  figures: {
    speed: { unit: 'x raw', better: 'more', target: 0.8 },
    rate: { unit: 'rows/s', better: 'more' },
    ...rivalFigures({ 'go-ds-crdt': undefined }, 'rows/s')
  },
  runs: { full: 15, quick: 7 },
  warmUps: 2,
  async prepare(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    await putBatch(store, makeEntries('query', ROWS))
    await putBatch(raw, makeEntries('query', ROWS))
    const contest = await Contest.start(scope, ['go-ds-crdt'])
    const rows = { prefix: 'query', from: 0, count: ROWS }
    await contest.fill('query', ROWS)
    const take = turns(scope.options)
    return async () => {
      const times = await take({
        ours: () => milliseconds(() => readAll(store)),
        raw: () => milliseconds(() => readAll(raw)),
        ...contest.contestants('query', ROWS, () => rows)
      })
      return figuresOfTurns(times, ROWS)
    }
  }
}

async function readAll(store: Datastore): Promise<void> {
  let rows = 0
  let sum = 0
  for await (const { value } of store.query({ prefix: '/query/' })) {
    rows += 1
    sum += numberOf(value)
  }
  checkEqual(rows, ROWS, 'rows')
  checkEqual(sum, (ROWS * (ROWS - 1)) / 2, 'the sum of all values')
}
