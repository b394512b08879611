/**
 * What benchmarks of local writes share: the same entries are written to a store and to a raw datastore-level, one
 * after the other, and the store is checked to have them.
 */
import type { Datastore } from 'interface-datastore'
import { checkEqual } from './benchmark.ts'
import type { Scope } from './scope.ts'
import { checkEntries, openLevel, openStore } from './stores.ts'
import { alternating } from './timing.ts'
import { type Entry, makeEntries } from './workload.ts'

export interface PairedWritesInit {
  /** The prefix of the keys. */
  name: string
  /** Entries of one sample. */
  count: number
  write(store: Datastore, entries: readonly Entry[]): Promise<void>
  /** What there has to be one more of for every entry. */
  counted: 'nodes' | 'keys'
  /**
   * Only every so many entries are read back.
   *
   * @default 1
   */
  checkEvery?: number
}

/** How a benchmark of writes prepares: its speed is in raw datastore-levels, its rate in entries a second. */
export function pairedWrites({ name, count, write, counted, checkEvery = 1 }: PairedWritesInit) {
  return async (scope: Scope): Promise<() => Promise<{ speed: number; rate: number }>> => {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    const pair = alternating()
    let written = 0
    return async () => {
      const entries = makeEntries(name, count, written)
      const { ours, theirs } = await pair(
        () => write(store, entries),
        () => write(raw, entries)
      )
      written += count
      checkEqual((await store.stats())[counted], written, counted)
      await checkEntries(
        store,
        entries.filter((_, index) => index % checkEvery === 0)
      )
      return { speed: theirs / ours, rate: (count / ours) * 1000 }
    }
  }
}
