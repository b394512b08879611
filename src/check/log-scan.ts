/**
 * Reads the log as it is, damaged or not: what cannot be a node is told and passed over.
 */
import { blockIdOf } from '../codec/block-id.ts'
import type { NodeCodec } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { CorruptRowError } from '../errors.ts'
import type { Layout } from '../storage/keys.ts'
import type { BlockSource, LoggedNode } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeLog } from '../storage/rows.ts'

/** Rows that are read at once. Their blocks are in memory together. */
const HAND = 16
/** Sequence numbers of one page. */
const PAGE = 1024

export interface LogParts {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
  codec: NodeCodec
}

/** A row of the log that holds no node that it could. */
export interface BadEntry {
  row: string
  sequence: number
  /** The node that it was, if it still says so. */
  id?: BlockId
  detail: string
}

/** Where the log has rows, so that a number far off, by damage or a purge, costs nothing. */
export interface LogPages {
  /** The first and the last sequence number of each page that has any row, in order. */
  ranges: Array<{ from: number; to: number }>
  rowCount: number
}

/** @param to - the greatest sequence number that counts. */
export async function logPages(
  { rows, layout }: LogParts,
  to: number,
  breathe: () => Promise<void> | undefined
): Promise<LogPages> {
  const pages = new Set<number>()
  let rowCount = 0
  for await (const row of rows.scanKeys(layout.logEntries)) {
    await breathe()
    const sequence = sequenceOf(layout, row)
    if (sequence === undefined || sequence > to) continue
    pages.add(Math.floor(sequence / PAGE))
    rowCount += 1
  }
  const ranges = [...pages]
    .sort((a, b) => a - b)
    .map((page) => ({ from: Math.max(1, page * PAGE), to: Math.min(to, (page + 1) * PAGE - 1) }))
  return { ranges, rowCount }
}

/** The number of a row of the log; undefined if its key is none that the store would write. */
export function sequenceOf(layout: Layout, row: string): number | undefined {
  const sequence = layout.sequenceOfLog(row)
  const isOne = Number.isSafeInteger(sequence) && sequence > 0 && layout.log(sequence) === row
  return isOne ? sequence : undefined
}

/** The entries with these sequence numbers, both included. Numbers without a row are left out. */
export async function* scanLog(
  parts: LogParts,
  from: number,
  to: number
): AsyncGenerator<LoggedNode | BadEntry> {
  const { rows, layout, blocks } = parts
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
  const decoded = readable(() => decodeLog(at.row, value))
  if (decoded instanceof Error) return { ...at, detail: 'it cannot be read' }
  const { id, bytes: inline } = decoded
  const bytes = inline ?? (await blocks?.get(id))
  if (bytes === undefined) return { ...at, id, detail: 'its block is gone from the blockstore' }
  if ((await blockIdOf(bytes)) !== id) return { ...at, id, detail: 'its block is not what its id says' }
  return { sequence: at.sequence, id, bytes }
}

/** What a row says, or the error of one that does not decode. Whatever else fails is no damage of the row. */
export function readable<T>(decode: () => T): T | CorruptRowError {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CorruptRowError) return error
    throw error
  }
}
