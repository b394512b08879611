/**
 * The replica: what joins the local path, the remote path and the network around one writer.
 *
 * | a put                | a received head                              |
 * | -------------------- | -------------------------------------------- |
 * | `write` queue        | `Inbox`: decoded, known already?             |
 * | `Publisher`          | `Ingest.receive`: verified, clock            |
 * |                      | `Fetcher`: what is missing below it          |
 * | `CommitDraft`        | `CommitDraft`: the same funnel (`LonePuts`   |
 * |                      | where a put waits alone)                     |
 * | `Announcer`          |                                              |
 * | `onCommitted`        | `onCommitted`                                |
 *
 * Invariants: nothing runs before `start` or after `stop`; the network reaches the store through `Ingest` alone,
 * and is told of the store through `ReplicaView` alone.
 */

import { breather } from '../breather.ts'
import type { NodeCodec } from '../codec/node.ts'
import type { BlockId, Delta } from '../crdt/delta.ts'
import { Fetcher } from '../dag/fetch.ts'
import { fetchOnce } from '../dag/fetch-once.ts'
import { ClosedError, DagIgnoredError } from '../errors.ts'
import type { Limits } from '../options.ts'
import type { Layout } from '../storage/keys.ts'
import type { BlockSource, LogStore } from '../storage/log-store.ts'
import { openStore } from '../storage/open.ts'
import { PendingStore } from '../storage/pending-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import type { StoredHead } from '../storage/rows.ts'
import { Announcer } from './announce.ts'
import { newCounters, type ReplicaCounters } from './counters.ts'
import { runDeferred } from './deferred.ts'
import { deliveryTo } from './delivery.ts'
import { GapRetry } from './gap-retry.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import { Ingest } from './ingest.ts'
import { Intake } from './intake.ts'
import type { ReplicaListener } from './listener.ts'
import type { PeerSaid } from './peers.ts'
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
import { Reports } from './reports.ts'
import type { Committed, MergeStores } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'
import { type OpenStores, openStores, reloadStores } from './stores.ts'
import { viewOf } from './view.ts'
import { WantedHeads } from './wanted.ts'
import { WriteQueue, type WriteUnit } from './write-queue.ts'
import { Writer } from './writer.ts'

