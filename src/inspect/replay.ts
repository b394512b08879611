/**
 * What nodes did to the keys, told from the log afterwards.
 *
 * The log holds what every node says and not what each key was worth at the time. So a key comes with the value that
 * it has now, from the node that made it; nodes before that one leave it out. Whoever applies what is told, in
 * order, ends with the state as it is.
 *
 * Invariant: memory is bounded by one node, however long the log is.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { Origin } from '../storage/rows.ts'
import type { SetStore } from '../storage/set-store.ts'

/** A key that a node touched, with what it is worth now. */
export interface ReplayedChange {
  key: string
  /** Absent where the key is gone. */
  value: Uint8Array | undefined
  /** The node that touched it. */
  id: BlockId
  sequence: number
  origin: Origin
}

/** The changes of the nodes with these sequence numbers, both included, to keys that start with a prefix. */
export async function* replay(
  { log, sets }: { log: LogStore; sets: SetStore },
  { from, to, prefix }: { from: number; to: number; prefix: string }
): AsyncGenerator<ReplayedChange> {
  for await (const { id, bytes, sequence } of log.read(from, to)) {
    const { elements, tombstones } = log.codec.decode(id, bytes).delta
    const keys = new Set([...tombstones, ...elements].map(({ key }) => key))
    const origin = (await log.applied(id))?.origin
    if (origin === undefined) continue
    for (const key of keys) {
      if (!key.startsWith(prefix)) continue
      const winner = await sets.winner(key)
      const madeBy = winner === undefined ? undefined : await log.applied(winner.id)
      if (madeBy !== undefined && madeBy.sequence > sequence) continue
      yield { key, value: winner?.value, id, sequence, origin }
    }
  }
}
