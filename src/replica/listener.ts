/**
 * What a replica tells whoever runs it. Types only.
 *
 * Invariant: a listener is called after what it is told of is durable or decided, never in the middle of it, and
 * must not throw.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { PeerName } from './ports.ts'
import type { Committed } from './staged-commit.ts'

export interface ReplicaListener {
  /** A commit is durable; the next has not begun. */
  committed(committed: Committed): void
  /** Heads were heard of that have to be fetched. */
  syncStarted(from: PeerName): void
  /** Some of what was missing is merged. */
  syncProgressed(progress: SyncNumbers): void
  /** Everything that was heard of is merged, or was given up. */
  syncEnded(result: SyncNumbers): void
  blockRefused(block: RefusedBlock): void
  /** The datastore failed in the middle of a commit: nothing works until the store is opened again. */
  failed(error: unknown): void
  /** A peer claims another state for the same nodes. */
  diverged(divergence: Divergence): void
}

/** How far a synchronisation is. */
export interface SyncNumbers {
  /** Remote nodes merged since it began. */
  nodes: number
  /** Blocks that are here and wait for their ancestors. */
  pending: number
  /** Blocks that are looked for. */
  wanted: number
  /** Heads that nobody had, and that were dropped since it began. */
  droppedHeads: number
  /** Milliseconds since it began. */
  elapsedMs: number
}

/** Why a block from a peer has no effects, or was dropped. */
export type BlockFault =
  /** Larger than `blockBytesMax`: dropped. */
  | 'too-large'
  /** Other bytes than were asked for: dropped. */
  | 'mismatched'
  /** No dag-pb: a node without links and effects. */
  | 'not-dag-pb'
  /** Its delta does not decode: a node without effects. */
  | 'invalid-delta'

/** What became of a block: taken, here already, of a DAG that is ignored, or not what was asked for. */
export type Receipt = 'new' | 'known' | 'ignored' | 'refused'

export interface RefusedBlock {
  from: PeerName
  fault: BlockFault
  /** Absent where the bytes were not what their id says. */
  id: BlockId | undefined
}

export interface Divergence {
  peer: PeerName
  /** Digests of 32 bytes: of this replica, and the one that the peer claims. */
  ours: Uint8Array
  theirs: Uint8Array
}
