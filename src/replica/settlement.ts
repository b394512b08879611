/**
 * Waiting until blocks are merged or dropped, which is what "synchronised" means for a replica that cannot know
 * what it has not heard of.
 */
import { waitUnlessAborted } from '../abort.ts'
import type { BlockId } from '../crdt/delta.ts'

interface Waiter {
  ids: Set<BlockId>
  resolve(): void
  reject(reason: unknown): void
}

export class Settlement {
  readonly #waiters = new Set<Waiter>()
  #closed: { reason: unknown } | undefined

  /** A block was merged, or nobody can have it. */
  settle(id: BlockId): void {
    for (const waiter of this.#waiters) {
      if (!waiter.ids.delete(id) || waiter.ids.size > 0) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  /** Resolves when each of these blocks was settled; stops waiting when the signal is aborted. */
  async wait(ids: Iterable<BlockId>, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closed !== undefined) throw this.#closed.reason
    const outstanding = new Set(ids)
    if (outstanding.size === 0) return
    await waitUnlessAborted(signal, (resolve, reject) => {
      const waiter: Waiter = { ids: outstanding, resolve, reject }
      this.#waiters.add(waiter)
      return () => void this.#waiters.delete(waiter)
    })
  }

  /** Ends every wait, and those that begin later. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    for (const waiter of this.#waiters) waiter.reject(reason)
  }
}
