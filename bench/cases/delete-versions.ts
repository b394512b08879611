/**
 * Deletes a key that was written over and over again: every version is alive until then, and each gets a tombstone.
 */
import type { CrdtDatastore } from 'datastore-crdt'
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { Contest } from '../rivals/contest.ts'
import type { Scope } from '../scope.ts'
import { openStore } from '../stores.ts'
import { milliseconds } from '../timing.ts'
import { makeKey, makeValue } from '../workload.ts'

const VERSIONS = 2000

export const deleteVersions: Benchmark = {
  name: 'delete-versions',
  about: 'deleting a key of 2,000 versions, and how much longer it takes than one of 1,000',
  figures: {
    time: { unit: 'ms', better: 'less', bar: 200, target: 100 },
    growth: { unit: 'x 1,000', better: 'less' },
    'x go-ds-crdt': { unit: 'x', better: 'more', rival: 'go-ds-crdt' },
    'go-ds-crdt': { unit: 'ms', better: 'less', rival: 'go-ds-crdt' }
  },
  runs: { full: 9, quick: 5 },
  warmUps: 2,
  async prepare(scope) {
    // Puts made together shall become versions of their own, as awaited ones do.
    const store = await openStore(scope, { coalesce: false })
    const theirs = await timeOfRival(scope)
    let keys = 0
    return async () => {
      const half = await timeOf(store, keys++, VERSIONS / 2)
      const time = await timeOf(store, keys++, VERSIONS)
      return { time, growth: time / half, 'x go-ds-crdt': theirs / time, 'go-ds-crdt': theirs }
    }
  }
}

async function timeOf(store: CrdtDatastore, index: number, versions: number): Promise<number> {
  const key = makeKey('delete-versions', index)
  await Promise.all(Array.from({ length: versions }, (_, version) => store.put(key, makeValue(version))))
  checkEqual((await store.stats()).elements, versions, 'versions')
  const time = await milliseconds(() => store.delete(key))
  const { keys, elements } = await store.stats()
  checkEqual(keys + elements, 0, 'keys and versions after the delete')
  checkEqual(String(await store.has(key)), 'false', 'the key after the delete')
  return time
}

/** How long go-ds-crdt takes for as many. Once: it is half a minute. In a quick run it has but a quarter of them. */
async function timeOfRival(scope: Scope): Promise<number> {
  const contest = await Contest.start(scope, ['go-ds-crdt'])
  const versions = scope.options.quick ? VERSIONS / 4 : VERSIONS
  const key = { prefix: 'delete-versions', from: 0, count: versions }
  await contest.contestants('overwrite', versions, () => key)['go-ds-crdt']?.()
  return (await contest.contestants('remove', 1, () => key)['go-ds-crdt']?.()) ?? Number.NaN
}
