/**
 * The part of abstract-level that the engine uses of a `LevelDatastore`, over a simulated disk.
 *
 * Invariant: a batch is one write, and one that is asked to `sync` flushes the disk.
 */
import type { Write } from './simulated-disk.ts'

/** What it reads and writes: a process's handle on a disk. */
export interface DiskHandle {
  read(row: string): Promise<Uint8Array | undefined>
  readSync(row: string): Uint8Array | undefined
  snapshot(isWanted: (row: string) => boolean): Promise<Array<[string, Uint8Array]>>
  write(changes: Write, flush?: boolean): Promise<void>
}

interface Operation {
  type: 'put' | 'del'
  key: string
  value?: Uint8Array
}

interface Range {
  gte?: string
  gt?: string
  lt?: string
  lte?: string
  reverse?: boolean
  limit?: number
}

export class SimulatedLevel {
  readonly status = 'open'
  readonly location = 'simulated'
  readonly supports = { getSync: true }
  readonly #handle: DiskHandle

  constructor(handle: DiskHandle) {
    this.#handle = handle
  }

  async open(): Promise<void> {}

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#handle.read(key)
  }

  getSync(key: string): Uint8Array | undefined {
    return this.#handle.readSync(key)
  }

  async getMany(keys: string[]): Promise<Array<Uint8Array | undefined>> {
    return await Promise.all(keys.map((key) => this.#handle.read(key)))
  }

  async put(key: string, value: Uint8Array, { sync = false } = {}): Promise<void> {
    await this.#handle.write(new Map([[key, value]]), sync)
  }

  batch(): SimulatedBatch
  batch(operations: readonly Operation[], options?: { sync?: boolean }): Promise<void>
  batch(operations?: readonly Operation[], options?: { sync?: boolean }): SimulatedBatch | Promise<void> {
    const batch = new SimulatedBatch(this.#handle)
    if (operations === undefined) return batch
    for (const { type, key, value } of operations) {
      if (type === 'put' && value !== undefined) batch.put(key, value)
      else batch.del(key)
    }
    return batch.write(options)
  }

  iterator(range: Range): SimulatedIterator<[string, Uint8Array]> {
    return new SimulatedIterator(this.#select(range))
  }

  keys(range: Range): SimulatedIterator<string> {
    return new SimulatedIterator(this.#select(range).then((rows) => rows.map(([key]) => key)))
  }

  async #select({
    gte,
    gt,
    lt,
    lte,
    reverse = false,
    limit = -1
  }: Range): Promise<Array<[string, Uint8Array]>> {
    const rows = await this.#handle.snapshot(
      (key) =>
        (gte === undefined || key >= gte) &&
        (gt === undefined || key > gt) &&
        (lt === undefined || key < lt) &&
        (lte === undefined || key <= lte)
    )
    if (reverse) rows.reverse()
    return limit >= 0 ? rows.slice(0, limit) : rows
  }
}

/** A batch that is filled row by row. */
export class SimulatedBatch {
  readonly #handle: DiskHandle
  readonly #changes = new Map<string, Uint8Array | undefined>()

  constructor(handle: DiskHandle) {
    this.#handle = handle
  }

  put(key: string, value: Uint8Array): void {
    this.#changes.set(key, value)
  }

  del(key: string): void {
    this.#changes.set(key, undefined)
  }

  async write({ sync = false } = {}): Promise<void> {
    await this.#handle.write(this.#changes, sync)
  }

  async close(): Promise<void> {
    this.#changes.clear()
  }
}

/** Rows of a snapshot, handed over some at a time. */
export class SimulatedIterator<T> {
  readonly #rows: Promise<T[]>
  #next = 0

  constructor(rows: Promise<T[]>) {
    this.#rows = rows
    // A failed read is told to whoever asks for the rows; nobody may ever ask.
    rows.catch(() => {})
  }

  async nextv(size: number): Promise<T[]> {
    const rows = await this.#rows
    const taken = rows.slice(this.#next, this.#next + size)
    this.#next += taken.length
    return taken
  }

  async close(): Promise<void> {}
}
