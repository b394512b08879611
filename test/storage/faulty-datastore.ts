// A datastore whose disk can fail, stall or lose power at any write.
//
// Its batches are those of datastore-core, one write after the other, unless it is told to make them atomic. Every
// write has a number, from 1 on; the rows of an atomic batch share one.
import { MemoryDatastore } from 'datastore-core'
import { type Batch, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'

/** What the disk says when it fails. */
export class DiskError extends Error {
  override name = 'DiskError'
}

/** A write that fails was usually not made, but a disk may also make it and fail to say so. */
export type Failure = 'not made' | 'made'

export type Rows = ReadonlyMap<string, Uint8Array>

export class FaultyDatastore extends MemoryDatastore {
  /** Writes that were asked for, failed ones included. */
  writes = 0
  /** Reads that were asked for, queries included. */
  reads = 0
  /** Decides by its number whether and how a write fails. */
  failWrite: (write: number) => Failure | undefined = () => undefined
  /** Decides whether a read fails. */
  failRead: () => boolean = () => false
  /** The rows before the first write and after each one, once `recordSnapshots` was called. */
  readonly snapshots: Rows[] = []
  readonly #atomic: boolean
  #recording = false
  #onWrite: (() => void) | undefined
  #writesHeld: PromiseWithResolvers<void> | undefined
  #readsHeld: PromiseWithResolvers<void> | undefined

  /** @param rows - what the disk holds already, such as a snapshot that was taken at a crash. */
  constructor({ rows = new Map(), atomic = false }: { rows?: Rows; atomic?: boolean } = {}) {
    super()
    this.#atomic = atomic
    for (const [row, value] of rows) super.put(new Key(row, false), value)
  }

  /** What survives if the power goes now. */
  rows(): Rows {
    return new Map(Array.from(super._all({}) as Iterable<Pair>, ({ key, value }) => [key.toString(), value]))
  }

  recordSnapshots(): void {
    this.#recording = true
    this.snapshots.splice(0, this.snapshots.length, this.rows())
    this.writes = 0
  }

  /** From now on every write fails, as on a full or read-only disk. */
  breakDisk(): void {
    this.failWrite = () => 'not made'
  }

  mendDisk(): void {
    this.failWrite = () => undefined
    this.failRead = () => false
  }

  /** Resolves when the disk is asked for another write. */
  async nextWrite(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onWrite = resolve
    })
  }

  /** Writes hang until the returned function is called. */
  holdWrites(): () => void {
    const held = Promise.withResolvers<void>()
    this.#writesHeld = held
    return () => {
      this.#writesHeld = undefined
      held.resolve()
    }
  }

  /** Reads hang until the returned function is called. */
  holdReads(): () => void {
    const held = Promise.withResolvers<void>()
    this.#readsHeld = held
    return () => {
      this.#readsHeld = undefined
      held.resolve()
    }
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.#write(() => super.put(key, value))
    return key
  }

  override async delete(key: Key): Promise<void> {
    await this.#write(() => super.delete(key))
  }

  override batch(): Batch {
    if (!this.#atomic) return super.batch()
    const operations: Array<() => unknown> = []
    return {
      put: (key, value) => void operations.push(() => super.put(key, value)),
      delete: (key) => void operations.push(() => super.delete(key)),
      commit: () =>
        this.#write(() => {
          for (const operation of operations) operation()
        })
    }
  }

  override async get(key: Key): Promise<Uint8Array> {
    await this.#read()
    return await super.get(key)
  }

  override async has(key: Key): Promise<boolean> {
    await this.#read()
    return await super.has(key)
  }

  override async *query(query: Query): AsyncGenerator<Pair> {
    await this.#read()
    yield* super.query(query)
  }

  override async *queryKeys(query: KeyQuery): AsyncGenerator<Key> {
    await this.#read()
    yield* super.queryKeys(query)
  }

  async #write(make: () => unknown): Promise<void> {
    this.writes += 1
    this.#onWrite?.()
    const failure = this.failWrite(this.writes)
    await this.#writesHeld?.promise
    if (failure !== 'not made') make()
    if (this.#recording) this.snapshots.push(this.rows())
    if (failure !== undefined) throw new DiskError('no space left on device')
  }

  async #read(): Promise<void> {
    this.reads += 1
    await this.#readsHeld?.promise
    if (this.failRead()) throw new DiskError('input/output error')
  }
}
