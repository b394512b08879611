/**
 * Rows over any interface-datastore, and the shorter way where the datastore is a `LevelDatastore`.
 *
 * Invariants: a missing row is undefined, never an exception; `write` keeps the order within one row only;
 * every iterator that is left early is closed.
 */
import { type Datastore, Key } from 'interface-datastore'
import { DatastoreLockedError, DatastoreOpenError, InvalidOptionError } from '../errors.ts'
import type { Eventual } from '../eventual.ts'

export interface Row {
  row: string
  value: Uint8Array
}

export interface RowStore {
  /** Whether `write` is all or nothing by itself. */
  readonly atomic: boolean
  get(row: string): Promise<Uint8Array | undefined>
  /** In the order of the rows asked for; at once where the datastore can and they are few. */
  getMany(rows: readonly string[]): Eventual<Array<Uint8Array | undefined>>
  /** The same, and never at once: the event loop does not wait for the disk, however few they are. */
  readMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>>
  /** Every row whose key starts with the prefix, in no order that may be relied on. */
  scan(prefix: string): AsyncGenerator<Row>
  scanKeys(prefix: string): AsyncGenerator<string>
  /** `scan`, in hands of as many rows as the datastore gives at once. */
  scanHands(prefix: string): AsyncGenerator<Row[]>
  scanKeyHands(prefix: string): AsyncGenerator<string[]>
  /** Writes, or deletes where the value is `null`. Values are copied where the datastore may keep them. */
  write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void>
  /**
   * Runs writes between which rows are half done: reads wait until it ends, and fail if it does. Without this
   * somebody could see half of a commit, be it only between two attempts to apply it.
   */
  apply(writes: () => Promise<void>): Promise<void>
  /** Makes everything written so far survive a power loss, where the datastore can; `row` is written as it is. */
  flush(row: string): Promise<void>
}

/** How a commit survives: a crash of the process, or of the machine as well. */
export type Durability = 'process' | 'fsync'

export interface RowStoreInit {
  /** Whether the datastore's `batch()` is atomic; recognised for datastore-level and datastore-idb. */
  atomicBatch?: boolean | undefined
  durability: Durability
}

/** The parts of abstract-level that are used where a datastore is built on it. */
interface Level {
  location?: string
  status: string
  supports?: { getSync?: boolean }
  open(): Promise<void>
  get(key: string, options: object): Promise<Uint8Array | undefined>
  getSync?(key: string, options: object): Uint8Array | undefined
  getMany(keys: string[], options: object): Promise<Array<Uint8Array | undefined>>
  batch(operations: LevelOperation[], options: object): Promise<void>
  /** One that is filled row by row. */
  batch(): LevelBatch
  iterator(options: object): LevelIterator<[string, Uint8Array]>
  keys(options: object): LevelIterator<string>
}

interface LevelBatch {
  put(key: string, value: Uint8Array, options: object): void
  del(key: string, options: object): void
  write(options: object): Promise<void>
  close(): Promise<void>
}

interface LevelIterator<T> {
  nextv(size: number): Promise<T[]>
  close(): Promise<void>
}

type LevelOperation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string }

/** Rows over the datastore that was given, by the shortest way that it offers. */
export function rowStoreOver(datastore: Datastore, init: RowStoreInit): RowStore {
  const level = levelOf(datastore)
  if (level !== undefined) return new LevelRows(level, init.atomicBatch ?? true, init.durability === 'fsync')
  if (init.durability === 'fsync') {
    throw new InvalidOptionError(
      'durability',
      'fsync',
      "'process' for a datastore that is not a LevelDatastore"
    )
  }
  return new DatastoreRows(datastore, init.atomicBatch ?? isKnownAtomic(datastore))
}

/**
 * Makes sure that the datastore answers, and says why where it does not: datastore-level, for one, reports a
 * lock as an unopened database and keeps the reason to itself.
 *
 * @throws DatastoreLockedError if another process holds the lock.
 * @throws DatastoreOpenError for any other reason.
 */
