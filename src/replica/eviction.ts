/**
 * What is dropped when a peer is over its budget, and when it is asked for again.
 *
 * A branch that is longer than the budget is merged from its end. So what is dropped is always above what made it too
 * much: a walk begins at the head and brings what is below, and then the top of that branch goes; a stream begins at
 * the end, and a head of its own comes on top, and then the newcomer goes. What waits already is never pushed out by
 * what it does not wait for, or the patience for an ancestor that nobody has would begin anew for ever.
 *
 * Invariants: a head that was dropped is remembered until it comes again or is one too many; it is asked for again only
 * of a peer whose budget has room for all that was dropped with it, so that no two budgets can pass it to and fro.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Usage } from './budgets.ts'
import { addSayer, EvictedHeads } from './evicted.ts'
import type { PendingBlock, PendingBlocks } from './pending.ts'
import type { PeerName } from './ports.ts'

/** Finding the top of a line takes as long as the line is, so this part of it is dropped at once. */
const DROPPED_PART = 1 / 8

export interface EvictionInit {
  pending: PendingBlocks
  headsMax: number
  /** Takes a block out of what waits, in memory and on disk. */
  drop(id: BlockId): void
  /** A head that was dropped for a while, which a restart must not forget. */
  remember(id: BlockId): void
  /** It is one too many. */
  giveUp(id: BlockId): void
  /** There is room for a dropped head again. */
  want(id: BlockId, from: PeerName): void
  /** Blocks were dropped. */
  evicted(count: number): void
}

export class Eviction {
  readonly #init: EvictionInit
  readonly #heads: EvictedHeads

  constructor(init: EvictionInit) {
    this.#init = init
    this.#heads = new EvictedHeads(init)
  }

  /** The heads that were dropped for a while. */
  ids(): IterableIterator<BlockId> {
    return this.#heads.ids()
  }

  /** A block is here, or nobody has it; returns the peers that said it is a head, if it was remembered as one. */
  forget(id: BlockId): ReadonlySet<PeerName> | undefined {
    return this.#heads.delete(id)?.saidBy
  }

  /** A peer says a head: whether it was dropped, and has to wait until there is room. */
  postpones(id: BlockId, from: PeerName): boolean {
    const head = this.#heads.get(id)
    if (head === undefined) return false
    addSayer(head.saidBy, from)
    head.isAskedFor ||= this.#init.pending.budgets.hasRoomAgain(from, head.need)
    return !head.isAskedFor
  }

  /** @param added - what came to wait, or came to wait for more. */
  enforce(added: PendingBlock): void {
    const { pending, evicted } = this.#init
    const { from } = added
    if (!pending.budgets.isOver(from)) return
    const dropped: PendingBlock[] = []
    while (pending.budgets.isOver(from) && pending.get(added.id) === added) {
      const line = pending.lineFrom(added)
      for (let left = Math.ceil(line.length * DROPPED_PART); left > 0; left--) {
        const top = line.pop()
        // Others may wait for it beside those that were dropped just now.
        if (top === undefined || !pending.isTop(top)) break
        this.#drop(top, dropped)
      }
    }
    evicted(dropped.length)
    this.#rememberHeads(dropped)
    this.resume()
  }

  /** Asks again for the heads that were dropped, where there is room. */
  resume(): void {
    if (this.#heads.size === 0) return
    const { pending, want } = this.#init
    const hasRoom = (from: PeerName, need: Usage): boolean => pending.budgets.hasRoomAgain(from, need)
    for (const { id, from } of this.#heads.ask(hasRoom)) want(id, from)
  }

  /** Drops a block, and what waits for it in other budgets: nothing waits for what is neither here nor looked for. */
  #drop(first: PendingBlock, dropped: PendingBlock[]): void {
    const { pending, drop } = this.#init
    const toDrop = [first]
    for (let block = toDrop.pop(); block !== undefined; block = toDrop.pop()) {
      if (pending.get(block.id) !== block) continue
      toDrop.push(...pending.waiters(block.id))
      dropped.push(block)
      drop(block.id)
    }
  }

  /** The heads among what was dropped; all others lie below them. */
  #rememberHeads(dropped: readonly PendingBlock[]): void {
    const freed = new Map<PeerName, Usage>()
    for (const { from, missing, size } of dropped) {
      const usage = freed.get(from) ?? { entries: 0, bytes: 0 }
      usage.entries += 1 + missing.size
      usage.bytes += size
      freed.set(from, usage)
    }
    for (const { id, from, saidBy } of dropped) {
      const need = freed.get(from)
      if (saidBy.size > 0 && need !== undefined) this.#heads.add(id, { saidBy, need, isAskedFor: false })
    }
  }
}
