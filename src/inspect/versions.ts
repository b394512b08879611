/**
 * The alive versions of a key, the winner first.
 *
 * Versions are ranked by the merge rule (`crdt/winner.ts`). Ids and priorities of all of them are in memory, about
 * 150 bytes each; values are read one after the other, but for those of equal priority, whose order depends on them.
 */
import type { BlockId } from '../crdt/delta.ts'
import { compareVersions, type Version } from '../crdt/winner.ts'
import { BlockValues } from '../replica/block-values.ts'
import type { Layout } from '../storage/keys.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { AppliedRow } from '../storage/rows.ts'
import type { SetStore } from '../storage/set-store.ts'

/** What is read of the store. */
export interface Reader {
  log: LogStore
  sets: SetStore
  values: BlockValues
}

export function readerOf({ log, sets, layout }: { log: LogStore; sets: SetStore; layout: Layout }): Reader {
  return { log, sets, values: new BlockValues(log, layout) }
}

/** A version and the node that made it. */
export interface RankedVersion extends Version {
  node: AppliedRow
}

export async function* rankedVersions(reader: Reader, key: string): AsyncGenerator<RankedVersion> {
  const alive: Array<{ id: BlockId; priority: bigint }> = []
  for await (const version of reader.sets.alive(key)) alive.push(version)
  alive.sort((a, b) => (a.priority === b.priority ? 0 : a.priority > b.priority ? -1 : 1))
  for (let from = 0, to = 0; from < alive.length; from = to) {
    while (to < alive.length && alive[to]?.priority === alive[from]?.priority) to++
    const tied: Version[] = []
    for (const { id, priority } of alive.slice(from, to)) {
      // It may have been removed while others were read.
      const value = await reader.values.find(id, key)
      if (value !== undefined) tied.push({ id, priority, value })
    }
    for (const version of tied.sort((a, b) => compareVersions(b, a))) {
      const node = await reader.log.applied(version.id)
      if (node !== undefined) yield { ...version, node }
    }
  }
}