export async function ensureReadable(datastore: Datastore, rows: RowStore, probe: string): Promise<void> {
  const level = levelOf(datastore)
  const location = level?.location ?? locationOf(datastore)
  try {
    await level?.open()
    await rows.get(probe)
  } catch (error) {
    throw isLock(error) ? new DatastoreLockedError(location, error) : new DatastoreOpenError(location, error)
  }
}

function levelOf(datastore: Datastore): Level | undefined {
  const { db } = datastore as { db?: Partial<Level> }
  const methods = ['batch', 'getMany', 'iterator', 'keys', 'open'] as const
  return db !== undefined && methods.every((method) => typeof db[method] === 'function')
    ? (db as Level)
    : undefined
}

function locationOf(datastore: Datastore): string | undefined {
  const { path } = datastore as { path?: unknown }
  return typeof path === 'string' ? path : undefined
}

/** datastore-idb writes a batch in one transaction of IndexedDB. */
function isKnownAtomic(datastore: Datastore): boolean {
  return datastore.constructor.name === 'IDBDatastore'
}

function isLock(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: unknown }).code === 'LEVEL_LOCKED' || /\bLOCK\b/.test(cause.message)) return true
  }
  return false
}

function isNotFound(error: unknown): boolean {
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === 'NotFoundError' || code === 'ERR_NOT_FOUND'
}

class DatastoreRows implements RowStore {
  readonly atomic: boolean
  readonly #datastore: Datastore
  #applying: Promise<void> | undefined

  constructor(datastore: Datastore, atomic: boolean) {
    this.#datastore = datastore
    this.atomic = atomic
  }

  async get(row: string): Promise<Uint8Array | undefined> {
    await this.#applying
    try {
      return ownBytes(await this.#datastore.get(new Key(row, false)))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async getMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return await Promise.all(rows.map((row) => this.get(row)))
  }

  readMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return this.getMany(rows)
  }

  async *scan(prefix: string): AsyncGenerator<Row> {
    await this.#applying
    for await (const { key, value } of this.#datastore.query({ prefix })) {
      yield { row: key.toString(), value: ownBytes(value) }
    }
  }

  async *scanKeys(prefix: string): AsyncGenerator<string> {
    await this.#applying
    for await (const key of this.#datastore.queryKeys({ prefix })) yield key.toString()
  }

  /** One by one, because a query that ends early must not have read more than it gave. */
  async *scanHands(prefix: string): AsyncGenerator<Row[]> {
    for await (const row of this.scan(prefix)) yield [row]
  }

  async *scanKeyHands(prefix: string): AsyncGenerator<string[]> {
    for await (const row of this.scanKeys(prefix)) yield [row]
  }

  async write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    if (rows.size === 1) {
      // A single row needs no batch, and stores without an atomic one make a single put atomic.
      for (const [row, value] of rows) {
        if (value === null) await this.#datastore.delete(new Key(row, false))
        else await this.#datastore.put(new Key(row, false), ownBytes(value))
      }
      return
    }
    const batch = this.#datastore.batch()
    for (const [row, value] of rows) {
      if (value === null) batch.delete(new Key(row, false))
      else batch.put(new Key(row, false), ownBytes(value))
    }
    await batch.commit()
  }

  async apply(writes: () => Promise<void>): Promise<void> {
    this.#applying = writes()
    try {
      await this.#applying
    } finally {
      this.#applying = undefined
    }
  }

  async flush(): Promise<void> {
    // interface-datastore has no way to ask for it.
  }
}

/**
 * Some datastores keep the very bytes they are given, and hand them out, which a caller must not be able to change.
 * And some clone the whole buffer that they lie in, such as IndexedDB.
 */
function ownBytes(value: Uint8Array): Uint8Array {
  return new Uint8Array(value)
}

const ENCODINGS = { keyEncoding: 'utf8', valueEncoding: 'view' }
/** Rows that an iterator hands over at once; larger hands cost memory and save nothing measurable. */
const ITERATOR_ROWS = 128
/**
 * Up to this many rows a commit reads at once: an awaited put takes 37% more of the main thread where it asks the thread
 * pool.
 */
const SYNC_READS_MAX = 8

/**
 * From so many rows on they are written one by one into a batch: otherwise a key of a batch takes 14% more of the main
 * thread, and a merged delta 12%.
 */
const CHAINED_ROWS_MIN = 32

class LevelRows implements RowStore {
  readonly atomic: boolean
  readonly #level: Level
  readonly #writeOptions: object
  /** Whether it is LevelDB itself: it reads without the thread pool, and has copied what it writes when asked to. */
  readonly #isNative: boolean

