/**
 * Blocks that were fetched and wait for blocks they link to: who waits for what, and whose budget it is.
 *
 * Invariants: a block waits for at most `WINDOW_LINKS` links at a time, and for the others after those, so that
 * a block with 90,000 links costs no more than one with a few; every block that waits counts in one budget.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { type BudgetLimits, Budgets, type Usage } from './budgets.ts'
import type { PeerName } from './ports.ts'

/** Links of one block that are waited for and fetched at once. */
export const WINDOW_LINKS = 1024

/** A block that waits. */
export interface PendingBlock {
  id: BlockId
  dagName: string
  /** Whose heads led to it. */
  from: PeerName
  size: number
  /** Links that are waited for now. */
  missing: Set<BlockId>
  /** How many of its links were looked at: those before are here, waited for, or given up. */
  linksSeen: number
  linkCount: number
  /** Peers that said it is a head, a few of them; none if nobody did. Such a block is not forgotten when it is dropped. */
  saidBy: Set<PeerName>
  /** In memory until its row is written. */
  node: DagNode | undefined
  /** Whether its row is in the store. */
  stored: boolean
}

/** A block that begins to wait. */
export function waitingBlock(
  node: DagNode,
  init: Pick<PendingBlock, 'from' | 'missing' | 'linksSeen' | 'saidBy' | 'stored'>
): PendingBlock {
  const { id, delta, bytes, links } = node
  return {
    ...init,
    ...{ id, dagName: delta.dagName, size: bytes.length, linkCount: links.length },
    node: init.stored ? undefined : node
  }
}

export class PendingBlocks {
  readonly budgets: Budgets
  readonly #blocks = new Map<BlockId, PendingBlock>()
  readonly #waiters = new Map<BlockId, Set<BlockId>>()

  constructor(limits: BudgetLimits) {
    this.budgets = new Budgets(limits)
  }

  get size(): number {
    return this.#blocks.size
  }

  has(id: BlockId): boolean {
    return this.#blocks.has(id)
  }

  get(id: BlockId): PendingBlock | undefined {
    return this.#blocks.get(id)
  }

  ids(): IterableIterator<BlockId> {
    return this.#blocks.keys()
  }

  isAwaited(id: BlockId): boolean {
    return this.#waiters.has(id)
  }

  /** The blocks that wait for this one. */
  *waiters(id: BlockId): Generator<PendingBlock> {
    for (const waiter of this.#waiters.get(id) ?? []) {
      const block = this.#blocks.get(waiter)
      if (block !== undefined) yield block
    }
  }

  /**
   * In whose budget a block counts: in that of a peer whose block waits for it, so that nobody else's use of theirs can
   * push out what its heads lead to; in that of its sender where it leads a branch itself.
   */
  chargedTo(id: BlockId, sender: PeerName, need: Usage): PeerName {
    let first: PeerName | undefined
    for (const { from } of this.waiters(id)) {
      if (this.budgets.hasRoomFor(from, need)) return from
      first ??= from
    }
    return first ?? sender
  }

  /** The block and those above it in its budget, each waited for by the next, up to one that none of them waits for. */
  lineFrom(block: PendingBlock): PendingBlock[] {
    const line: PendingBlock[] = []
    for (let next: PendingBlock | undefined = block; next !== undefined; ) {
      line.push(next)
      next = this.#waiterInBudget(next)
    }
    return line
  }

  /** Whether no block of the same budget waits for it. */
  isTop(block: PendingBlock): boolean {
    return this.#waiterInBudget(block) === undefined
  }

  add(block: PendingBlock): void {
    this.#blocks.set(block.id, block)
    this.budgets.add(block)
    for (const link of block.missing) this.#await(link, block.id)
  }

  /** Makes a block wait for more of its links. */
  awaitMore(block: PendingBlock, links: Iterable<BlockId>): void {
    for (const link of links) {
      block.missing.add(link)
      this.#await(link, block.id)
      this.budgets.count(block, 1)
    }
  }

  /** A link is here, or was given up: returns the blocks that wait for nothing else they have looked at. */
  release(link: BlockId): PendingBlock[] {
    const waiters = this.#waiters.get(link)
    this.#waiters.delete(link)
    const released: PendingBlock[] = []
    for (const id of waiters ?? []) {
      const block = this.#blocks.get(id)
      if (block?.missing.delete(link) !== true) continue
      this.budgets.count(block, -1)
      if (block.missing.size === 0) released.push(block)
    }
    return released
  }

  /** Takes a block out; returns the links for which nobody else waits. */
  remove(id: BlockId): BlockId[] {
    const block = this.#blocks.get(id)
    if (block === undefined) return []
    this.#blocks.delete(id)
    this.budgets.remove(block)
    const unawaited: BlockId[] = []
    for (const link of block.missing) {
      const waiters = this.#waiters.get(link)
      waiters?.delete(id)
      if (waiters?.size !== 0) continue
      this.#waiters.delete(link)
      unawaited.push(link)
    }
    return unawaited
  }

  #waiterInBudget({ id, from }: PendingBlock): PendingBlock | undefined {
    for (const waiter of this.waiters(id)) if (waiter.from === from) return waiter
    return undefined
  }

  #await(link: BlockId, id: BlockId): void {
    const waiters = this.#waiters.get(link) ?? new Set()
    waiters.add(id)
    this.#waiters.set(link, waiters)
  }
}
