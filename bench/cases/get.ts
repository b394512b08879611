/**
 * Reads that are awaited one by one, against those of a raw datastore-level in the same run: of keys in no order
 * that were not read lately, and of a few keys again and again; and of as many keys by one getMany, against raw gets.
 */
import type { Datastore } from 'interface-datastore'
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { Contest, figuresOfTurns, rivalFigures } from '../rivals/contest.ts'
import { openLevel, openStore, putBatch } from '../stores.ts'
import { milliseconds, turns } from '../timing.ts'
import { type Entry, makeEntries, numberOf, shuffled } from '../workload.ts'

const KEYS = { full: 100_000, quick: 20_000 }
const KEYS_AT_ONCE = 10_000
const READS = 2000
const HOT_KEYS = 100
export const get: Benchmark = {
  name: 'get',
  about: 'gets awaited one by one, each key once or 100 keys again and again, in raw datastore-level gets',
  figures: {
    cold: { unit: 'x raw', better: 'more', target: 0.9 },
    hot: { unit: 'x raw', better: 'more', target: 5 },
    many: { unit: 'x raw', better: 'more' },
    rate: { unit: 'gets/s', better: 'more' },
    ...rivalFigures({ 'go-ds-crdt': undefined, 'js-ds-crdt': undefined, OrbitDB: undefined }, 'gets/s')
  },
  runs: { full: 15, quick: 7 },
  async prepare(scope) {
    const count = scope.options.quick ? KEYS.quick : KEYS.full
    const entries = makeEntries('get', count)
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    for (let from = 0; from < count; from += KEYS_AT_ONCE) {
      const some = entries.slice(from, from + KEYS_AT_ONCE)
      await putBatch(store, some)
      await putBatch(raw, some)
    }
    // What was cached by writing is no part of this.
    await store.stop()
    await store.start()
    const contest = await Contest.start(scope, ['go-ds-crdt', 'js-ds-crdt', 'OrbitDB'])
    await contest.fill('get', count)
    const order = shuffled(count).map((index) => entries[index]!)
    const takeCold = turns(scope.options)
    const takeHot = turns(scope.options)
    let next = 0
    return async () => {
      const cold = Array.from({ length: READS }, (_, read) => order[(next + read) % count]!)
      const many = Array.from({ length: READS }, (_, read) => order[(count / 2 + next + read) % count]!)
      next += READS
      const hot = Array.from({ length: READS }, (_, read) => order[read % HOT_KEYS]!)
      const coldTimes = await takeCold({
        ours: () => milliseconds(() => getOneByOne(store, cold)),
        raw: () => milliseconds(() => getOneByOne(raw, cold)),
        ...contest.readers(
          'get',
          cold.map(({ value }) => numberOf(value))
        )
      })
      const hotTimes = await takeHot({
        ours: () => milliseconds(() => getOneByOne(store, hot)),
        raw: () => milliseconds(() => getOneByOne(raw, hot))
      })
      const manyMs = await milliseconds(() => getTogether(store, many))
      const { speed, ...figures } = figuresOfTurns(coldTimes, READS)
      return { cold: speed, hot: hotTimes.raw / hotTimes.ours, many: coldTimes.raw / manyMs, ...figures }
    }
  }
}

async function getOneByOne(store: Datastore, entries: readonly Entry[]): Promise<void> {
  for (const { key, value } of entries) checkEqual(numberOf(await store.get(key)), numberOf(value), 'a value')
}

async function getTogether(store: Datastore, entries: readonly Entry[]): Promise<void> {
  let index = 0
  for await (const { value } of store.getMany(entries.map(({ key }) => key))) {
    checkEqual(numberOf(value), numberOf(entries[index++]!.value), 'a value')
  }
  checkEqual(index, entries.length, 'values')
}
