/**
 * The heads of every DAG: in memory, because every write needs them, and in the state row, which every commit
 * writes anyway: with rows of their own an awaited put, which deletes one and writes one, takes 37% more of the main
 * thread. Where they are many each has a row of its own, so that a commit writes only those that it changes.
 *
 * Invariants: what is in memory is what was committed; a commit stages its changes and `adopt`s them only after
 * it became durable; heads are in the state row or in rows of their own, never in both.
 */

import type { BlockId } from '../crdt/delta.ts'
import { advanceHeads } from '../crdt/merkle-clock.ts'
import type { ChangeSet } from './commit.ts'
import type { Layout } from './keys.ts'
import type { RowStore } from './row-store.ts'
import { decodePriority, encodePriority, type StoredHead } from './rows.ts'

/** Heads that fit into the state row: a kilobyte at most, unless the names of DAGs are long. */
const IN_STATE_MAX = 16

/** Greatest priority first, so that what is cut off by a limit is what matters least. */
export function byPriority(a: StoredHead, b: StoredHead): number {
  if (a.priority !== b.priority) return a.priority > b.priority ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export class HeadsStore {
  readonly #layout: Layout
  readonly #dags = new Map<string, Map<BlockId, StoredHead>>()
  #count = 0

  constructor(layout: Layout) {
    this.#layout = layout
  }

  /** @param inState - what the state row holds; undefined where heads have rows of their own. */
  async load(rows: RowStore, inState: readonly StoredHead[] | undefined): Promise<void> {
    const heads = inState ?? (await this.#read(rows))
    // At once, because others look at the heads while they are read.
    this.#dags.clear()
    this.#count = 0
    for (const head of heads) this.#add(head)
  }

  async #read(rows: RowStore): Promise<StoredHead[]> {
    const heads: StoredHead[] = []
    for await (const { row, value } of rows.scan(this.#layout.heads)) {
      const dagName = this.#layout.dagNameOfHead(row)
      heads.push({ id: this.#layout.idOf(row), priority: decodePriority(row, value), dagName })
    }
    return heads
  }

  /** How many heads all DAGs have. */
  get count(): number {
    return this.#count
  }

  /** All heads, or those of one DAG, greatest priority first. */
  list(dagName?: string): StoredHead[] {
    const ofDag = dagName === undefined ? undefined : this.#dags.get(dagName)
    const dags = dagName === undefined ? this.#dags.values() : ofDag === undefined ? [] : [ofDag]
    const heads: StoredHead[] = []
    for (const dag of dags) for (const head of dag.values()) heads.push(head)
    return heads.sort(byPriority)
  }

  has(dagName: string, id: BlockId): boolean {
    return this.#dags.get(dagName)?.has(id) ?? false
  }

  /** Those of the heads named that are here. */
  find(named: Iterable<{ id: BlockId; dagName: string }>): StoredHead[] {
    const found: StoredHead[] = []
    for (const { id, dagName } of named) {
      const head = this.#dags.get(dagName)?.get(id)
      if (head !== undefined) found.push(head)
    }
    return found
  }

  stage(): StagedHeads {
    return new StagedHeads(this)
  }

  /**
   * Puts the rows of staged changes into a commit.
   *
   * @returns the heads that the state row has to hold; undefined where they have rows of their own.
   */
  write(staged: StagedHeads, changes: ChangeSet): StoredHead[] | undefined {
    const hadRows = this.#count > IN_STATE_MAX
    const count = this.#count + staged.added.size - staged.removed.size
    if (hadRows) {
      const gone = count > IN_STATE_MAX ? staged.removed.values() : this.list()
      for (const { id, dagName } of gone) changes.delete(this.#layout.head(dagName, id))
    }
    if (count <= IN_STATE_MAX) return staged.list()
    for (const { id, priority, dagName } of hadRows ? staged.added.values() : staged.list()) {
      changes.put(this.#layout.head(dagName, id), encodePriority(priority))
    }
    return undefined
  }

  /** Whether the state row holds all heads, and has room for one more. */
  get hasRoomInState(): boolean {
    return this.#count < IN_STATE_MAX
  }

  /** All heads, once one of greater priority than any replaces some of them. */
  replacing(head: StoredHead, replaced: readonly StoredHead[]): StoredHead[] {
    if (replaced.length === this.#count) return [head]
    return [head, ...this.list().filter((one) => !replaced.includes(one))]
  }

  /** Replaces heads of a DAG by another, once that is durable. */
  replace(head: StoredHead, replaced: readonly StoredHead[]): void {
    this.#add(head)
    const heads = this.#dags.get(head.dagName)
    for (const { id } of replaced) if (heads?.delete(id)) this.#count -= 1
  }

  /** Takes staged changes over, once they are durable. */
  adopt(staged: StagedHeads): void {
    for (const { id, dagName } of staged.removed.values()) {
      const heads = this.#dags.get(dagName)
      if (heads?.delete(id)) this.#count -= 1
      if (heads?.size === 0) this.#dags.delete(dagName)
    }
    for (const head of staged.added.values()) this.#add(head)
  }

  #add(head: StoredHead): void {
    const heads = this.#dags.get(head.dagName) ?? new Map()
    if (!heads.has(head.id)) this.#count += 1
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

  /** Removes all heads of a DAG. */
  drop(dagName: string): void {
    for (const { id } of this.#base.list(dagName)) this.removed.set(id, { id, dagName })
  }

  /** All heads, or those of one DAG, as they are with the staged changes. */
  list(dagName?: string): StoredHead[] {
    const before = this.#base.list(dagName)
    const heads = this.removed.size === 0 ? before : before.filter(({ id }) => !this.removed.has(id))
    if (this.added.size === 0) return heads
    for (const head of this.added.values()) {
      if (dagName === undefined || head.dagName === dagName) heads.push(head)
    }
    return heads.sort(byPriority)
  }

  #has(dagName: string, id: BlockId): boolean {
    const added = this.added.get(id)
    if (added !== undefined) return added.dagName === dagName
    return !this.removed.has(id) && this.#base.has(dagName, id)
  }
}
