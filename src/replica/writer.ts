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
import { backoffMs } from '../dag/backoff.ts'
import { StoreFailedError } from '../errors.ts'
import type { Limits } from '../options.ts'
import { ChangeSet } from '../storage/commit.ts'
import type { ReplicaCounters } from './counters.ts'
import type { Ingest } from './ingest.ts'
import { CommitDraft, type Committed, type MergeStores } from './merge.ts'
import type { Clock, Logger, Random } from './ports.ts'
import { Publisher } from './publish.ts'
import type { ReplicaState } from './state.ts'
import type { WantedHeads } from './wanted.ts'
import type { WriteQueue } from './write-queue.ts'

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
  onCommitted(committed: Committed): void
}

export class Writer {
  readonly #init: WriterInit
  #running: Promise<void> | undefined
  #failure: StoreFailedError | undefined
  #remoteFailures = 0
  #retryTimer: unknown
  #stopped = false

  constructor(init: WriterInit) {
    this.#init = init
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

  /** Ends after the commit that is under way, and keeps what waits for its ancestors. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#init.clock.clearTimeout(this.#retryTimer)
    await this.#running
    if (this.#failure === undefined) await this.#guard(() => this.#storeWaiting())
  }

  async #run(): Promise<void> {
    const { queue, ingest, wanted } = this.#init
    while (!this.#stopped && this.#failure === undefined) {
      const mayMerge = this.#retryTimer === undefined
      if (!queue.isEmpty) await this.#commitLocal()
      if (mayMerge && ingest.hasReady) await this.#guard(() => this.#commitRemote())
      else if (mayMerge && (ingest.hasUnstored || wanted.hasUnstored))
        await this.#guard(() => this.#storeWaiting())
      else if (queue.isEmpty) break
    }
    this.#running = undefined
    if (this.#failure !== undefined) queue.clear(this.#failure)
    else if (!queue.isEmpty) this.wake()
  }

  async #commitLocal(): Promise<void> {
    const { stores, state, queue, limits, coalesce, counters, ingest } = this.#init
    const taken = queue.take(limits.commitOperationsMax)
    const dagName = taken.units[0]?.dagName ?? ''
    try {
      const draft = new CommitDraft(stores, state, 'local')
      await new Publisher(draft, state, limits, dagName).publish(taken.units, coalesce)
      if (draft.nodeCount === 0) {
        taken.acknowledge()
        return
      }
      const committed = await draft.commit()
      counters.localCommits += 1
      counters.localNodes += committed.nodes.length
      taken.acknowledge()
      await ingest.appliedLocally(committed.nodes)
      this.#init.onCommitted(committed)
    } catch (error) {
      counters.failedCommits += 1
      this.#noteFailure(error)
      taken.reject(error)
    }
  }

  async #commitRemote(): Promise<void> {
    const { stores, state, ingest, counters } = this.#init
    const nodes = await ingest.next()
    const draft = new CommitDraft(stores, state, 'remote')
    await draft.apply(nodes)
    ingest.release(nodes, draft.rows)
    const committed = await draft.commit()
    counters.remoteCommits += 1
    counters.remoteNodes += nodes.length
    ingest.merged(nodes)
    this.#init.onCommitted(committed)
  }

  /** Makes durable what waits for its ancestors, with the clock that was raised by it. */
  async #storeWaiting(): Promise<void> {
    const { stores, state, ingest, wanted } = this.#init
    const changes = new ChangeSet()
    const stored = [ingest.store(changes), wanted.store(changes)]
    if (changes.rows.size > 0) {
      changes.put(stores.layout.state, state.encode())
      await stores.committer.commit(changes)
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
