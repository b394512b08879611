/**
 * The replica: what joins the local path, the remote path and the network around one writer.
 *
 * | a put                | a received head                              |
 * | -------------------- | -------------------------------------------- |
 * | `write` queue        | `Inbox`: decoded, known already?             |
 * | `Publisher`          | `Ingest.receive`: verified, clock            |
 * |                      | `Fetcher`: what is missing below it          |
 * | `CommitDraft`        | `CommitDraft`: the same funnel               |
 * | `Announcer`          |                                              |
 * | `onCommitted`        | `onCommitted`                                |
 *
 * Invariants: nothing runs before `start` or after `stop`; the network reaches the store through `Ingest` alone,
 * and is told of the store through `ReplicaView` alone.
 */

import { breather } from '../breather.ts'
import type { BlockId, Delta } from '../crdt/delta.ts'
import { Fetcher } from '../dag/fetch.ts'
import { ClosedError, DagIgnoredError } from '../errors.ts'
import type { Limits } from '../options.ts'
import type { Layout } from '../storage/keys.ts'
import type { BlockSource } from '../storage/log-store.ts'
import { openStore } from '../storage/open.ts'
import { PendingStore } from '../storage/pending-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import type { StoredHead } from '../storage/rows.ts'
import { Announcer } from './announce.ts'
import { newCounters, type ReplicaCounters } from './counters.ts'
import { runDeferred } from './deferred.ts'
import { GapRetry } from './gap-retry.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import { Ingest } from './ingest.ts'
import { Intake } from './intake.ts'
import type { Divergence, RefusedBlock, ReplicaListener } from './listener.ts'
import { LogOnce } from './log-once.ts'
import type { Committed, MergeStores } from './merge.ts'
import { type PeerSaid, Peers } from './peers.ts'
import type {
  BlockExchange,
  Broadcaster,
  Clock,
  Logger,
  PeerClaim,
  PeerName,
  Random,
  ReceivedBlock,
  ReplicaView
} from './ports.ts'
import { Purges } from './purge.ts'
import type { ReplicaState } from './state.ts'
import { type OpenStores, openStores, reloadStores } from './stores.ts'
import { SyncTracker } from './sync-tracker.ts'
import { viewOf } from './view.ts'
import { WantedHeads } from './wanted.ts'
import { WriteQueue, type WriteUnit } from './write-queue.ts'
import { Writer } from './writer.ts'

export interface ReplicaInit {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
  broadcaster?: Broadcaster | undefined
  exchange?: BlockExchange | undefined
  topic?: string | undefined
  limits: Limits
  coalesce: boolean
  clock: Clock
  random: Random
  logger: Logger
  listener: ReplicaListener
}

export class Replica {
  readonly counters: ReplicaCounters = newCounters()
  readonly #init: ReplicaInit
  readonly stores: MergeStores
  readonly #state: ReplicaState
  readonly #view: ReplicaView
  readonly #ignored: IgnoredDags
  readonly #peers: Peers
  readonly #syncTracker: SyncTracker
  readonly #logOnce: LogOnce
  readonly #queue: WriteQueue
  readonly #ingest: Ingest
  readonly #writer: Writer
  readonly #intake: Intake
  readonly #purges: Purges
  readonly #wanted: WantedHeads
  readonly #fetcher: Fetcher | undefined
  readonly #announcer: Announcer | undefined
  readonly #gapRetry: GapRetry
  #stopped = false

