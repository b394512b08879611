/**
 * Reads the log as it is, damaged or not: what cannot be a node is told and passed over.
 */
import { blockIdOf } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Layout } from '../storage/keys.ts'
import type { BlockSource, LoggedNode } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeLog } from '../storage/rows.ts'

/** Rows that are read at once. Their blocks are in memory together. */
const HAND = 16

export interface LogParts {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
}

/** A row of the log that holds no node that it could. */
export interface BadEntry {
  row: string
  sequence: number
  /** The node that it was, if it still says so. */
  id?: BlockId
  detail: string
}

/** The entries with these sequence numbers, both included. Numbers without a row are left out. */
export async function* scanLog(
  { rows, layout, blocks }: LogParts,
  from: number,
  to: number
): AsyncGenerator<LoggedNode | BadEntry> {
  for (let first = from; first <= to; first += HAND) {
    const count = Math.min(HAND, to - first + 1)
    const names = Array.from({ length: count }, (_, index) => layout.log(first + index))
    const values = await rows.getMany(names)
    for (const [index, row] of names.entries()) {
      const value = values[index]
      if (value !== undefined) yield await entryOf({ row, sequence: first + index }, value, blocks)
    }
  }
}

async function entryOf(
  at: { row: string; sequence: number },
  value: Uint8Array,
  blocks: BlockSource | undefined
): Promise<LoggedNode | BadEntry> {
  try {
    const { id, bytes: inline } = decodeLog(at.row, value)
    const bytes = inline ?? (await blocks?.get(id))
    if (bytes === undefined) return { ...at, id, detail: 'its block is gone from the blockstore' }
    if ((await blockIdOf(bytes)) !== id) return { ...at, id, detail: 'its block is not what its id says' }
    return { sequence: at.sequence, id, bytes }
  } catch (error) {
    return { ...at, detail: error instanceof Error ? error.message : String(error) }
  }
}

/** The greatest sequence number that any row of the log has. */
export async function lastSequence({ rows, layout }: LogParts): Promise<number> {
  let last = 0
  for await (const row of rows.scanKeys(layout.logEntries)) last = Math.max(last, layout.sequenceOfLog(row))
  return last
}
