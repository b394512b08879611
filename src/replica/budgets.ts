/**
 * What the blocks that wait take of the budget of each peer: of the one whose heads led to them.
 *
 * Invariant: what is counted is what waits now, block by block and link by link.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { PeerName } from './ports.ts'

export type BudgetLimits = Pick<Limits, 'pendingBlocksPerPeerMax' | 'pendingBytesPerPeerMax'>

/** Room under a budget. */
export interface Usage {
  /** Blocks, and links that they wait for: both take memory. */
  entries: number
  /** Of the blocks, which are on disk. */
  bytes: number
}

/** What a block takes, and of whom. */
export interface Charge {
  id: BlockId
  from: PeerName
  /** In bytes. */
  size: number
  /** Links that are waited for now. */
  missing: ReadonlySet<BlockId>
}

interface Budget extends Usage {
  readonly blocks: Set<BlockId>
}

const NOTHING: Readonly<Usage> = { entries: 0, bytes: 0 }

export class Budgets {
  readonly #limits: BudgetLimits
  readonly #budgets = new Map<PeerName, Budget>()

  constructor(limits: BudgetLimits) {
    this.#limits = limits
  }

  usageOf(from: PeerName): Readonly<Usage> {
    return this.#budgets.get(from) ?? NOTHING
  }

  add({ id, from, size, missing }: Charge): void {
    const budget = this.#budgets.get(from) ?? { blocks: new Set(), entries: 0, bytes: 0 }
    budget.blocks.add(id)
    budget.entries += 1 + missing.size
    budget.bytes += size
    this.#budgets.set(from, budget)
  }

  remove({ id, from, size, missing }: Charge): void {
    const budget = this.#budgets.get(from)
    if (budget?.blocks.delete(id) !== true) return
    budget.entries -= 1 + missing.size
    budget.bytes -= size
    if (budget.blocks.size === 0) this.#budgets.delete(from)
  }

  /** A block waits for so many links more, or less. */
  count({ from }: Pick<Charge, 'from'>, links: number): void {
    const budget = this.#budgets.get(from)
    if (budget !== undefined) budget.entries += links
  }

  /** One block may always wait, however large it is: otherwise it would be fetched again and again, and never merged. */
  isOver(from: PeerName): boolean {
    const { pendingBlocksPerPeerMax, pendingBytesPerPeerMax } = this.#limits
    const budget = this.#budgets.get(from)
    if (budget === undefined || budget.blocks.size <= 1) return false
    return budget.entries > pendingBlocksPerPeerMax || budget.bytes > pendingBytesPerPeerMax
  }

  /**
   * Whether what was dropped because it needed so much may come again: it fits now, and half of the budget is free, so
   * that branches which do not fit are gone through once for each half that was merged, and not for each block.
   */
  hasRoomAgain(from: PeerName, need: Usage): boolean {
    const { pendingBlocksPerPeerMax, pendingBytesPerPeerMax } = this.#limits
    const { entries, bytes } = this.usageOf(from)
    if (entries === 0) return true
    return (
      entries <= pendingBlocksPerPeerMax / 2 &&
      bytes <= pendingBytesPerPeerMax / 2 &&
      entries + need.entries <= pendingBlocksPerPeerMax &&
      bytes + need.bytes <= pendingBytesPerPeerMax
    )
  }

  /** Whether one more block fits. */
  hasRoomFor(from: PeerName, { entries, bytes }: Usage): boolean {
    const { pendingBlocksPerPeerMax, pendingBytesPerPeerMax } = this.#limits
    const used = this.usageOf(from)
    return used.entries + entries <= pendingBlocksPerPeerMax && used.bytes + bytes <= pendingBytesPerPeerMax
  }
}