export interface ReplicaInit {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
  codec: NodeCodec
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
  readonly #reports: Reports
  readonly #queue: WriteQueue
  readonly #ingest: Ingest
  readonly #writer: Writer
  readonly #intake: Intake
  readonly purges: Purges
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
    this.#view = viewOf({
      ...{ stores, state, generation: `${random().toString(36).slice(2)}${random().toString(36).slice(2)}` },
      ignoredDags: () => ignored.names(),
      peerClaims: (peer, claim) => this.#peerClaims(peer, claim),
      peerCame: (peer) => {
        this.#mayHave(peer)
        this.#announcer?.newcomer()
      },
      peerLeft: (peer) => {
        this.#reports.peers.left(peer)
        this.#fetcher?.peerLeft(peer)
      }
    })
    this.#reports = new Reports({
      ...{ limits, clock, counters, logger, listener },
      snapshot: () => this.#view.snapshot(),
      isLevel: () => this.#isLevel(),
      pending: () => this.pendingCount,
      wanted: () => this.wantedCount
    })
    const pendingStore = new PendingStore(init.rows, init.layout)
    this.#wanted = new WantedHeads(pendingStore, () => this.#writer.wake())
    this.#ingest = this.#newIngest(pendingStore, stores.log, ignored)
    this.#queue = new WriteQueue(limits.writeQueueBytesMax, () => this.#writer.wake())
    this.#writer = new Writer({
      ...{ stores, state, queue: this.#queue, ingest: this.#ingest, wanted: this.#wanted },
      ...{ limits, clock, random, counters, logger, ignored, coalesce: init.coalesce },
      onCommitted: (committed) => this.#committed(committed),
      onFailed: (error) => listener.failed(error)
    })
    this.#intake = new Intake({
      ...{ ingest: this.#ingest, wanted: this.#wanted, ignored, limits, counters, logger },
      logOnce: this.#reports.logOnce,
      fetcher: () => this.#fetcher,
      isApplied: async (id) => (await stores.log.applied(id)) !== undefined,
      announced: (from, heads) => {
        for (const { id } of heads) this.#announcer?.heard(id)
        this.#reports.peers.announced(from, heads)
      },
      lacking: (from) => this.#reports.lacking(from)
    })
    this.purges = new Purges({
      ...{ stores, state, ignored, limits, logger, breathe: breather(clock) },
      exclusively: async (task) => await this.exclusively(task),
      begun: async (dagName) => {
        this.#queue.refuse(dagName, new DagIgnoredError(dagName))
        this.#announcer?.forget(dagName)
        await this.#ingest.dropDag(dagName)
      },
      onCommitted: (committed) => this.#committed(committed)
    })
    if (exchange !== undefined) this.#fetcher = this.#newFetcher(exchange)
    if (broadcaster !== undefined) this.#announcer = this.#newAnnouncer(broadcaster)
    this.#gapRetry = new GapRetry({
      ...{ gaps: stores.gaps, clock, random, limits, logger },
      hasGaps: () => this.#fetcher !== undefined && state.committed.gaps > 0,
      isIgnored: (id) => ignored.hasNode(id),
      ask: (missing) => {
        const sources = exchange?.peers() ?? []
        for (const id of missing) this.#fetcher?.want(id, { sources, once: true, byIdFirst: true })
      }
    })
  }

  /** Opens the store and begins to run: writes, then serving, then listening, then announcing. */
  static async start(init: ReplicaInit): Promise<Replica> {
    await openStore(init.rows, init.layout, init.topic)
    const replica = new Replica(init, await openStores(init))
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
    this.#reports.stop()
    const { broadcaster, exchange } = this.#init
    this.#gapRetry.stop()
    this.#queue.clear(new ClosedError())
    this.#ingest.close()
    const purged = this.purges.stop()
    const stopped = await Promise.allSettled([this.#fetcher?.stop(), this.#intake.stop(), exchange?.stop()])
    // Even where the network could not be left, nothing of the store may go on.
    await this.#writer.stop()
    await purged
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
  write(unit: WriteUnit, signal?: AbortSignal): Promise<void> {
    this.assertUsable()
    if (unit.operations.length > 0 && this.#ignored.has(unit.dagName)) throw new DagIgnoredError(unit.dagName)
    return this.#queue.enqueue(unit, signal)
  }

  /** Writes one node that says exactly this. */
  async publish(delta: Pick<Delta, 'elements' | 'tombstones'>, dagName: string): Promise<BlockId> {
    this.assertUsable()
    return await this.#writer.publishDelta(delta, dagName)
  }

  /** @throws StoreFailedError if a commit was left half applied, so that reads could show half of it. */
  assertUsable(): void {
    if (this.#stopped) throw new ClosedError()
    if (this.#writer.failure !== undefined) throw this.#writer.failure
  }

  /** Waits until so many peers told what they have, and every head heard of by then is merged or given up. */
  async waitForSync(peers: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await this.#reports.peers.connected(peers, signal)
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
    return this.#reports.peers.list()
  }

  /** Takes a DAG up again: what peers have of it is fetched. */
  async resume(dagName: string): Promise<void> {
    if (!(await this.purges.resume(dagName))) return
    for (const { peer, heads } of this.#reports.peers.told(dagName)) this.#intake.receiveClaim(heads, peer)
  }

  /** Blocks from whoever has them, unverified. */
  async *fetchBlocks(ids: readonly BlockId[]): AsyncGenerator<ReceivedBlock> {
    const { exchange, clock, limits } = this.#init
    if (exchange === undefined) return
    yield* fetchOnce({ exchange, clock, timeoutMs: limits.fetchTimeoutMs }, ids)
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
    const isNew = this.#reports.peers.claims(peer, claim)
    this.#intake.receiveClaim(claim.heads, peer)
    if (isNew) this.#mayHave(peer)
  }

  /** A peer that was not there before may have what nobody else had. */
  #mayHave(peer: PeerName): void {
    this.#fetcher?.peerCame(peer)
    this.#gapRetry.within(0)
  }

  /** Whether everything that was heard of is merged, or was given up. */
  #isLevel(): boolean {
    for (const _ of this.#fetcher?.roots() ?? []) return false
    for (const _ of this.#ingest.unmerged()) return false
    return true
  }

  /** A block is of a DAG that is ignored. */
  #dropped(id: BlockId, dagName: string): void {
    this.#ignored.addNode(id, dagName)
    this.#wanted.remove(id)
    this.#reports.settled()
  }

  async #start(): Promise<void> {
    const { exchange, broadcaster, logger } = this.#init
    await runDeferred(this.stores, this.#state, (committed) => this.#committed(committed))
    await this.purges.finish()
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

  #newIngest(pendingStore: PendingStore, log: LogStore, ignored: IgnoredDags): Ingest {
    return new Ingest({
      ...{
        log,
        pendingStore,
        ignored,
        state: this.#state,
        limits: this.#init.limits,
        counters: this.counters
      },
      dropped: (id, dagName) => this.#dropped(id, dagName),
      refused: (block) => this.#reports.refused(block),
      wake: () => this.#writer.wake(),
      want: (ids, from, root) => {
        for (const id of ids) this.#intake.want(id, { sources: [from], root })
      },
      arrived: (id) => this.#fetcher?.drop(id) ?? false,
      remember: (id) => this.#wanted.add(id),
      forget: (id) => this.#wanted.remove(id),
      unwant: (id) => this.#fetcher?.release(id)
    })
  }

  #newFetcher(exchange: BlockExchange): Fetcher {
    const { clock, random, limits, logger } = this.#init
    return new Fetcher({
      ...{ exchange, clock, random, limits },
      deliver: deliveryTo({
        ...{ ingest: this.#ingest, clock, isStopped: () => this.#stopped },
        wasKnown: () => this.#reports.settled()
      }),
      giveUp: (id, root) => {
        this.#intake.giveUp(id, root).then(
          () => this.#reports.settled(),
          (error) => logger.error('%s could not be given up - %e', id, error)
        )
      },
      onPullFailed: (peer, error) => {
        this.counters.failedPulls += 1
        this.#reports.logOnce.error(peer, 'stream', 'the stream from %s failed - %e', error)
      }
    })
  }

  #newAnnouncer(broadcaster: Broadcaster): Announcer {
    const { clock, random, limits, logger, exchange } = this.#init
    return new Announcer({
      ...{ broadcaster, clock, random, limits, logger, counters: this.counters },
      heads: () => this.heads().map(({ id, dagName }) => ({ id, dagName })),
      headCount: () => this.stores.heads.count,
      isLevel: () => !this.#ingest.hasReady && (this.#fetcher?.pulling ?? 0) === 0,
      remind: () => exchange?.remind?.()
    })
  }

  #committed(committed: Committed): void {
    for (const { id } of committed.nodes) {
      this.#wanted.remove(id)
      this.#fetcher?.drop(id)
    }
    if (committed.origin === 'local') this.#announcer?.published(committed.nodes)
    else if (committed.headsAdded.length > 0) this.#announcer?.learned()
    if (committed.gapsOpened.length > 0) this.#gapRetry.within(this.#init.limits.retryIntervalMsMax)
    this.#init.listener.committed(committed)
    if (committed.origin === 'remote') this.#reports.merged()
    this.#reports.settled()
  }
}
