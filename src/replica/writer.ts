/**
 * The single writer: everything that changes the store happens here, one commit after the other.
 *
 * Local writes and remote nodes take turns, so that neither holds up the other for more than one commit. Writes
 * that came while a commit was under way share the next one (group commit).
 *
 * Invariants: one commit at a time; a write is acknowledged after its commit is durable; remote nodes whose commit
 * failed stay queued and are tried again, with backoff; after a failure that leaves the store undecided nothing is
 * written any more.
 */
import { backoffMs } from '../backoff.ts'
import type { DagNode } from '../codec/node.ts'
import type { BlockId, Delta } from '../crdt/delta.ts'
import {
  ClosedError,
  CommitFailedError,
  CorruptRowError,
  DagIgnoredError,
  InvalidDeltaError,
  StoreFailedError
} from '../errors.ts'
import type { Eventual } from '../eventual.ts'
import type { Limits } from '../options.ts'
import { ChangeSet } from '../storage/commit.ts'
import type { ReplicaCounters } from './counters.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import type { Ingest } from './ingest.ts'
import { LonePuts } from './lone-put.ts'
import { CommitDraft } from './merge.ts'
import type { Clock, Logger, Random } from './ports.ts'
import { Publisher } from './publish.ts'
import type { Committed, MergeStores } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'
import type { WantedHeads } from './wanted.ts'
import type { WriteQueue, WriteUnit } from './write-queue.ts'

export interface WriterInit {
  stores: MergeStores
  state: ReplicaState
  queue: WriteQueue
  ingest: Ingest
  wanted: WantedHeads
  limits: Limits
  clock: Clock
  random: Random
  counters: ReplicaCounters
  logger: Logger
  /** Whether writes that wait together may share a delta. */
  coalesce: boolean
  ignored: IgnoredDags
  onCommitted(committed: Committed): void
  /** The store is undecided, and nothing is written any more. */
  onFailed(error: StoreFailedError): void
}

/** Something that must not run while a commit is under way. */
interface ExclusiveTask {
  run(): Promise<void>
  reject(reason: unknown): void
}

export class Writer {
  readonly #init: WriterInit
  readonly #tasks: ExclusiveTask[] = []
  readonly #lonePuts: LonePuts
  #running: Promise<void> | undefined
  #failure: StoreFailedError | undefined
  #remoteFailures = 0
  #retryTimer: unknown
  #stopped = false

  constructor(init: WriterInit) {
    this.#init = init
    this.#lonePuts = new LonePuts(init.stores, init.state, init.limits)
  }

  /** Why nothing can be written or read any more, if so. */
  get failure(): StoreFailedError | undefined {
    return this.#failure
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#stopped || this.#running !== undefined) return
    // After the calls that are under way, so that writes made together are committed together.
    this.#running = Promise.resolve().then(() => this.#run())
  }