  private constructor(init: ReplicaInit, { stores, state, ignored }: OpenStores) {
    const { limits, clock, random, logger, exchange, broadcaster, listener } = init
    const { counters } = this
    this.#init = init
    this.stores = stores
    this.#state = state
    this.#ignored = ignored
    this.#logOnce = new LogOnce(logger)
    this.#view = viewOf({
      ...{ stores, state, generation: `${random().toString(36).slice(2)}${random().toString(36).slice(2)}` },
      ignoredDags: () => ignored.names(),
      peerClaims: (peer, claim) => this.#peerClaims(peer, claim),
      peerLeft: (peer) => {
        this.#peers.left(peer)
        this.#fetcher?.peerLeft(peer)
      }
    })
    this.#peers = new Peers({
      ...{ limits, clock, snapshot: () => this.#view.snapshot() },
      onDivergence: (divergence) => this.#diverged(divergence)
    })
    this.#syncTracker = new SyncTracker({
      ...{ clock, counters, listener, isLevel: () => this.#isLevel() },
      pending: () => this.pendingCount,
      wanted: () => this.wantedCount
    })
    const pendingStore = new PendingStore(init.rows, init.layout)
    this.#wanted = new WantedHeads(pendingStore)
    this.#ingest = new Ingest({
      log: stores.log,
      pendingStore,
      state,
      limits,
      counters,
      isIgnored: (dagName) => ignored.has(dagName),
      refused: (block) => this.#refused(block),
      wake: () => this.#writer.wake(),
      want: (ids, from, root) => {
        for (const id of ids) this.#intake.want(id, { sources: [from], root })
      },
      arrived: (id) => this.#fetcher?.drop(id) ?? false,
      remember: (id) => {
        this.#wanted.add(id)
        this.#writer.wake()
      },
      unwant: (ids) => {
        for (const id of ids) this.#fetcher?.release(id)
      }
    })
    this.#queue = new WriteQueue(limits.writeQueueBytesMax, () => this.#writer.wake())
    this.#writer = new Writer({
      ...{ stores, state, queue: this.#queue, ingest: this.#ingest, wanted: this.#wanted },
      ...{ limits, clock, random, counters, logger, ignored, coalesce: init.coalesce },
      onCommitted: (committed) => this.#committed(committed)
    })
    this.#intake = new Intake({
      ...{ ingest: this.#ingest, wanted: this.#wanted, ignored, limits, counters, logger },
      logOnce: this.#logOnce,
      fetcher: () => this.#fetcher,
      isApplied: async (id) => (await stores.log.applied(id)) !== undefined,
      announced: (from, heads) => {
        for (const { id } of heads) this.#announcer?.heard(id)
        this.#peers.announced(from, heads)
      },
      lacking: (from) => this.#syncTracker.wanted(from),
      wake: () => this.#writer.wake()
    })
    this.#purges = new Purges({
      ...{ stores, state, ignored },
      exclusively: async (task) => await this.exclusively(task),
      onCommitted: (committed) => this.#committed(committed)
    })
    if (exchange !== undefined) this.#fetcher = this.#newFetcher(exchange)
    if (broadcaster !== undefined) this.#announcer = this.#newAnnouncer(broadcaster)
    this.#gapRetry = new GapRetry({
      ...{ gaps: stores.gaps, clock, random, limits, logger },
      hasGaps: () => this.#fetcher !== undefined && state.committed.gaps > 0,
      ask: (missing) => {
        const sources = exchange?.peers() ?? []
        for (const id of missing) this.#fetcher?.want(id, { sources, once: true, byIdFirst: true })
      }
    })
  }

  /** Opens the store and begins to run: writes, then serving, then listening, then announcing. */
  static async start(init: ReplicaInit): Promise<Replica> {
    const { rows, layout } = init
    await openStore(rows, layout, init.topic)
    const { blocks, limits } = init
    const open = await openStores({ rows, layout, blocks, journalRetriesMax: limits.journalRetriesMax })
    const replica = new Replica(init, open)
    try {
      await replica.#start()
    } catch (error) {
      await replica.stop()
      throw error
    }
    return replica
  }

  /** Ends promptly: the commit under way is finished, what waits is rejected, nothing is left running. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const { broadcaster, exchange } = this.#init
    this.#gapRetry.stop()
    this.#queue.clear(new ClosedError())
    this.#ingest.close()
    const stopped = await Promise.allSettled([this.#fetcher?.stop(), this.#intake.stop(), exchange?.stop()])
    // Even where the network could not be left, nothing of the store may go on.
    await this.#writer.stop()
    this.#ingest.settlement.close(new ClosedError())
    // Last, so that what the last commit wrote is said.
    await this.#announcer?.stop()
    stopped.push(...(await Promise.allSettled([broadcaster?.stop()])))
    for (const result of stopped) if (result.status === 'rejected') throw result.reason
  }

  /**
   * Waits until a local write is committed.
   *
   * @throws DagIgnoredError, WriteQueueFullError, CommitFailedError, StoreFailedError or the signal's reason.
   */
  async write(unit: WriteUnit, signal?: AbortSignal): Promise<void> {
    this.assertUsable()
    if (this.#ignored.has(unit.dagName)) throw new DagIgnoredError(unit.dagName)
    await this.#queue.enqueue(unit, signal)
  }

  /** Writes one node that says exactly this. */
  async publish(delta: Pick<Delta, 'elements' | 'tombstones'>, dagName: string): Promise<BlockId> {
    this.assertUsable()
    if (this.#ignored.has(dagName)) throw new DagIgnoredError(dagName)
    return await this.#writer.publishDelta(delta, dagName)
  }

  /** @throws StoreFailedError if a commit was left half applied, so that reads could show half of it. */
  assertUsable(): void {
    if (this.#stopped) throw new ClosedError()
    if (this.#writer.failure !== undefined) throw this.#writer.failure
  }

  /** Waits until every head that was heard of so far is merged, or was given up. */
  async waitForSync(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await this.#intake.handled(signal)
    this.assertUsable()
    await this.#ingest.settlement.wait(
      [...this.#ingest.unmerged(), ...(this.#fetcher?.roots() ?? [])],
      signal
    )
  }

  /** All heads, or those of one DAG, greatest priority first. */
  heads(dagName?: string): StoredHead[] {
    return this.stores.heads.list(dagName)
  }

  get state(): ReplicaState {
    return this.#state
  }

  get pendingCount(): number {
    return this.#ingest.pendingCount
  }

  get wantedCount(): number {
    return this.#fetcher?.size ?? 0
  }

  /** What peers last said, who spoke last first. */
  peers(): PeerSaid[] {
    return this.#peers.list()
  }

  /** Drops a DAG and ignores it. @returns how many nodes were dropped. */
  async purge(dagName: string, signal?: AbortSignal): Promise<number> {
    return await this.#purges.purge(dagName, signal)
  }

  /** Takes a DAG up again: what peers have of it is fetched. */
  async resume(dagName: string): Promise<void> {
    if (!(await this.#purges.resume(dagName))) return
    for (const { peer, heads } of this.#peers.claimed()) this.#intake.receiveClaim(heads, peer)
  }

  /** Blocks from whoever has them, unverified. Ends when nothing came for a while. */
  async *fetchBlocks(ids: readonly BlockId[]): AsyncGenerator<ReceivedBlock> {
    const { exchange, clock, limits, logger } = this.#init
    if (exchange === undefined || ids.length === 0) return
    const controller = new AbortController()
    const stall = (): unknown => clock.setTimeout(() => controller.abort(), limits.fetchTimeoutMs)
    let timer = stall()
    try {
      for await (const block of exchange.fetch(ids, { peers: exchange.peers(), signal: controller.signal })) {
        clock.clearTimeout(timer)
        yield block
        timer = stall()
      }
    } catch (error) {
      logger.error('blocks could not be fetched - %e', error)
    } finally {
      clock.clearTimeout(timer)
      controller.abort()
    }
  }

  /** Reads again what is in memory, after rows were mended. Only where no commit is under way. */
  async reload(): Promise<void> {
    await reloadStores({ stores: this.stores, state: this.#state })
  }

  /** Runs a task when no commit is under way. Writes wait for it, so it must be short. */
  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    this.assertUsable()
    return await this.#writer.exclusively(task)
  }

  #peerClaims(peer: PeerName, claim: PeerClaim): void {
    if (this.#stopped) return
    const isNew = this.#peers.claims(peer, claim)
    this.#intake.receiveClaim(claim.heads, peer)
    if (!isNew) return
    // A peer that was not there before may have what nobody else had.
    this.#fetcher?.peerCame(peer)
    this.#gapRetry.within(0)
  }

  /** Whether everything that was heard of is merged, or was given up. */
  #isLevel(): boolean {
    for (const _ of this.#fetcher?.roots() ?? []) return false
    for (const _ of this.#ingest.unmerged()) return false
    return true
  }

  #settled(): void {
    // Only now can what peers claimed be the same as what is here.
    if (this.#syncTracker.settled()) this.#peers.compareAll()
  }

  #refused(block: RefusedBlock): void {
    const { from, fault, id = 'unknown' } = block
    this.#logOnce.error(from, fault, '%s sent a block that is bad: %s, id %s', fault, id)
    this.#init.listener.blockRefused(block)
  }

  #diverged(divergence: Divergence): void {
    this.counters.divergences += 1
    this.#init.logger.error('%s has another state for the same heads: verify() tells more', divergence.peer)
    this.#init.listener.diverged(divergence)
  }

  async #start(): Promise<void> {
    const { exchange, broadcaster, logger } = this.#init
    await runDeferred(this.stores, this.#state, (committed) => this.#committed(committed))
    await this.#purges.finish()
    await this.#ingest.load()
    await this.#intake.load()
    await exchange?.start(this.#view)
    this.#fetcher?.start()
    await broadcaster?.start((message, from) => this.#intake.receiveBroadcast(message, from))
    this.#announcer?.start()
    this.#writer.wake()
    this.#gapRetry.within(this.#init.limits.retryIntervalMs)
    logger('started with %d nodes and %d heads', this.#state.committed.sequence, this.heads().length)
  }

  #newFetcher(exchange: BlockExchange): Fetcher {
    const { clock, random, limits, logger } = this.#init
    const breathe = breather(clock)
    return new Fetcher({
      ...{ exchange, clock, random, limits },
      deliver: async (block, expected) => {
        await this.#ingest.room()
        // A stream that has much buffered would otherwise be taken whole before anything else gets its turn.
        await breathe()
        return !this.#stopped && (await this.#ingest.receive(block, expected)) === 'new'
      },
      giveUp: (id, root) => {
        this.#intake.giveUp(id, root).then(
          () => this.#settled(),
          (error) => logger.error('%s could not be given up - %e', id, error)
        )
      },
      onPullFailed: (peer, error) => {
        this.counters.failedPulls += 1
        logger.error('the stream from %s failed - %e', peer, error)
      }
    })
  }

  #newAnnouncer(broadcaster: Broadcaster): Announcer {
    const { clock, random, limits, logger } = this.#init
    return new Announcer({
      ...{ broadcaster, clock, random, limits, logger, counters: this.counters },
      heads: () => this.heads().map(({ id, dagName }) => ({ id, dagName })),
      isLevel: () => !this.#ingest.hasReady && (this.#fetcher?.pulling ?? 0) === 0
    })
  }

  #committed(committed: Committed): void {
    for (const { id } of committed.nodes) this.#wanted.remove(id)
    if (committed.origin === 'local') this.#announcer?.published(committed.nodes)
    else if (committed.headsAdded.length > 0) this.#announcer?.learned()
    if (committed.gapsOpened.length > 0) this.#gapRetry.within(this.#init.limits.retryIntervalMsMax)
    this.#init.listener.committed(committed)
    if (committed.origin === 'remote') this.#syncTracker.merged()
    this.#settled()
  }
}
