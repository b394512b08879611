/**
 * Curves of one process: keys, versions of a key, and sizes of values.
 */
import type { CrdtDatastore } from 'datastore-crdt'
import type { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'
import { checkEqual } from '../benchmark.ts'
import { openAlone } from '../cases/open.ts'
import { ofGo, startGoPeer } from '../rivals/go-peers.ts'
import { Scope } from '../scope.ts'
import { median } from '../statistics.ts'
import { openLevel, openStore, putBatch, putOneByOne } from '../stores.ts'
import { milliseconds } from '../timing.ts'
import { makeEntries, makeKey, makeValue, numberOf } from '../workload.ts'
import type { Curve, Point } from './curve.ts'

/** Times that a point is the median of, after one that does not count. */
const REPEATS = 3

async function medianTime(work: (repeat: number) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat++) times.push(await milliseconds(() => work(repeat)))
  return median(times.slice(1))
}

const KEYS = [1000, 10_000, 100_000, 1_000_000]
const KEYS_AT_ONCE = 10_000
const OPERATIONS = 1000

/** How many of these a quick run has. */
export function few<T>(scope: Scope, values: readonly T[], count: number): readonly T[] {
  return scope.options.quick ? values.slice(0, count) : values
}

export const keys: Curve = {
  name: 'keys',
  about: 'puts, gets and rows of a query, over the number of keys in the store',
  x: { label: 'keys in the store', isLog: true },
  y: { label: 'microseconds each', isLog: true },
  async *points(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    let count = 0
    for (const x of few(scope, KEYS, 3)) {
      for (; count < x; count += Math.min(KEYS_AT_ONCE, x - count)) {
        const some = makeEntries('keys', Math.min(KEYS_AT_ONCE, x - count), count)
        await Promise.all([putBatch(store, some), putBatch(raw, some)])
      }
      for (const [line, datastore] of [
        ['datastore-crdt', store] as const,
        ['raw datastore-level', raw] as const
      ]) {
        yield* costsOf(line, datastore, x)
      }
    }
  }
}

async function* costsOf(
  line: string,
  datastore: CrdtDatastore | LevelDatastore,
  count: number
): AsyncIterable<Point> {
  const step = Math.max(1, Math.floor(count / OPERATIONS))
  const get = await medianTime(async (repeat) => {
    for (let index = 0; index < OPERATIONS; index++) {
      const number = (index * step * 7 + repeat) % count
      checkEqual(numberOf(await datastore.get(makeKey('keys', number))), number, 'a value')
    }
  })
  const query = await medianTime(() => checkRows(datastore, count))
  const put = await medianTime((repeat) =>
    putOneByOne(datastore, makeEntries(`put-${count}-${repeat}`, OPERATIONS))
  )
  for (const [what, ms, times] of [
    ['get', get, OPERATIONS],
    ['row of a query', query, count],
    ['put', put, OPERATIONS]
  ] as const) {
    yield { line: `${line}: ${what}`, x: count, y: (ms / times) * 1000 }
  }
}

async function checkRows(datastore: Datastore, count: number): Promise<void> {
  let rows = 0
  for await (const { value } of datastore.query({ prefix: '/keys/' })) rows += value.length > 0 ? 1 : 0
  checkEqual(rows, count, 'rows')
}

export const opening: Curve = {
  name: 'opening',
  about: 'opening a store in a fresh process, over its keys',
  x: { label: 'keys in the store', isLog: true },
  y: { label: 'milliseconds', isLog: false },
  async *points(scope) {
    const folder = await scope.folder()
    let count = 0
    for (const x of few(scope, KEYS, 3)) {
      await Scope.run(scope.options, async (inner) => {
        const store = await openStore(inner, { folder })
        for (; count < x; count += Math.min(KEYS_AT_ONCE, x - count)) {
          await putBatch(store, makeEntries('open', Math.min(KEYS_AT_ONCE, x - count), count))
        }
      })
      const times: number[] = []
      for (let repeat = 0; repeat <= REPEATS; repeat++) times.push((await openAlone(scope, folder, x)).ms)
      yield { line: 'datastore-crdt', x, y: median(times.slice(1)) }
    }
  }
}

const VERSIONS = [1, 10, 100, 500, 1000, 2000]
/** go-ds-crdt takes half a minute for the last. */
const GO_VERSIONS = [1, 10, 100, 500, 1000, 2000]

export const versions: Curve = {
  name: 'versions',
  about: 'deleting a key, over how many versions of it are alive',
  x: { label: 'versions of the key', isLog: true },
  y: { label: 'milliseconds for the delete', isLog: true },
  async *points(scope) {
    // Puts made together shall become versions of their own, as awaited ones do.
    const store = await openStore(scope, { coalesce: false })
    for (const x of VERSIONS) {
      const times: number[] = []
      for (let repeat = 0; repeat <= REPEATS; repeat++) {
        const key = makeKey(`versions-${x}`, repeat)
        await Promise.all(Array.from({ length: x }, (_, version) => store.put(key, makeValue(version))))
        checkEqual((await store.stats()).elements, x, 'versions')
        times.push(await milliseconds(() => store.delete(key)))
        checkEqual((await store.stats()).elements, 0, 'versions after the delete')
      }
      yield { line: 'datastore-crdt', x, y: median(times.slice(1)) }
    }
    const theirs = await ofGo(scope, 'versions', async (inner) => {
      const points: Point[] = []
      const { peer } = await startGoPeer(inner, 'versions')
      for (const x of few(scope, GO_VERSIONS, 4)) {
        await peer.call('overwrite', { prefix: 'versions', from: x, count: x })
        points.push({ line: 'go-ds-crdt', x, y: await peer.time('remove', { prefix: 'versions', from: x }) })
      }
      return points
    })
    yield* theirs ?? []
  }
}

const VALUE_SIZES = [10, 100, 1024, 8192, 65_536, 524_288]

export const values: Curve = {
  name: 'values',
  about: 'puts and gets, over the size of the value',
  x: { label: 'bytes of the value', isLog: true },
  y: { label: 'microseconds each', isLog: true },
  async *points(scope) {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    for (const x of VALUE_SIZES) {
      const operations = Math.max(20, Math.min(OPERATIONS, Math.floor(2 ** 23 / x)))
      for (const [line, datastore] of [
        ['datastore-crdt', store] as const,
        ['raw datastore-level', raw] as const
      ]) {
        const value = new Uint8Array(x).fill(7)
        const keysOf = (repeat: number) =>
          Array.from({ length: operations }, (_, index) => makeKey(`values-${x}-${repeat}`, index))
        const put = await medianTime(async (repeat) => {
          for (const key of keysOf(repeat)) await datastore.put(key, value)
        })
        const get = await medianTime(async (repeat) => {
          for (const key of keysOf(repeat)) checkEqual((await datastore.get(key)).length, x, 'bytes')
        })
        yield { line: `${line}: put`, x, y: (put / operations) * 1000 }
        yield { line: `${line}: get`, x, y: (get / operations) * 1000 }
      }
    }
  }
}
