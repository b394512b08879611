/**
 * What survives a restart of a branch that is half walked: blocks that wait for their ancestors, and heads that
 * were heard of and not had yet.
 */
import { blockIdOf } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import { CorruptRowError } from '../errors.ts'
import type { ChangeSet } from './commit.ts'
import type { Layout } from './keys.ts'
import type { RowStore } from './row-store.ts'
import { decodePending, encodePending, type PendingRow, PRESENT } from './rows.ts'

export class PendingStore {
  readonly #rows: RowStore
  readonly #layout: Layout

  constructor(rows: RowStore, layout: Layout) {
    this.#rows = rows
    this.#layout = layout
  }

  async *blocks(): AsyncGenerator<PendingRow & { id: BlockId }> {
    for await (const { row, value } of this.#rows.scan(this.#layout.pending)) {
      const id = this.#layout.idOf(row)
      yield { id, ...(await decodeBlock(row, id, value)) }
    }
  }

  async *wantedHeads(): AsyncGenerator<BlockId> {
    for await (const row of this.#rows.scanKeys(this.#layout.wanted)) yield this.#layout.idOf(row)
  }

  /** Blocks by id, in the order of the ids; undefined where there is none. */
  async get(ids: readonly BlockId[]): Promise<Array<Uint8Array | undefined>> {
    const rows = ids.map((id) => this.#layout.pendingBlock(id))
    const values = await this.#rows.getMany(rows)
    const blocks: Array<Uint8Array | undefined> = []
    for (const [index, id] of ids.entries()) {
      const value = values[index]
      const row = rows[index] as string
      blocks.push(value === undefined ? undefined : (await decodeBlock(row, id, value)).bytes)
    }
    return blocks
  }

  put(id: BlockId, row: PendingRow, changes: ChangeSet): void {
    changes.put(this.#layout.pendingBlock(id), encodePending(row))
  }

  delete(id: BlockId, changes: ChangeSet): void {
    changes.delete(this.#layout.pendingBlock(id))
  }

  want(id: BlockId, changes: ChangeSet): void {
    changes.put(this.#layout.wantedHead(id), PRESENT)
  }

  unwant(id: BlockId, changes: ChangeSet): void {
    changes.delete(this.#layout.wantedHead(id))
  }
}

/** A block was verified when it came, and is merged only later: what the disk made of it must not be merged. */
async function decodeBlock(row: string, id: BlockId, value: Uint8Array): Promise<PendingRow> {
  const pending = decodePending(row, value)
  if ((await blockIdOf(pending.bytes)) === id) return pending
  throw new CorruptRowError(row, 'its block is not what its id says')
}
