/**
 * Gaps: links of applied nodes to blocks that could not be had.
 *
 * Invariants: a row for each link over a gap, from the commit that applied the linking node to the one that
 * applies the missing node; no node whose sequence number is `limit` or more may be offered as common ground,
 * because its ancestors may not all be here.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from './commit.ts'
import type { Layout } from './keys.ts'
import type { Row, RowStore } from './row-store.ts'
import { decodeGap, encodeGap, type GapRow } from './rows.ts'

export class GapStore {
  readonly #rows: RowStore
  readonly #layout: Layout
  /** The least sequence number of a node that links over a gap. */
  #limit = Number.POSITIVE_INFINITY

  constructor(rows: RowStore, layout: Layout) {
    this.#rows = rows
    this.#layout = layout
  }

  get limit(): number {
    return this.#limit
  }

  async load(): Promise<void> {
    let limit = Number.POSITIVE_INFINITY
    for await (const gap of this.#rows.scan(this.#layout.gaps)) limit = Math.min(limit, decode(gap).sequence)
    this.#limit = limit
  }

  /** Who links to a block that was missing until now. */
  async linkers(missing: BlockId): Promise<Array<GapRow & { id: BlockId }>> {
    const linkers: Array<GapRow & { id: BlockId }> = []
    for await (const gap of this.#rows.scan(this.#layout.gapsOf(missing))) {
      linkers.push({ ...decode(gap), id: this.#layout.idOf(gap.row) })
    }
    return linkers
  }

  /**
   * Missing blocks, each once, at most `limit` of them, beginning after `after` and then from the start.
   *
   * @param isPassed - which of them to pass over.
   */
  async missing(
    limit: number,
    after?: BlockId,
    isPassed: (id: BlockId) => boolean = () => false
  ): Promise<BlockId[]> {
    const later: BlockId[] = []
    const earlier: BlockId[] = []
    const seen = new Set<BlockId>()
    for await (const row of this.#rows.scanKeys(this.#layout.gaps)) {
      const id = this.#layout.missingOfGap(row)
      if (seen.has(id) || isPassed(id)) continue
      seen.add(id)
      const side = after === undefined || id > after ? later : earlier
      if (side.length < limit) side.push(id)
    }
    return [...later, ...earlier].slice(0, limit)
  }

  open(missing: BlockId, linkedBy: BlockId, gap: GapRow, changes: ChangeSet): void {
    changes.put(this.#layout.gap(missing, linkedBy), encodeGap(gap))
  }

  close(missing: BlockId, linkedBy: BlockId, changes: ChangeSet): void {
    changes.delete(this.#layout.gap(missing, linkedBy))
  }

  /** Follows a commit that opened or closed gaps. Never throws, because that commit is durable. */
  async adopt(opened: readonly GapRow[], closed: readonly GapRow[]): Promise<void> {
    for (const { sequence } of opened) this.#limit = Math.min(this.#limit, sequence)
    if (!closed.some(({ sequence }) => sequence <= this.#limit)) return
    try {
      await this.load()
    } catch {
      // A limit that is too low costs some common ground and is right all the same.
    }
  }
}

function decode({ row, value }: Row): GapRow {
  return decodeGap(row, value)
}
