/**
 * What the parts of a check share: turns in which no commit is under way, what they write, and what they tell.
 */
import type { ChangeSet } from '../storage/commit.ts'
import type { CheckedStore, CheckOptions } from './checked.ts'
import type { RowDifference } from './difference.ts'

/** What every part of a check works with. */
export interface CheckParts {
  store: CheckedStore
  turns: Turns
  options: CheckOptions
}

export class Turns {
  /** How many rows were written to the store. */
  rowsWritten = 0
  readonly #store: CheckedStore
  readonly #options: CheckOptions
  #hasTurn = false

  constructor(store: CheckedStore, options: CheckOptions) {
    this.#store = store
    this.#options = options
  }

  /** Runs a task when no commit is under way; within another such task, at once. */
  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#hasTurn) return await task()
    return await this.#store.exclusively(async () => {
      this.#hasTurn = true
      try {
        return await task()
      } finally {
        this.#hasTurn = false
      }
    })
  }

  /** Mends rows. */
  async write(changes: ChangeSet): Promise<void> {
    if (changes.rows.size === 0) return
    await this.take(async () => {
      this.rowsWritten += changes.rows.size
      await this.#store.committer.commit(changes)
    })
  }

  tell(difference: RowDifference, mended: boolean): void {
    this.#options.onDifference(difference, mended)
  }
}
