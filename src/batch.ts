/**
 * A batch: a private list of operations that becomes one commit.
 *
 * Invariants: nothing of it can be seen, or committed by anybody else, before its own `commit`; a batch that is
 * dropped leaves nothing; after a commit that failed the operations are still there to be committed again, and
 * after one that succeeded the batch is empty and can be used anew.
 */
import type { AbortOptions } from 'abort-error'
import type { Batch, Key } from 'interface-datastore'
import type { Operation } from './crdt/delta.ts'

export interface CrdtBatchInit {
  /** Checks an operation and gives it its canonical key; throws by name. */
  check(operation: { type: 'put'; key: Key; value: Uint8Array } | { type: 'delete'; key: Key }): Operation
  commit(operations: readonly Operation[], signal: AbortSignal | undefined): Promise<void>
}

export class CrdtBatch implements Batch {
  readonly #init: CrdtBatchInit
  #operations: Operation[] = []

  constructor(init: CrdtBatchInit) {
    this.#init = init
  }

  /**
   * Adds a put. The last call for a key wins.
   *
   * @throws InvalidKeyError, InvalidValueError or ValueTooLargeError; the batch is as it was before.
   */
  put(key: Key, value: Uint8Array): void {
    this.#operations.push(this.#init.check({ type: 'put', key, value }))
  }

  /**
   * Adds a delete of whatever is alive under the key when the batch is committed.
   *
   * @throws InvalidKeyError; the batch is as it was before.
   */
  delete(key: Key): void {
    this.#operations.push(this.#init.check({ type: 'delete', key }))
  }

  /**
   * Makes all operations durable together, or none of them.
   *
   * @throws CommitFailedError, after which it may be called again; WriteQueueFullError; ClosedError; or the
   * reason of the signal, after which the commit may or may not have been made.
   */
  async commit(options?: AbortOptions): Promise<void> {
    const operations = this.#operations
    this.#operations = []
    try {
      await this.#init.commit(operations, options?.signal)
    } catch (error) {
      this.#operations = [...operations, ...this.#operations]
      throw error
    }
  }
}
