/**
 * Opens a store that has many keys, in a fresh process. Neither the time nor the memory may grow with the keys.
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { PeerProcess } from '../peer/process.ts'
import { Scope } from '../scope.ts'
import { openStore, putBatch } from '../stores.ts'
import { makeEntries } from '../workload.ts'

const KEYS = { full: 1_000_000, quick: 50_000 }
const KEYS_AT_ONCE = 10_000

export const open: Benchmark = {
  name: 'open',
  about: 'opening a store of 1,000,000 keys (quick: 50,000), and in comparison with one of a tenth of them',
  figures: {
    time: { unit: 'ms', better: 'less', target: 1000, isOfFullSize: true },
    'growth of time': { unit: 'x a tenth', better: 'less' },
    memory: { unit: 'MiB more', better: 'less' },
    'growth of memory': { unit: 'MiB over a tenth', better: 'less', target: 10, isOfFullSize: true }
  },
  runs: { full: 7, quick: 3 },
  async prepare(scope) {
    const count = scope.options.quick ? KEYS.quick : KEYS.full
    const folders = { all: await scope.folder(), tenth: await scope.folder() }
    await fillStore(scope, folders.all, count)
    await fillStore(scope, folders.tenth, count / 10)
    return async (run) => {
      const tenth = await openAlone(run, folders.tenth, count / 10)
      const all = await openAlone(run, folders.all, count)
      return {
        time: all.ms,
        'growth of time': all.ms / tenth.ms,
        memory: all.memoryGrowth,
        'growth of memory': all.memoryGrowth - tenth.memoryGrowth
      }
    }
  }
}

/** Writes so many keys by batches into a store of a folder, and closes it. */
export async function fillStore(scope: Scope, folder: string, count: number): Promise<void> {
  await Scope.run(scope.options, async (inner) => {
    const store = await openStore(inner, { folder })
    for (let from = 0; from < count; from += KEYS_AT_ONCE) {
      await putBatch(store, makeEntries('open', Math.min(KEYS_AT_ONCE, count - from), from))
    }
  })
}

/** Opens a store in a process of its own, and checks how many keys it has. */
export async function openAlone(run: Scope, folder: string, keys: number) {
  const peer = PeerProcess.start(run, 'opener')
  const opened = await peer.call('openAlone', folder)
  checkEqual((await peer.call('state')).keys, keys, 'keys')
  await peer.end()
  return opened
}
