/**
 * Heads that were heard of and are not here yet, kept on disk, so that a branch that was left half walked is taken
 * up again at the next start even if nobody announces it again.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { PendingStore } from '../storage/pending-store.ts'

export class WantedHeads {
  readonly #store: PendingStore
  readonly #wake: () => void
  readonly #stored = new Set<BlockId>()
  readonly #toStore = new Set<BlockId>()
  readonly #toDelete = new Set<BlockId>()

  /** @param wake - called when there is something to store. */
  constructor(store: PendingStore, wake: () => void) {
    this.#store = store
    this.#wake = wake
  }

  get hasUnstored(): boolean {
    return this.#toStore.size > 0 || this.#toDelete.size > 0
  }

  async load(): Promise<BlockId[]> {
    for await (const id of this.#store.wantedHeads()) this.#stored.add(id)
    return [...this.#stored]
  }

  add(id: BlockId): void {
    if (!this.#toDelete.delete(id) && !this.#stored.has(id)) this.#toStore.add(id)
    if (this.hasUnstored) this.#wake()
  }

  /** It was merged, waits as a block of its own, or was given up. */
  remove(id: BlockId): void {
    if (!this.#toStore.delete(id) && this.#stored.has(id)) this.#toDelete.add(id)
    if (this.hasUnstored) this.#wake()
  }

  /** @returns what to call once the changes are durable. */
  store(changes: ChangeSet): () => void {
    const added = [...this.#toStore]
    const deleted = [...this.#toDelete]
    for (const id of added) this.#store.want(id, changes)
    for (const id of deleted) this.#store.unwant(id, changes)
    return () => {
      for (const id of added) {
        this.#stored.add(id)
        // It was given up while it was written.
        if (!this.#toStore.delete(id)) this.#toDelete.add(id)
      }
      for (const id of deleted) {
        this.#stored.delete(id)
        // It was heard of again while it was deleted.
        if (!this.#toDelete.delete(id)) this.#toStore.add(id)
      }
    }
  }
}
