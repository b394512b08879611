/**
 * Local writes that wait for their commit.
 *
 * Invariants: writes are taken in the order of their calls; one taken together with others shares their commit
 * and is acknowledged or rejected by its own promise; a write whose signal is aborted before it is taken is not
 * made, and one that was taken is decided by its commit while its caller stops waiting; the bytes that wait are
 * bounded.
 */
import type { Operation } from '../crdt/delta.ts'
import { WriteQueueFullError } from '../errors.ts'

/** One call of put, delete or commit: it is never divided between commits. */
export interface WriteUnit {
  operations: readonly Operation[]
  dagName: string
}

interface Waiting extends WriteUnit {
  bytes: number
  resolve(): void
  reject(reason: unknown): void
}

/** Units that were taken for one commit, and how to tell their callers what came of it. */
export interface TakenUnits {
  units: WriteUnit[]
  acknowledge(): void
  reject(reason: unknown): void
}

export class WriteQueue {
  readonly #bytesMax: number
  readonly #wake: () => void
  #waiting = new Set<Waiting>()
  #bytes = 0

  /** @param wake - called when there is something to take. */
  constructor(bytesMax: number, wake: () => void) {
    this.#bytesMax = bytesMax
    this.#wake = wake
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /**
   * Waits until the unit is committed.
   *
   * @throws WriteQueueFullError if too much waits already.
   */
  async enqueue(unit: WriteUnit, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const bytes = unit.operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
    if (this.#waiting.size > 0 && this.#bytes + bytes > this.#bytesMax)
      throw new WriteQueueFullError(this.#bytesMax)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { operations, dagName } = unit
    const waiting: Waiting = { operations, dagName, bytes, resolve, reject }
    this.#waiting.add(waiting)
    this.#bytes += bytes
    this.#wake()
    const onAbort = (): void => {
      this.#remove(waiting)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** The oldest unit and those behind it that are of the same DAG, up to a number of operations. */
  take(operationsMax: number): TakenUnits {
    const taken: Waiting[] = []
    let operations = 0
    for (const waiting of this.#waiting) {
      const [first] = taken
      operations += waiting.operations.length
      if (first !== undefined && (waiting.dagName !== first.dagName || operations > operationsMax)) break
      taken.push(waiting)
    }
    for (const waiting of taken) this.#remove(waiting)
    return {
      units: taken,
      acknowledge: () => {
        for (const { resolve } of taken) resolve()
      },
      reject: (reason) => {
        for (const { reject } of taken) reject(reason)
      }
    }
  }

  /** Rejects what waits for a DAG that takes no more writes. */
  refuse(dagName: string, reason: unknown): void {
    for (const waiting of this.#waiting) {
      if (waiting.dagName !== dagName || waiting.operations.length === 0) continue
      this.#remove(waiting)
      waiting.reject(reason)
    }
  }

  /** Rejects everything that waits: none of it was made. */
  clear(reason: unknown): void {
    for (const waiting of this.#waiting) {
      this.#remove(waiting)
      waiting.reject(reason)
    }
  }

  #remove(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) this.#bytes -= waiting.bytes
  }
}

function operationBytes(operation: Operation): number {
  return operation.key.length + (operation.type === 'put' ? operation.value.length : 0)
}
