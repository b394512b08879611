/**
 * What benchmarks of local writes share: the same entries are written to a store and to a raw datastore-level, one
 * after the other, and the store is checked to have them.
 */
import type { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'
import { checkEqual, type Sample } from './benchmark.ts'
import { Contest, figuresOfTurns } from './rivals/contest.ts'
import type { RivalName } from './rivals/rival.ts'
import type { Scope } from './scope.ts'
import { checkEntries, openLevel, openStore } from './stores.ts'
import { milliseconds, turns } from './timing.ts'
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
  /** What else writes the same, into a raw datastore-level of its own; `least` is the figure that tells of it. */
  least?: (datastore: LevelDatastore) => (entries: readonly Entry[]) => Promise<void>
  /** Who writes the same, and by which of its methods. */
  rivals?: { names: readonly RivalName[]; method: string }
}

/** How a benchmark of writes prepares: its speed is in raw datastore-levels, its rate in entries a second. */
export function pairedWrites({
  name,
  count,
  write,
  counted,
  checkEvery = 1,
  least,
  rivals
}: PairedWritesInit) {
  return async (scope: Scope): Promise<() => Promise<Sample>> => {
    const store = await openStore(scope)
    const raw = await openLevel(scope)
    const writeLeast = least?.(await openLevel(scope))
    const contest = await Contest.start(scope, rivals?.names ?? [])
    const take = turns(scope.options)
    let written = 0
    return async () => {
      const from = written
      const entries = makeEntries(name, count, from)
      const times = await take({
        ours: () => milliseconds(() => write(store, entries)),
        raw: () => milliseconds(() => write(raw, entries)),
        ...(writeLeast && { least: () => milliseconds(() => writeLeast(entries)) }),
        ...contest.contestants(rivals?.method ?? '', count, (share) => ({
          prefix: name,
          from,
          count: share
        }))
      })
      written += count
      checkEqual((await store.stats())[counted], written, counted)
      await checkEntries(
        store,
        entries.filter((_, index) => index % checkEvery === 0)
      )
      return figuresOfTurns(times, count)
    }
  }
}
