/**
 * Blocks that were fetched and wait for blocks they link to: who waits for what, and whose budget it is.
 *
 * Invariants: a block waits for at most `WINDOW_LINKS` links at a time, and for the others after those, so that
 * a block with 90,000 links costs no more than one with a few; the blocks that one peer's heads led to are
 * bounded in number and bytes.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { PeerName } from './ports.ts'

/** Links of one block that are waited for and fetched at once. */
export const WINDOW_LINKS = 1024

/** A block that waits. */
export interface PendingBlock {
  id: BlockId
  dagName: string
  /** Whose announcement led to it. */
  from: PeerName
  size: number
  /** Links that are waited for now. */
  missing: Set<BlockId>
  /** How many of its links were looked at: those before are here, waited for, or given up. */
  linksSeen: number
  linkCount: number
  /** Whether somebody said that it is a head, so that it must not be forgotten when it is dropped. */
  root: boolean
  /** In memory until its row is written. */
  node: DagNode | undefined
  /** Whether its row is in the store. */
  stored: boolean
}

interface Budget {
  blocks: Map<BlockId, PendingBlock>
  /** Blocks, and links that they wait for: both take memory. */
  entries: number
  bytes: number
}

export class PendingBlocks {
  readonly #blocks = new Map<BlockId, PendingBlock>()
  readonly #waiters = new Map<BlockId, Set<BlockId>>()
  readonly #budgets = new Map<PeerName, Budget>()

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
  waiters(id: BlockId): PendingBlock[] {
    const waiters = [...(this.#waiters.get(id) ?? [])]
    return waiters.map((waiter) => this.#blocks.get(waiter)).filter((block) => block !== undefined)
  }

  /** How much of its budget a peer uses: its blocks, and the links that they wait for. */
  entriesOf(from: PeerName): number {
    return this.#budgets.get(from)?.entries ?? 0
  }

  add(block: PendingBlock): void {
    this.#blocks.set(block.id, block)
    const budget = this.#budgets.get(block.from) ?? { blocks: new Map(), entries: 0, bytes: 0 }
    budget.blocks.set(block.id, block)
    budget.entries += 1 + block.missing.size
    budget.bytes += block.size
    this.#budgets.set(block.from, budget)
    for (const link of block.missing) this.#await(link, block.id)
  }

  /** Makes a block wait for more of its links. */
  awaitMore(block: PendingBlock, links: Iterable<BlockId>): void {
    for (const link of links) {
      block.missing.add(link)
      this.#await(link, block.id)
      this.#count(block, 1)
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
      this.#count(block, -1)
      if (block.missing.size === 0) released.push(block)
    }
    return released
  }

  /** Takes a block out; returns the links for which nobody else waits. */
  remove(id: BlockId): BlockId[] {
    const block = this.#blocks.get(id)
    if (block === undefined) return []
    this.#blocks.delete(id)
    const budget = this.#budgets.get(block.from)
    if (budget?.blocks.delete(id) === true) {
      budget.entries -= 1 + block.missing.size
      budget.bytes -= block.size
    }
    if (budget?.blocks.size === 0) this.#budgets.delete(block.from)
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

  /**
   * The block to drop while a peer is over its budget, with all that waits for it. What is below it stays, so that a
   * branch that is longer than the budget is merged from its end, and is then gone through again from the head that is
   * remembered. A walk begins at the head, so the block that came first is the head or next to it. A stream begins at
   * the end: dropping that would drop the whole branch, and with it the patience for an ancestor that nobody has, for
   * ever; so where something waits for the first block and nothing for the last, the last one goes.
   *
   * @param added - the block that came last.
   */
  overBudget(
    from: PeerName,
    entriesMax: number,
    bytesMax: number,
    added: PendingBlock
  ): PendingBlock | undefined {
    const budget = this.#budgets.get(from)
    // One block may always wait: it could be fetched again and again otherwise, and never merged.
    if (budget === undefined || budget.blocks.size <= 1) return undefined
    if (budget.entries <= entriesMax && budget.bytes <= bytesMax) return undefined
    const [first] = budget.blocks.values()
    const isStream = first !== undefined && this.isAwaited(first.id) && !this.isAwaited(added.id)
    return isStream && budget.blocks.has(added.id) ? added : first
  }

  #count(block: PendingBlock, entries: number): void {
    const budget = this.#budgets.get(block.from)
    if (budget !== undefined) budget.entries += entries
  }

  #await(link: BlockId, id: BlockId): void {
    const waiters = this.#waiters.get(link) ?? new Set()
    waiters.add(id)
    this.#waiters.set(link, waiters)
  }
}
