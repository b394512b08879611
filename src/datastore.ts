/**
 * `CrdtDatastore`: the facade. It checks what callers give, turns keys into canonical ones and back, and leaves
 * everything else to the replica.
 *
 * Invariants: reads see what was committed and nothing else; a write that resolves is durable, visible and will be
 * announced; nothing runs before `start` or after `stop`.
 */
import type { AbortOptions } from 'abort-error'
import { type Batch, type Datastore, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'
import { NotFoundError } from 'interface-store'
import parallel from 'it-parallel'
import type { CID } from 'multiformats/cid'
import { untilAborted, untilAbortedEach } from './abort.ts'
import { CrdtBatch } from './batch.ts'
import { cidFromBlockId } from './codec/block-id.ts'
import { checkedKey, utf8Length } from './codec/key.ts'
import type { Operation } from './crdt/delta.ts'
import {
  ClosedError,
  InvalidDagNameError,
  InvalidValueError,
  NotStartedError,
  ValueTooLargeError
} from './errors.ts'
import { GuardedEventTarget } from './events.ts'
import { DAG_NAME_BYTES_MAX, type Limits } from './options.ts'
import { applyQuery } from './query.ts'
import type { Committed } from './replica/merge.ts'
import type { Logger } from './replica/ports.ts'
import { elementFits } from './replica/publish.ts'
import type { Replica } from './replica/replica.ts'
import type { Stats } from './stats.ts'

/** A head of a DAG: an applied node to which no applied node of the same DAG links. */
export interface Head {
  /** Version 1, dag-pb, sha2-256. */
  cid: CID
  /** The causal height of the node, an exact uint64. */
  priority: bigint
  /** `''` is the unnamed DAG. */
  dagName: string
}

/** Options of a write. */
export interface WriteOptions extends AbortOptions {
  /**
   * The DAG that the write becomes a node of. DAGs have heads of their own and share the keys. Not for swarms
   * with go-ds-crdt v0.6, which does not know them.
   *
   * @default '' (the unnamed DAG)
   */
  dagName?: string
}

/** What the composition root gives to a store. */
export interface CrdtDatastoreParts {
  limits: Limits
  logger: Logger
  /** Starts a replica, or throws why it cannot; told of every commit from then on. */
  open(onCommitted: (committed: Committed) => void): Promise<OpenReplica>
}

/** A replica that runs, and how to end it. */
export interface OpenReplica {
  replica: Replica
  stats(): Stats
  /** Makes what is written so far survive a power loss, where the datastore can. */
  flush(): Promise<void>
  stop(): Promise<void>
}

/** Operations of putMany, getMany and deleteMany that are under way at once. */
const CONCURRENCY = 256

/**
 * A replicated key-value datastore. Made by `createCrdtDatastore`.
 *
 * It implements interface-datastore's `Datastore` and libp2p's `Startable`. Every asynchronous method takes an
 * `AbortSignal`: aborting stops the wait at once and leaves the store consistent; a write that is being committed
 * by then may have been made. Every method throws `NotStartedError` before `start()` and after `stop()`,
 * `ClosedError` after `close()`, and `StoreFailedError` once the datastore failed in the middle of a commit.
 */
export class CrdtDatastore extends GuardedEventTarget implements Datastore {
  readonly #parts: CrdtDatastoreParts
  #open: OpenReplica | undefined
  #listenerErrors = 0
  /** Starts and stops follow each other, whatever the order in which they are called. */
  #transition: Promise<void> = Promise.resolve()
  #closed = false

  /** Use `createCrdtDatastore`. */
  constructor(parts: CrdtDatastoreParts) {
    super((error) => {
      this.#listenerErrors += 1
      parts.logger.error('an event listener failed - %e', error)
    })
    this.#parts = parts
  }

  /** Whether the store can be used. */
  isStarted(): boolean {
    return this.#open !== undefined
  }

  /**
   * Opens the store and joins the topic. Does nothing if it is started.
   *
   * @throws ClosedError, DatastoreLockedError, DatastoreOpenError, LayoutTooNewError, TopicMismatchError or
   * NamespaceInUseError; the store is then not started, and may be started again.
   */
  async start(): Promise<void> {
    await this.#queueTransition(async () => {
      if (this.#closed) throw new ClosedError()
      this.#open ??= await this.#parts.open((committed) => this.#committed(committed))
    })
  }

  /**
   * Leaves the topic and finishes the commit that is under way. Writes that wait are rejected with `ClosedError`.
   * The datastore stays open: it is the caller's. Does nothing if the store is not started.
   */
  async stop(): Promise<void> {
    await this.#queueTransition(async () => {
      const open = this.#open
      this.#open = undefined
      await open?.stop()
    })
  }

  /** `stop`, and for good. */
  async close(): Promise<void> {
    this.#closed = true
    await this.stop()
  }

  /**
   * Writes a value. It is durable and visible here when the promise resolves, and on its way to the others.
   * Concurrent calls that are not awaited one by one may share a commit and a delta.
   *
   * @throws InvalidKeyError, InvalidValueError, InvalidDagNameError or ValueTooLargeError before anything is
   * written; CommitFailedError if the datastore refused it, in which case it can be tried again;
   * WriteQueueFullError if too many writes wait.
   */
  async put(key: Key, value: Uint8Array, options: WriteOptions = {}): Promise<Key> {
    const replica = this.#replica
    const dagName = checkedDagName(options.dagName)
    await replica.write({ operations: [this.#checkedPut(key, value, dagName)], dagName }, options.signal)
    return key
  }

  /** Writes many values, many at once, and yields their keys in order as they become durable. */
  async *putMany(
    source: Iterable<Pair> | AsyncIterable<Pair>,
    options: WriteOptions = {}
  ): AsyncGenerator<Key> {
    yield* this.#each(source, ({ key, value }) => this.put(key, value, options), options.signal)
  }

  /**
   * The value of a key.
   *
   * @throws NotFoundError if there is none.
   */
  async get(key: Key, options?: AbortOptions): Promise<Uint8Array> {
    const value = await this.#value(key, options)
    if (value === undefined) throw new NotFoundError(`There is no value under ${key.toString()}`)
    return value
  }

  /** The values of many keys, in order. Throws NotFoundError at the first that has none. */
  async *getMany(source: Iterable<Key> | AsyncIterable<Key>, options?: AbortOptions): AsyncGenerator<Pair> {
    yield* this.#each(source, async (key) => ({ key, value: await this.get(key, options) }), options?.signal)
  }

  async has(key: Key, options?: AbortOptions): Promise<boolean> {
    return (await this.#value(key, options)) !== undefined
  }

  /**
   * The length of a value in bytes.
   *
   * @throws NotFoundError if there is none.
   */
  async getSize(key: Key, options?: AbortOptions): Promise<number> {
    return (await this.get(key, options)).length
  }

  /**
   * Removes a key: every version of it that is alive here. Versions that others write at the same time stay
   * (add wins). Deleting what is not there writes nothing.
   *
   * @throws what `put` throws.
   */
  async delete(key: Key, options: WriteOptions = {}): Promise<void> {
    const dagName = checkedDagName(options.dagName)
    await this.#replica.write({ operations: [this.#checkedDelete(key)], dagName }, options.signal)
  }

  /** Removes many keys, many at once, and yields them in order as that becomes durable. */
  async *deleteMany(
    source: Iterable<Key> | AsyncIterable<Key>,
    options: WriteOptions = {}
  ): AsyncGenerator<Key> {
    const remove = async (key: Key): Promise<Key> => {
      await this.delete(key, options)
      return key
    }
    yield* this.#each(source, remove, options.signal)
  }

  /**
   * A batch: its operations become visible and durable together, when it is committed. One that is too large for
   * a node becomes several, which other replicas may see one after the other.
   *
   * @throws InvalidDagNameError
   */
  batch(options: { dagName?: string } = {}): Batch {
    this.#replica.assertUsable()
    const dagName = checkedDagName(options.dagName)
    return new CrdtBatch({
      check: (operation) =>
        operation.type === 'put'
          ? this.#checkedPut(operation.key, operation.value, dagName)
          : this.#checkedDelete(operation.key),
      commit: async (operations, signal) => this.#replica.write({ operations, dagName }, signal)
    })
  }

  /**
   * Keys and values whose key starts with a prefix (`startsWith` on the text of the key), filtered, ordered and
   * cut as interface-datastore has it. The order is not defined unless it is asked for.
   */
  async *query(query: Query, options?: AbortOptions): AsyncGenerator<Pair> {
    const { sets } = this.#replica
    const pairs = map(sets.entries(query.prefix ?? ''), ({ key, value }) => ({
      key: new Key(key, false),
      value
    }))
    yield* untilAbortedEach(applyQuery(pairs, query), options?.signal)
  }

  /** The same for keys alone. Values are not read. */
  async *queryKeys(query: KeyQuery, options?: AbortOptions): AsyncGenerator<Key> {
    const { sets } = this.#replica
    const keys = map(sets.keys(query.prefix ?? ''), (key) => new Key(key, false))
    yield* untilAbortedEach(applyQuery(keys, query), options?.signal)
  }

  /** The heads of all DAGs, or of one, greatest priority first. */
  async heads(dagName?: string): Promise<Head[]> {
    const heads = this.#replica.heads(dagName)
    return heads.map(({ id, priority, dagName: name }) => ({
      cid: cidFromBlockId(id),
      priority,
      dagName: name
    }))
  }

  /**
   * A digest of the state, 64 hexadecimal digits: equal on replicas with equal alive elements. It tells apart
   * states that differ by accident, and is no defence against a writer who forges one on purpose.
   */
  async digest(): Promise<string> {
    return [...this.#replica.state.committed.digest]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('')
  }

  /** What the store holds, and everything it counted since it was started. */
  async stats(): Promise<Stats> {
    this.#replica.assertUsable()
    const stats = (this.#open as OpenReplica).stats()
    return { ...stats, counters: { ...stats.counters, listenerErrors: this.#listenerErrors } }
  }

  /** Waits until every head that was heard of so far is merged, or was found not to be had. */
  async waitForSync(options?: AbortOptions): Promise<void> {
    await untilAborted(this.#replica.waitForSync(options?.signal), options?.signal)
  }

  /**
   * Makes every write that was acknowledged so far survive a power loss, where the datastore can (datastore-level).
   *
   * @param _prefix - ignored: whatever is under another prefix is flushed as well. go-datastore has it.
   */
  async sync(_prefix?: Key, options?: AbortOptions): Promise<void> {
    const open = this.#open
    await this.#replica.write({ operations: [], dagName: '' }, options?.signal)
    if (open !== undefined) await untilAborted(open.flush(), options?.signal)
  }

  get #replica(): Replica {
    if (this.#closed) throw new ClosedError()
    if (this.#open === undefined) throw new NotStartedError()
    this.#open.replica.assertUsable()
    return this.#open.replica
  }

  async #value(key: Key, options: AbortOptions | undefined): Promise<Uint8Array | undefined> {
    const { sets } = this.#replica
    const canonical = checkedKey(key.toString(), Number.POSITIVE_INFINITY)
    options?.signal?.throwIfAborted()
    return await untilAborted(sets.value(canonical), options?.signal)
  }

  #checkedPut(key: Key, value: unknown, dagName: string): Operation {
    const canonical = checkedKey(key.toString(), this.#parts.limits.keyBytesMax)
    if (!(value instanceof Uint8Array)) throw new InvalidValueError(canonical, value)
    const { deltaBytesMax } = this.#parts.limits
    if (!elementFits(canonical, value.length, dagName, deltaBytesMax)) {
      throw new ValueTooLargeError(canonical, value.length, deltaBytesMax)
    }
    return { type: 'put', key: canonical, value }
  }

  /** A key of any length may be deleted, since a peer may have written it. */
  #checkedDelete(key: Key): Operation {
    return { type: 'delete', key: checkedKey(key.toString(), Number.POSITIVE_INFINITY) }
  }

  /** Runs an operation for each item, many at once, and yields what they give in the order of the items. */
  async *#each<T, R>(
    source: Iterable<T> | AsyncIterable<T>,
    run: (item: T) => Promise<R>,
    signal: AbortSignal | undefined
  ): AsyncGenerator<R> {
    const tasks = map(source, (item) => () => run(item))
    yield* untilAbortedEach(parallel(tasks, { concurrency: CONCURRENCY, ordered: true }), signal)
  }

  #committed({ changes, origin, sequence }: Committed): void {
    if (changes.length === 0 || this.listenerCount('change') === 0) return
    for (const { key, value, previous, id } of changes) {
      const change = { key: new Key(key, false), value, previous, origin, cid: cidFromBlockId(id), sequence }
      this.safeDispatchEvent('change', { detail: change })
    }
  }

  async #queueTransition(transition: () => Promise<void>): Promise<void> {
    const done = this.#transition.then(transition)
    this.#transition = done.catch(() => {})
    await done
  }
}

async function* map<T, R>(
  source: Iterable<T> | AsyncIterable<T>,
  convert: (item: T) => R
): AsyncGenerator<R> {
  for await (const item of source) yield convert(item)
}

/** @throws InvalidDagNameError for names that go-ds-crdt would lose, or that rows could not hold. */
function checkedDagName(dagName = ''): string {
  if (!dagName.isWellFormed()) throw new InvalidDagNameError(dagName, 'it contains a lone surrogate')
  if (dagName.includes('/') || dagName === '.' || dagName === '..') {
    throw new InvalidDagNameError(
      dagName,
      'Go peers lose the heads of DAGs whose name contains / or is . or ..'
    )
  }
  if (utf8Length(dagName) > DAG_NAME_BYTES_MAX) {
    throw new InvalidDagNameError(
      dagName,
      `it has more than ${DAG_NAME_BYTES_MAX} bytes in UTF-8; shorten it`
    )
  }
  return dagName
}
