/**
 * DAGs that this replica was told to drop and to take nothing of until it is told to take them up again.
 *
 * Invariant: a DAG is ignored from the commit that begins its purge on, also after a restart in the middle of it.
 */
import type { ChangeSet } from '../storage/commit.ts'
import type { Layout } from '../storage/keys.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeIgnored, encodeIgnored, type IgnoredRow } from '../storage/rows.ts'

export class IgnoredDags {
  readonly #layout: Layout
  readonly #dags = new Map<string, IgnoredRow>()

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

  get isEmpty(): boolean {
    return this.#dags.size === 0
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
    if (row === undefined) this.#dags.delete(dagName)
    else this.#dags.set(dagName, row)
  }
}
