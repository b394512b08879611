/**
 * The gaps that a commit opens and closes.
 *
 * Invariant: a gap is a link of an applied node to a block that is not applied; so applying a node closes those
 * that lead to it, and opens one for each of its own links that lead nowhere.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { GapStore } from '../storage/gap-store.ts'

/** A link of an applied node to a block that is not here. */
export interface Gap {
  missing: BlockId
  linkedBy: BlockId
  /** The DAG and the sequence number of who links. */
  dagName: string
  sequence: number
}

export class GapDraft {
  readonly closed: Gap[] = []
  readonly #store: GapStore
  /** By what is missing; most commits open none. */
  #opened: Map<BlockId, Gap[]> | undefined
  readonly #storeHasGaps: boolean

  constructor(store: GapStore, storeHasGaps: boolean) {
    this.#store = store
    this.#storeHasGaps = storeHasGaps
  }

  /** Whether no node can close one. */
  get isEmpty(): boolean {
    return !this.#storeHasGaps && this.#opened === undefined
  }

  /** The gaps that it opens, and does not close again. */
  opened(): Gap[] {
    return this.#opened === undefined ? [] : [...this.#opened.values()].flat()
  }

  open(gap: Gap, rows: ChangeSet): void {
    const { missing, linkedBy } = gap
    this.#store.open(missing, linkedBy, gap, rows)
    this.#opened ??= new Map()
    const opened = this.#opened.get(missing) ?? []
    opened.push(gap)
    this.#opened.set(missing, opened)
  }

  /** Closes the gaps that lead to a node which is applied now, and gives them. */
  async close(id: BlockId, rows: ChangeSet): Promise<Gap[]> {
    const inDraft = this.#opened?.get(id) ?? []
    this.#opened?.delete(id)
    const linkers = this.#storeHasGaps ? await this.#store.linkers(id) : []
    const inStore = linkers.map(({ id: linkedBy, ...gap }) => ({ missing: id, linkedBy, ...gap }))
    this.closed.push(...inStore)
    const gaps = [...inDraft, ...inStore]
    for (const { linkedBy } of gaps) this.#store.close(id, linkedBy, rows)
    return gaps
  }

  /** Closes one gap of the store: who links is gone itself. */
  forget(gap: Gap, rows: ChangeSet): void {
    this.#store.close(gap.missing, gap.linkedBy, rows)
    this.closed.push(gap)
  }

  /** Follows the commit, once it is durable; undefined where there is nothing to follow. */
  adopt(): Promise<void> | undefined {
    const opened = this.opened()
    return opened.length > 0 || this.closed.length > 0 ? this.#store.adopt(opened, this.closed) : undefined
  }
}
