/**
 * Which blocks that wait have to be written to disk with the next commit, and which are there and have to go.
 *
 * Invariants: what is dropped while it is being written is deleted by the commit after; a row that stays because its block
 * came again is deleted if that one goes before it was written.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { PendingStore } from '../storage/pending-store.ts'
import type { PendingBlock } from './pending.ts'

export class PendingRows {
  readonly #store: PendingStore
  readonly #toStore = new Set<PendingBlock>()
  readonly #toDelete = new Set<BlockId>()
  /** Rows that are there, of blocks that were dropped and came again, and have not been written anew. */
  readonly #left = new Set<BlockId>()

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
    if (this.#left.delete(block.id)) this.#toDelete.add(block.id)
  }

  /** Its row has to go. */
  delete(id: BlockId): void {
    this.#toDelete.add(id)
  }

  /** It came again: its row is written anew, and must not be deleted with what was dropped before. */
  keep(id: BlockId): void {
    if (this.#toDelete.delete(id)) this.#left.add(id)
  }

  /** It was dropped and came again while its row was written, which is there now. */
  leave(id: BlockId): void {
    this.#left.add(id)
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
        this.#left.delete(block.id)
      }
      for (const id of deleted) this.#toDelete.delete(id)
      return blocks
    }
  }
}