  /**
   * Runs a task between two commits. It must be short, because writes wait for it.
   *
   * @throws ClosedError if the writer stops before its turn comes, or StoreFailedError.
   */
  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    if (this.#stopped) throw new ClosedError()
    if (this.#failure !== undefined) throw this.#failure
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const run = async (): Promise<void> => {
      try {
        resolve(await task())
      } catch (error) {
        this.#noteFailure(error)
        reject(error)
      }
    }
    this.#tasks.push({ run, reject })
    this.wake()
    return await promise
  }

  /**
   * Writes one node that says exactly this.
   *
   * @throws InvalidDeltaError if it does not fit, and what a write throws.
   */
  async publishDelta(delta: Pick<Delta, 'elements' | 'tombstones'>, dagName: string): Promise<BlockId> {
    return await this.exclusively(async () => {
      const { stores, state, limits, ignored } = this.#init
      if (ignored.has(dagName)) throw new DagIgnoredError(dagName)
      try {
        const draft = new CommitDraft(stores, state, 'local')
        await new Publisher(draft, state, limits, dagName).publishDelta(delta)
        const committed = await draft.commit()
        await this.#committedLocally(committed)
        return (committed.nodes[0] as DagNode).id
      } catch (error) {
        if (error instanceof InvalidDeltaError) throw error
        throw this.#failedLocally(error)
      }
    })
  }

  /** Ends after the commit that is under way, and keeps what was received and is not merged yet. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#init.clock.clearTimeout(this.#retryTimer)
    await this.#running
    this.#rejectTasks(new ClosedError())
    if (this.#failure === undefined) await this.#guard(() => this.#storeWaiting())
  }

  get #goesOn(): boolean {
    return !this.#stopped && this.#failure === undefined
  }

  async #run(): Promise<void> {
    const { queue, ingest, wanted, state } = this.#init
    while (this.#goesOn) {
      const task = this.#tasks.shift()
      if (task !== undefined) await task.run()
      if (!this.#goesOn) break
      if (!queue.isEmpty) await this.#commitLocal()
      if (!this.#goesOn) break
      // Asked only now, because the pause may have ended while a local commit was under way.
      const mayMerge = this.#retryTimer === undefined
      if (mayMerge && ingest.hasReady) await this.#guard(() => this.#commitRemote())
      else if (mayMerge && (ingest.hasUnstored || wanted.hasUnstored || state.isClockOwed))
        await this.#guard(() => this.#storeWaiting())
      else if (queue.isEmpty && this.#tasks.length === 0) break
    }
    this.#running = undefined
    if (this.#failure !== undefined) {
      queue.clear(this.#failure)
      this.#rejectTasks(this.#failure)
      ingest.settlement.close(this.#failure)
      this.#init.onFailed(this.#failure)
    } else if (!queue.isEmpty || this.#tasks.length > 0) this.wake()
  }

  #rejectTasks(reason: unknown): void {
    for (const { reject } of this.#tasks.splice(0)) reject(reason)
  }

  async #commitLocal(): Promise<void> {
    const { queue, limits } = this.#init
    const taken = queue.take(limits.commitOperationsMax)
    let committed: Committed | undefined
    try {
      committed = await this.#publish(taken.units)
    } catch (error) {
      taken.reject(this.#failedLocally(error))
      return
    }
    taken.acknowledge()
    if (committed === undefined) return
    await this.#committedLocally(committed)
  }

  #failedLocally(error: unknown): unknown {
    this.#init.counters.failedCommits += 1
    this.#noteFailure(error)
    return asCommitError(error)
  }

  #committedLocally(committed: Committed): Eventual<void> {
    const { counters, ingest, logger } = this.#init
    counters.localCommits += 1
    counters.localNodes += committed.nodes.length
    this.#init.onCommitted(committed)
    return ingest.appliedLocally(committed.nodes)?.catch((error: unknown) => {
      logger.error('what waited for a local node could not be looked up - %e', error)
    })
  }

  /** @returns undefined if there was nothing to write. */
  #publish(units: readonly WriteUnit[]): Promise<Committed | undefined> {
    const { stores, state, limits, coalesce } = this.#init
    const [only] = units
    const lone = only !== undefined && units.length === 1 ? this.#lonePuts.commit(only) : undefined
    if (lone !== undefined) return lone
    const draft = new CommitDraft(stores, state, 'local')
    const publisher = new Publisher(draft, state, limits, only?.dagName ?? '')
    return publisher.publish(units, coalesce).then(() => (draft.nodeCount === 0 ? undefined : draft.commit()))
  }

  async #commitRemote(): Promise<void> {
    const { stores, state, ingest, counters, ignored } = this.#init
    const ready = await ingest.next()
    const nodes = ready.filter(({ delta }) => !ignored.has(delta.dagName))
    const draft = new CommitDraft(stores, state, 'remote')
    await draft.apply(nodes)
    ingest.release(ready, draft.rows)
    const committed = await draft.commit()
    counters.remoteCommits += 1
    counters.remoteNodes += nodes.length
    ingest.merged(nodes)
    this.#init.onCommitted(committed)
    // Some may have been queued before their DAG was purged.
    if (nodes.length < ready.length) ingest.ignore(ready.filter((node) => !nodes.includes(node)))
  }

  /** Makes durable what waits for its ancestors, or at a stop for its turn, with the clock that was raised by it. */
  async #storeWaiting(): Promise<void> {
    const { stores, state, ingest, wanted } = this.#init
    const changes = new ChangeSet()
    const stored = [ingest.store(changes), wanted.store(changes)]
    if (this.#stopped) ingest.storeReady(changes)
    if (changes.rows.size > 0 || state.isClockOwed) {
      const row = state.encode()
      changes.put(stores.layout.state, row.bytes)
      await stores.committer.commit(changes)
      row.stored()
    }
    for (const done of stored) done()
  }

  /** Runs a commit that nobody waits for: a failure is counted, and tried again after a pause. */
  async #guard(commit: () => Promise<void>): Promise<void> {
    const { clock, limits, random, counters, logger } = this.#init
    try {
      await commit()
      this.#remoteFailures = 0
    } catch (error) {
      counters.failedCommits += 1
      this.#remoteFailures += 1
      logger.error('a commit of remote nodes failed and will be tried again - %e', error)
      this.#noteFailure(error)
      if (this.#stopped) return
      const pause = backoffMs(this.#remoteFailures, limits.retryIntervalMs, limits.retryIntervalMsMax, random)
      this.#retryTimer = clock.setTimeout(() => {
        this.#retryTimer = undefined
        this.wake()
      }, pause)
    }
  }

  #noteFailure(error: unknown): void {
    if (error instanceof StoreFailedError) this.#failure = error
  }
}

/** A datastore that cannot be read, or a blockstore that fails, refuses a write like one that cannot be written. */
function asCommitError(error: unknown): unknown {
  const isNamed =
    error instanceof CommitFailedError ||
    error instanceof StoreFailedError ||
    error instanceof CorruptRowError
  return isNamed ? error : new CommitFailedError(error)
}
