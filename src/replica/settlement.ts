/**
 * Waiting until blocks are merged or dropped, which is what "synchronised" means for a replica that cannot know
 * what it has not heard of.
 */
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
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { ids: outstanding, resolve, reject }
    const onAbort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.add(waiter)
    try {
      await promise
    } finally {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends every wait, and those that begin later. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    for (const waiter of this.#waiters) waiter.reject(reason)
  }
}
