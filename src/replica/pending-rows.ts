/**
 * Which blocks that wait have to be written to disk with the next commit, and which are there and have to go.
 *
 * Invariant: what is dropped while it is being written is deleted by the commit after.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { PendingStore } from '../storage/pending-store.ts'
import type { PendingBlock } from './pending.ts'

export class PendingRows {
  readonly #store: PendingStore
  readonly #toStore = new Set<PendingBlock>()
  readonly #toDelete = new Set<BlockId>()

  constructor(store: PendingStore) {
    this.#store = store
  }

  get hasChanges(): boolean {
    return this.#toStore.size > 0 || this.#toDelete.size > 0
  }

  add(block: PendingBlock): void {
    this.#toStore.add(block)
  }

  /** It waits no more, and needs no row. */
  remove(block: PendingBlock): void {
    this.#toStore.delete(block)
  }

  /** Its row has to go. */
  delete(id: BlockId): void {
    this.#toDelete.add(id)
  }

  /** Its row is written anew, and must not be deleted with what was dropped before. */
  keep(id: BlockId): void {
    this.#toDelete.delete(id)
  }

  /** @returns what to call once the changes are durable; it gives the blocks that have a row now. */
  write(changes: ChangeSet): () => PendingBlock[] {
    const blocks = [...this.#toStore]
    const deleted = [...this.#toDelete]
    for (const { id, from, node } of blocks) {
      if (node !== undefined) this.#store.put(id, { from, bytes: node.bytes }, changes)
    }
    for (const id of deleted) this.#store.delete(id, changes)
    return () => {
      for (const block of blocks) {
        block.stored = true
        this.#toStore.delete(block)
      }
      for (const id of deleted) this.#toDelete.delete(id)
      return blocks
    }
  }
}
