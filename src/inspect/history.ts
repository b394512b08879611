/**
 * Everything that was ever written to a key, newest first: a scan of the log, since no index is kept of what is
 * over.
 *
 * Invariant: memory is bounded by one node and the alive versions' ids, however long the log is.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { AppliedRow } from '../storage/rows.ts'
import type { Reader } from './versions.ts'

/** What one node did to the key. */
export interface HistoricNode {
  id: BlockId
  node: AppliedRow
  /** The value it gave the key, if it did. */
  value: Uint8Array | undefined
  /** Whether that is alive: the key's value, or what it may become when others are removed. */
  alive: boolean
  /** The nodes whose values it removed from the key. */
  removed: BlockId[]
}

/** @param before - only nodes with smaller sequence numbers. */
export async function* history(
  { log, sets }: Pick<Reader, 'log' | 'sets'>,
  key: string,
  before: number
): AsyncGenerator<HistoricNode> {
  const alive = new Set<BlockId>()
  for await (const { id } of sets.alive(key)) alive.add(id)
  for await (const { id, bytes } of log.readBackwards(1, before - 1)) {
    const { elements, tombstones } = log.codec.decode(id, bytes).delta
    const element = elements.find((one) => one.key === key)
    const removed = tombstones.filter((one) => one.key === key).map((tombstone) => tombstone.id)
    if (element === undefined && removed.length === 0) continue
    const node = await log.applied(id)
    if (node !== undefined) yield { id, node, value: element?.value, alive: alive.has(id), removed }
  }
}
