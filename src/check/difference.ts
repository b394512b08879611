/**
 * What a check finds: one row that is not what the log of nodes makes it. Types only.
 */
import type { BlockId } from '../crdt/delta.ts'

/** Which part of the store a row belongs to; see the table in `storage/keys.ts`. */
export type RowKind =
  /** The block of an applied node. */
  | 'block'
  /** That a node was applied. */
  | 'applied'
  /** The value of a key. */
  | 'value'
  /** An alive version of a key beside its value. */
  | 'version'
  | 'tombstone'
  | 'head'
  | 'gap'
  | 'deferred'
  /** Counters, digest, clock and, where they are few, heads. */
  | 'state'
  /** A block that waits for its ancestors. */
  | 'pending'
  /** A head that was heard of and is not here yet. */
  | 'wanted'
  /** Layout and topic of the store. */
  | 'meta'
  /** A DAG that is ignored. */
  | 'ignored'
  /** A commit that was decided before a crash. */
  | 'journal'

export interface RowDifference {
  kind: RowKind
  /** Not there though it should be, there though it should not be, or there with another content. */
  problem: 'missing' | 'extra' | 'wrong'
  /** The row's key in the datastore. */
  row: string
  /** What the row is about, as far as its key says. */
  key?: string
  id?: BlockId
  /** Says more, where there is more to say. */
  detail?: string
}

/** How far a check is. */
export interface CheckNumbers {
  /** Nodes derived anew, of how many. */
  nodes: number
  nodesTotal: number
  /** Rows compared so far. */
  rows: number
}
