/**
 * The Merkle clock: which priority the next node gets, and how a node moves the heads of its DAG.
 *
 * Invariant: the heads of a DAG are exactly its applied nodes to which no applied node of the same DAG links.
 */
import type { BlockId } from './delta.ts'

/** The greatest value that the wire's uint64 can hold. The clock stays there once it is reached. */
export const PRIORITY_MAX = 2n ** 64n - 1n

/**
 * The priority of the next local node: one more than any that was received and verified, in whatever DAG, so
 * that later is later (Lamport). It saturates, where go-ds-crdt wraps to zero.
 */
export function nextPriority(clock: bigint): bigint {
  return clock >= PRIORITY_MAX ? PRIORITY_MAX : clock + 1n
}

/** The clock after a priority was seen. */
export function observe(clock: bigint, priority: bigint): bigint {
  return priority > clock ? priority : clock
}

/** How applying one node changes the heads of its DAG. */
export interface HeadAdvance {
  /** Whether the node itself becomes a head. */
  added: boolean
  /** Heads that the node links to and so replaces. */
  removed: BlockId[]
}

/**
 * Applying a node replaces the heads it links to. It becomes a head itself unless a node of its DAG that links
 * to it was applied before it, which happens where that one was merged over a gap.
 */
export function advanceHeads(
  heads: { has(id: BlockId): boolean },
  links: Iterable<BlockId>,
  linkedBySameDag: boolean
): HeadAdvance {
  const removed = new Set<BlockId>()
  for (const link of links) {
    if (heads.has(link)) removed.add(link)
  }
  return { added: !linkedBySameDag, removed: [...removed] }
}
