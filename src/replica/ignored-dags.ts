/**
 * DAGs that this replica was told to drop and to take nothing of until it is told to take them up again.
 *
 * Invariants: a DAG is ignored from the commit that begins its purge on, also after a restart in the middle of it; its
 * nodes that others link to or announce are known after they came once, as many as there is room for, so that nobody
 * is asked for them again and again.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { Layout } from '../storage/keys.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeIgnored, encodeIgnored, type IgnoredRow } from '../storage/rows.ts'

/** Each takes about 200 bytes. One that is forgotten is fetched once more. */
const NODES_MAX = 16_384

export class IgnoredDags {
  readonly #layout: Layout
  readonly #dags = new Map<string, IgnoredRow>()
  /** Nodes that are known to be of these DAGs, and which; the oldest go first. */
  readonly #nodes = new Map<BlockId, string>()

  constructor(layout: Layout) {
    this.#layout = layout
  }

  async load(rows: RowStore): Promise<void> {
    for await (const { row, value } of rows.scan(this.#layout.ignored)) {
      this.#dags.set(this.#layout.dagNameOfIgnored(row), decodeIgnored(row, value))
    }
  }

  has(dagName: string): boolean {
    return this.#dags.has(dagName)
  }

  /** Whether a block is known to be a node of an ignored DAG. */
  hasNode(id: BlockId): boolean {
    return this.#nodes.has(id)
  }

  addNode(id: BlockId, dagName: string): void {
    const oldest = this.#nodes.keys().next().value
    if (oldest !== undefined && this.#nodes.size >= NODES_MAX) this.#nodes.delete(oldest)
    this.#nodes.set(id, dagName)
  }

  isPurged(dagName: string): boolean {
    return this.#dags.get(dagName)?.purged === true
  }

  names(): string[] {
    return [...this.#dags.keys()]
  }

  /** Those whose purge did not end. */
  halfPurged(): string[] {
    return [...this.#dags].filter(([, { purged }]) => !purged).map(([dagName]) => dagName)
  }

  /** Puts a DAG's row into a commit. Call `adopt` once that is durable. */
  put(dagName: string, row: IgnoredRow, changes: ChangeSet): void {
    changes.put(this.#layout.ignoredDag(dagName), encodeIgnored(row))
  }

  delete(dagName: string, changes: ChangeSet): void {
    changes.delete(this.#layout.ignoredDag(dagName))
  }

  adopt(dagName: string, row: IgnoredRow | undefined): void {
    if (row !== undefined) {
      this.#dags.set(dagName, row)
      return
    }
    this.#dags.delete(dagName)
    for (const [id, name] of this.#nodes) if (name === dagName) this.#nodes.delete(id)
  }
}
