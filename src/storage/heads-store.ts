/**
 * The heads of every DAG: in memory, because every write needs them, and a row each.
 *
 * Invariant: what is in memory is what was committed; a commit stages its changes and `adopt`s them only after
 * it became durable.
 */

import type { BlockId } from '../crdt/delta.ts'
import { advanceHeads } from '../crdt/merkle-clock.ts'
import type { ChangeSet } from './commit.ts'
import type { Layout } from './keys.ts'
import type { RowStore } from './row-store.ts'
import { decodePriority, encodePriority } from './rows.ts'

/** A head, by the id of its node. */
export interface StoredHead {
  id: BlockId
  priority: bigint
  dagName: string
}

/** Greatest priority first, so that what is cut off by a limit is what matters least. */
export function byPriority(a: StoredHead, b: StoredHead): number {
  if (a.priority !== b.priority) return a.priority > b.priority ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export class HeadsStore {
  readonly #layout: Layout
  readonly #dags = new Map<string, Map<BlockId, StoredHead>>()

  constructor(layout: Layout) {
    this.#layout = layout
  }

  async load(rows: RowStore): Promise<void> {
    this.#dags.clear()
    for await (const { row, value } of rows.scan(this.#layout.heads)) {
      const dagName = this.#layout.dagNameOfHead(row)
      this.#add({ id: this.#layout.idOf(row), priority: decodePriority(row, value), dagName })
    }
  }

  /** All heads, or those of one DAG, greatest priority first. */
  list(dagName?: string): StoredHead[] {
    const dags = dagName === undefined ? [...this.#dags.values()] : [this.#dags.get(dagName) ?? new Map()]
    return dags.flatMap((heads) => [...heads.values()]).sort(byPriority)
  }

  has(dagName: string, id: BlockId): boolean {
    return this.#dags.get(dagName)?.has(id) ?? false
  }

  stage(): StagedHeads {
    return new StagedHeads(this)
  }

  /** Puts the rows of staged changes into a commit. */
  write(staged: StagedHeads, changes: ChangeSet): void {
    for (const { id, dagName } of staged.removed.values()) changes.delete(this.#layout.head(dagName, id))
    for (const { id, priority, dagName } of staged.added.values()) {
      changes.put(this.#layout.head(dagName, id), encodePriority(priority))
    }
  }

  /** Takes staged changes over, once they are durable. */
  adopt(staged: StagedHeads): void {
    for (const { id, dagName } of staged.removed.values()) {
      const heads = this.#dags.get(dagName)
      heads?.delete(id)
      if (heads?.size === 0) this.#dags.delete(dagName)
    }
    for (const head of staged.added.values()) this.#add(head)
  }

  #add(head: StoredHead): void {
    const heads = this.#dags.get(head.dagName) ?? new Map()
    heads.set(head.id, head)
    this.#dags.set(head.dagName, heads)
  }
}

/** Changes of the heads by the nodes of one commit, on top of what is stored. */
export class StagedHeads {
  readonly #base: HeadsStore
  readonly added = new Map<BlockId, StoredHead>()
  readonly removed = new Map<BlockId, { id: BlockId; dagName: string }>()

  constructor(base: HeadsStore) {
    this.#base = base
  }

  /** Applies one node. */
  advance(node: StoredHead, links: Iterable<BlockId>, linkedBySameDag: boolean): void {
    const { dagName } = node
    const heads = { has: (id: BlockId) => this.#has(dagName, id) }
    const { added, removed } = advanceHeads(heads, links, linkedBySameDag)
    for (const id of removed) {
      if (!this.added.delete(id)) this.removed.set(id, { id, dagName })
    }
    if (added) this.added.set(node.id, node)
  }

  /** The heads of one DAG as they are with the staged changes. */
  list(dagName: string): StoredHead[] {
    const kept = this.#base.list(dagName).filter(({ id }) => !this.removed.has(id))
    const added = [...this.added.values()].filter((head) => head.dagName === dagName)
    return added.length === 0 ? kept : [...kept, ...added].sort(byPriority)
  }

  #has(dagName: string, id: BlockId): boolean {
    const added = this.added.get(id)
    if (added !== undefined) return added.dagName === dagName
    return !this.removed.has(id) && this.#base.has(dagName, id)
  }
}
