/**
 * A datastore over a simulated disk: one process's handle on it, which can fail, be slow and be killed.
 *
 * Three kinds, because the engine takes a way of its own over each: `level` has the shape of a `LevelDatastore`, with
 * atomic batches and a `sync` that flushes; `atomic` is any datastore whose batch is one write; `plain` writes the
 * operations of a batch one by one, each of which can be the last.
 *
 * Invariants: no call is answered in the turn in which it is made; after `kill` no call is ever answered and nothing is
 * written; an iterator reads a snapshot of the moment in which it began, as LevelDB's do.
 */
import { type Batch, type Datastore, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'
import { NotFoundError } from 'interface-store'
import type { Clock } from '../../replica/ports.ts'
import type { SimulatedDisk, Write } from './simulated-disk.ts'
import { SimulatedLevel } from './simulated-level.ts'

/** How the datastore writes a batch. */
export type DatastoreKind = 'level' | 'atomic' | 'plain'

/** What a disk answers when it fails. */
export class DiskError extends Error {
  static override readonly name = 'DiskError'
  override name = 'DiskError'
}

/** An interface-datastore over a simulated disk. */
export class SimulatedDatastore implements Datastore {
  /** What it reads and writes. */
  readonly disk: SimulatedDisk
  /** How it writes batches. */
  readonly kind: DatastoreKind
  /** Present where the datastore is of the kind `level`, by which the engine knows it. */
  readonly db?: SimulatedLevel
  readonly #clock: Clock
  #killed = false

  /**
   * @param disk - it may have had other datastores, one after the other.
   * @param init - the clock is for slow writes; the kind is `level` unless another is given.
   */
  constructor(disk: SimulatedDisk, { clock, kind = 'level' }: { clock: Clock; kind?: DatastoreKind }) {
    this.disk = disk
    this.kind = kind
    this.#clock = clock
    if (kind === 'level') this.db = new SimulatedLevel(this)
  }

  /** The process is gone: no call is answered any more. */
  kill(): void {
    this.#killed = true
  }

  /** One write of the disk, whole or not at all. */
  async write(changes: Write, flush = false): Promise<void> {
    const { disk } = this
    const { faults } = disk
    const number = ++disk.writes
    const ms = faults.writeMs?.() ?? 0
    if (ms > 0) await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, ms))
    if (!this.#killed && faults.stopAt !== undefined && number >= faults.stopAt) {
      this.kill()
      disk.onStop()
    }
    await this.#alive()
    if (faults.failWrite?.(number) === true) throw new DiskError('no space left on device')
    disk.write(changes)
    if (flush) disk.flush()
    if (faults.failAfterWrite?.(number) === true) throw new DiskError('input/output error after a write')
  }

  /** The row, or undefined. */
  async read(row: string): Promise<Uint8Array | undefined> {
    await this.#alive()
    return this.readSync(row)
  }

  /** The row, in the turn in which it is asked for. */
  readSync(row: string): Uint8Array | undefined {
    if (this.disk.faults.failRead?.() === true) throw new DiskError('input/output error')
    return this.disk.get(row)
  }

  /** The rows whose keys are wanted, in their order, as of now. */
  async snapshot(isWanted: (row: string) => boolean): Promise<Array<[string, Uint8Array]>> {
    await this.#alive()
    if (this.disk.faults.failRead?.() === true) throw new DiskError('input/output error')
    return this.disk.select(isWanted)
  }

  async get(key: Key): Promise<Uint8Array> {
    const value = await this.read(key.toString())
    if (value === undefined) throw new NotFoundError()
    return value
  }

  async has(key: Key): Promise<boolean> {
    return (await this.read(key.toString())) !== undefined
  }

  async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.write(new Map([[key.toString(), value]]))
    return key
  }

  async delete(key: Key): Promise<void> {
    await this.write(new Map([[key.toString(), undefined]]))
  }

  async *putMany(source: AsyncIterable<Pair> | Iterable<Pair>): AsyncGenerator<Key> {
    for await (const { key, value } of source) yield await this.put(key, value)
  }

  async *getMany(source: AsyncIterable<Key> | Iterable<Key>): AsyncGenerator<Pair> {
    for await (const key of source) yield { key, value: await this.get(key) }
  }

  async *deleteMany(source: AsyncIterable<Key> | Iterable<Key>): AsyncGenerator<Key> {
    for await (const key of source) {
      await this.delete(key)
      yield key
    }
  }

  batch(): Batch {
    const changes = new Map<string, Uint8Array | undefined>()
    return {
      put: (key, value) => void changes.set(key.toString(), value),
      delete: (key) => void changes.set(key.toString(), undefined),
      commit: async () => {
        if (this.kind !== 'plain') return await this.write(changes)
        for (const change of changes) await this.write(new Map([change]))
      }
    }
  }

  async *query(query: Query): AsyncGenerator<Pair> {
    const rows = await this.snapshot((row) => row.startsWith(query.prefix ?? ''))
    yield* selected(
      rows.map(([row, value]) => ({ key: new Key(row, false), value })),
      query
    )
  }

  async *queryKeys(query: KeyQuery): AsyncGenerator<Key> {
    const rows = await this.snapshot((row) => row.startsWith(query.prefix ?? ''))
    yield* selected(
      rows.map(([row]) => new Key(row, false)),
      query
    )
  }

  /** Never resolves once the process is gone. */
  async #alive(): Promise<void> {
    await undefined
    if (this.#killed) await new Promise(() => {})
  }
}

interface Selection<T> {
  filters?: Array<(item: T) => boolean>
  orders?: Array<(a: T, b: T) => -1 | 0 | 1>
  offset?: number
  limit?: number
}

/** What a query leaves of the rows with its prefix. */
function selected<T>(items: T[], { filters = [], orders = [], offset = 0, limit }: Selection<T>): T[] {
  let left = items
  for (const filter of filters) left = left.filter(filter)
  for (const order of orders) left.sort(order)
  return left.slice(offset, limit === undefined ? undefined : offset + limit)
}