  constructor(level: Level, atomic: boolean, fsync: boolean) {
    this.#level = level
    this.atomic = atomic
    this.#writeOptions = { ...ENCODINGS, sync: fsync }
    this.#isNative = level.supports?.getSync === true && typeof level.getSync === 'function'
  }

  get(row: string): Promise<Uint8Array | undefined> {
    return this.#level.get(row, ENCODINGS)
  }

  getMany(rows: readonly string[]): Eventual<Array<Uint8Array | undefined>> {
    if (this.#isNative && rows.length <= SYNC_READS_MAX) {
      return rows.map((row) => this.#level.getSync?.(row, ENCODINGS))
    }
    return this.readMany(rows)
  }

  readMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return this.#level.getMany([...rows], ENCODINGS)
  }

  scan(prefix: string): AsyncGenerator<Row> {
    return each(this.scanHands(prefix))
  }

  scanKeys(prefix: string): AsyncGenerator<string> {
    return each(this.scanKeyHands(prefix))
  }

  scanHands(prefix: string): AsyncGenerator<Row[]> {
    const entries = this.#level.iterator({ ...ENCODINGS, ...rangeOf(prefix) })
    return drain(entries, ([row, value]) => ({ row, value }))
  }

  scanKeyHands(prefix: string): AsyncGenerator<string[]> {
    return drain(this.#level.keys({ ...ENCODINGS, ...rangeOf(prefix) }), (row) => row)
  }

  write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    if (this.#isNative && rows.size >= CHAINED_ROWS_MIN) return this.#writeChained(rows)
    const operations: LevelOperation[] = []
    for (const [key, value] of rows) {
      if (value === null) operations.push({ type: 'del', key })
      else operations.push({ type: 'put', key, value: this.#isNative ? value : ownBytes(value) })
    }
    return this.#level.batch(operations, this.#writeOptions)
  }

  /** Row by row into LevelDB's own batch: the binding reads each row of an array by the names of its fields. */
  async #writeChained(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    const batch = this.#level.batch()
    try {
      for (const [row, value] of rows) {
        if (value === null) batch.del(row, ENCODINGS)
        else batch.put(row, value, ENCODINGS)
      }
    } catch (error) {
      await batch.close()
      throw error
    }
    await batch.write(this.#writeOptions)
  }

  /** A batch of Level is atomic, so that no row is ever half done. */
  async apply(writes: () => Promise<void>): Promise<void> {
    await writes()
  }

  async flush(row: string): Promise<void> {
    const value = await this.get(row)
    if (value === undefined) return
    await this.#level.batch([{ type: 'put', key: row, value }], { ...ENCODINGS, sync: true })
  }
}

/** Rows are printable ASCII, so U+007F sorts after whatever follows a prefix. */
function rangeOf(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: `${prefix}\u007f` }
}

async function* each<T>(hands: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const hand of hands) for (const item of hand) yield item
}

async function* drain<T, R>(iterator: LevelIterator<T>, map: (entry: T) => R): AsyncGenerator<R[]> {
  try {
    for (;;) {
      const entries = await iterator.nextv(ITERATOR_ROWS)
      if (entries.length === 0) return
      yield entries.map(map)
    }
  } finally {
    await iterator.close()
  }
}
