/**
 * What the remote path needs of the rest of the replica. Types only.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { PendingStore } from '../storage/pending-store.ts'
import type { ReplicaCounters } from './counters.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import type { RefusedBlock } from './listener.ts'
import type { PeerName } from './ports.ts'
import type { ReplicaState } from './state.ts'

export interface IngestInit {
  log: LogStore
  pendingStore: PendingStore
  state: ReplicaState
  limits: Limits
  counters: ReplicaCounters
  /** DAGs of which nothing is taken. */
  ignored: Pick<IgnoredDags, 'has' | 'hasNode'>
  /** A block was of such a DAG, and dropped. */
  dropped(id: BlockId, dagName: string): void
  /** A block is counted as bad, and may be dropped. */
  refused(block: RefusedBlock): void
  /** There is something for the writer to do. */
  wake(): void
  /** Blocks that are missing, and who led here; `root` where they are heads that were dropped for a while. */
  want(ids: Iterable<BlockId>, from: PeerName, root: boolean): void
  /** This one is here; says whether it was wanted as a head. */
  arrived(id: BlockId): boolean
  /** A head that was dropped for a while, which a restart must not forget. */
  remember(id: BlockId): void
  /** Such a head was given up all the same. */
  forget(id: BlockId): void
  /** Nobody waits for this one any more. */
  unwant(id: BlockId): void
}
