/**
 * `CrdtDatastore`: the facade. It checks what callers give, turns keys into canonical ones and back, and leaves
 * everything else to the replica.
 *
 * Invariants: reads see what was committed and nothing else; a write that resolves is durable, visible and will be
 * announced.
 */
import type { AbortOptions } from 'abort-error'
import { type Batch, type Datastore, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'
import parallel from 'it-parallel'
import { untilAborted, untilAbortedEach } from './abort.ts'
import { CrdtBatch } from './batch.ts'
import { checkedDagName, checkedDelete, checkedForeignKey, checkedPut } from './checks.ts'
import { InvalidOptionError } from './errors.ts'
import type { Change, Head } from './events.ts'
import type { Eventual } from './eventual.ts'
import { getTogether, noValue } from './get-many.ts'
import { explain } from './inspect/explain.ts'
import { history } from './inspect/history.ts'
import { rankedVersions, readerOf } from './inspect/versions.ts'
import { StoreLifecycle } from './lifecycle.ts'
import { headOf, hexOf } from './notifier.ts'
import { type PeerState, peerStates } from './peer-states.ts'
import type { Stats } from './stats.ts'
import type { Entry, SetStore } from './storage/set-store.ts'
import { StoreDag } from './store-dag.ts'
import type { CheckReport, RepairOptions, VerifyOptions } from './verification.ts'
import {
  checkedCount,
  EXPLAINED_VERSIONS,
  type ExplainOptions,
  type Explanation,
  explanationOf,
  type HistoryEntry,
  type HistoryOptions,
  historyEntryOf,
  type KeyVersion,
  versionOf
} from './versions.ts'
import { checkWatchOptions, type WatchOptions } from './watch.ts'

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

/** What to wait for. */
export interface WaitForSyncOptions extends AbortOptions {
  /**
   * Wait first until so many peers are connected and have told which heads they have. Peers that only gossip, such as
   * Go's, do not count.
   *
   * @default 0
   */
  peers?: number
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
export class CrdtDatastore extends StoreLifecycle implements Datastore {
  /** The DAG itself: its nodes, drawings of it, and dropping named parts of it. */
  readonly dag: StoreDag = new StoreDag({
    replica: () => this.replica,
    limits: () => this.parts.limits,
    clock: () => this.parts.clock
  })

  /**
   * Writes a value. It is durable and visible here when the promise resolves, and on its way to the others.
   * Concurrent calls that are not awaited one by one may share a commit and a delta.
   *
   * @throws InvalidKeyError, InvalidValueError, InvalidDagNameError or ValueTooLargeError before anything is
   * written; CommitFailedError if the datastore refused it, in which case it can be tried again;
   * WriteQueueFullError if too many writes wait.
   */
  async put(key: Key, value: Uint8Array, options: WriteOptions = {}): Promise<Key> {
    const { replica } = this
    const dagName = checkedDagName(options.dagName)
    const operation = checkedPut(key.toString(), value, dagName, this.parts.limits)
    await replica.write({ operations: [operation], dagName }, options.signal)
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
    const value = await this.#read(key, options, storedValue)
    if (value === undefined) throw noValue(key)
    return value
  }

  /**
   * The values of many keys, in order. Keys that are at hand, such as an array's, are read up to 128 at once, which
   * takes a fifth of the time of as many `get`s; those of an asynchronous source as they come.
   *
   * @throws NotFoundError at the first that has none.
   */
  async *getMany(source: Iterable<Key> | AsyncIterable<Key>, options?: AbortOptions): AsyncGenerator<Pair> {
    if (Symbol.asyncIterator in source) {
      const pairOf = async (key: Key): Promise<Pair> => ({ key, value: await this.get(key, options) })
      yield* this.#each(source, pairOf, options?.signal)
    } else yield* getTogether(source, () => this.replica.stores.sets, options?.signal)
  }

  async has(key: Key, options?: AbortOptions): Promise<boolean> {
    return (await this.#read(key, options, storedSize)) !== undefined
  }

  /**
   * The length of a value in bytes.
   *
   * @throws NotFoundError if there is none.
   */
  async getSize(key: Key, options?: AbortOptions): Promise<number> {
    const size = await this.#read(key, options, storedSize)
    if (size === undefined) throw noValue(key)
    return size
  }

  /**
   * Removes a key: every version of it that is alive here. Versions that others write at the same time stay
   * (add wins). Deleting what is not there writes nothing.
   *
   * @throws what `put` throws.
   */
  async delete(key: Key, options: WriteOptions = {}): Promise<void> {
    const dagName = checkedDagName(options.dagName)
    await this.replica.write({ operations: [checkedDelete(key.toString())], dagName }, options.signal)
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
    this.replica.assertUsable()
    const dagName = checkedDagName(options.dagName)
    return new CrdtBatch({
      check: (operation) =>
        operation.type === 'put'
          ? checkedPut(operation.key.toString(), operation.value, dagName, this.parts.limits)
          : checkedDelete(operation.key.toString()),
      commit: async (operations, signal) => this.replica.write({ operations, dagName }, signal)
    })
  }

  /**
   * Keys and values whose key starts with a prefix (`startsWith` on the text of the key), filtered, ordered and
   * cut as interface-datastore has it. The order is not defined unless it is asked for.
   */
  query(query: Query, options?: AbortOptions): AsyncGenerator<Pair> {
    const pair = ({ key, value }: Entry): Pair => ({ key: new Key(key, false), value })
    return this.reading(
      ({ stores }) => map(stores.sets.entries(query.prefix ?? ''), (entries) => entries.map(pair)),
      query,
      options?.signal
    )
  }

  /** The same for keys alone. Values are not read. */
  queryKeys(query: KeyQuery, options?: AbortOptions): AsyncGenerator<Key> {
    const keyOf = (key: string): Key => new Key(key, false)
    return this.reading(
      ({ stores }) => map(stores.sets.keys(query.prefix ?? ''), (keys) => keys.map(keyOf)),
      query,
      options?.signal
    )
  }

  /** The heads of all DAGs, or of one, greatest priority first. */
  async heads(dagName?: string): Promise<Head[]> {
    return this.replica.heads(dagName).map(headOf)
  }

  /**
   * A digest of the state, 64 hexadecimal digits: equal on replicas with equal alive elements. It tells apart
   * states that differ by accident, and is no defence against a writer who forges one on purpose.
   */
  async digest(): Promise<string> {
    return hexOf(this.replica.state.committed.digest)
  }

  /** What the store holds, and everything it counted since it was started. */
  async stats(): Promise<Stats> {
    const stats = this.running.stats()
    return { ...stats, counters: { ...stats.counters, listenerErrors: this.listenerErrors } }
  }

  /** What each peer of the topic said last, who spoke last first; at most `peersMax` of them. */
  async peers(): Promise<PeerState[]> {
    return peerStates(this.replica)
  }

  /**
   * Waits until every head that was heard of so far is merged, or was found not to be had. Where nobody was heard of
   * yet that is at once: to be level with somebody after a start or a dial, say with how many (`peers`).
   *
   * @throws InvalidOptionError if `peers` is no whole number.
   */
  async waitForSync({ peers = 0, signal }: WaitForSyncOptions = {}): Promise<void> {
    if (!Number.isSafeInteger(peers) || peers < 0 || peers > this.parts.limits.peersMax) {
      const expected = `a whole number from 0 to ${this.parts.limits.peersMax} (option peersMax)`
      throw new InvalidOptionError('peers', peers, expected)
    }
    await untilAborted(this.replica.waitForSync(peers, signal), signal)
  }

  /**
   * Makes every write that was acknowledged so far survive a power loss, where the datastore can (datastore-level).
   *
   * @param _prefix - ignored: whatever is under another prefix is flushed as well. go-datastore has it.
   */
  async sync(_prefix?: Key, options?: AbortOptions): Promise<void> {
    const { replica, flush } = this.running
    await replica.write({ operations: [], dagName: '' }, options?.signal)
    await untilAborted(flush(), options?.signal)
  }

  /**
   * Changes in commit order, each after its commit, from the call on or from a sequence number on (`since`). A
   * consumer that is slower than the store is not waited for: what does not fit into `watchBufferBytesMax` is read
   * from the log when it is ready, which leaves out values that were written over meanwhile (`replayed`). Ends when
   * the store stops, after what waits, when nothing can be read any more: whoever reads in the loop ends it before,
   * by `return()`; rejects with the signal's reason when that is aborted.
   *
   * @throws InvalidOptionError if `since` is no sequence number of this store, or another option cannot be.
   */
  watch(options: WatchOptions = {}): AsyncGenerator<Change> {
    const { watches, replica } = this.running
    checkWatchOptions(options, replica.state.committed.sequence)
    return watches.open(options)
  }

  /**
   * Every alive version of a key, the winner first. A put removes nothing: versions that were written over stay alive
   * below the newer ones, as in go-ds-crdt, until a delete names them. A delete and a put in one batch leave one.
   */
  async *getAll(key: Key, options?: AbortOptions): AsyncGenerator<KeyVersion> {
    const canonical = checkedForeignKey(key.toString())
    yield* this.reading(
      ({ stores }) => map(rankedVersions(readerOf(stores), canonical), (version) => [versionOf(version)]),
      {},
      options?.signal
    )
  }

  /**
   * What was ever written to a key and deleted from it, newest first: a scan of all nodes, one after the other, so
   * its time grows with the store. Give a `limit`, or stop when you have seen enough.
   *
   * @throws InvalidOptionError if `limit` or `before` is negative or no whole number.
   */
  async *history(key: Key, options: HistoryOptions = {}): AsyncGenerator<HistoryEntry> {
    const { replica } = this
    const limit = checkedCount('limit', options.limit)
    const before = Math.min(checkedCount('before', options.before), replica.state.committed.sequence + 1)
    const canonical = checkedForeignKey(key.toString())
    yield* this.reading(
      ({ stores }) => map(history(readerOf(stores), canonical, before), (node) => [historyEntryOf(node)]),
      { limit },
      options.signal
    )
  }

  /** Why a key has its value: its versions, and the rule that decided. `text` says it in words. @throws InvalidOptionError */
  async explain(key: Key, options: ExplainOptions = {}): Promise<Explanation> {
    const canonical = checkedForeignKey(key.toString())
    const limit = checkedCount('limit', options.limit, EXPLAINED_VERSIONS)
    const explained = explain(readerOf(this.replica.stores), canonical, limit)
    return explanationOf(canonical, await untilAborted(explained, options.signal), limit)
  }

  /**
   * Derives the state anew from the DAG, and names every row that differs: damage of the disk, or a defect. Takes
   * about as long as a peer's catch-up, and about as much disk again as keys and indexes take, while it runs; memory
   * is bounded, and reads and writes go on. Works on a stopped store too, also on one that `start` refuses.
   */
  async verify(options: VerifyOptions = {}): Promise<CheckReport> {
    return await this.check(false, options)
  }

  /**
   * `verify`, and makes every row what the DAG says. Lost blocks are fetched from peers; as long as one is lost
   * nothing else is touched, since what only it says would be thrown away (see `forgetLostBlocks`). A store that
   * `start` refuses is repaired stopped: make it with `start: false`.
   */
  async repair(options: RepairOptions = {}): Promise<CheckReport> {
    return await this.check(options.dryRun !== true, options)
  }

  async #read<T>(
    key: Key,
    options: AbortOptions | undefined,
    read: (sets: SetStore, canonical: string) => Eventual<T>
  ): Promise<T> {
    const { sets } = this.replica.stores
    const canonical = checkedForeignKey(key.toString())
    options?.signal?.throwIfAborted()
    return await untilAborted(Promise.resolve(read(sets, canonical)), options?.signal)
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
}

function storedValue(sets: SetStore, key: string): Eventual<Uint8Array | undefined> {
  return sets.value(key)
}

function storedSize(sets: SetStore, key: string): Eventual<number | undefined> {
  return sets.size(key)
}

async function* map<T, R>(
  source: Iterable<T> | AsyncIterable<T>,
  convert: (item: T) => R
): AsyncGenerator<R> {
  for await (const item of source) yield convert(item)
}
