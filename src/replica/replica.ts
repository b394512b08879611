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
import { type AnnouncedHead, decodeBroadcast } from '../codec/broadcast.ts'
import { decodeNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { Fetcher } from '../dag/fetch.ts'
import { ClosedError } from '../errors.ts'
import type { Limits } from '../options.ts'
import { atomicCommitter, type Committer, journaledCommitter } from '../storage/commit.ts'
import { GapStore } from '../storage/gap-store.ts'
import { HeadsStore } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import { type BlockSource, LogStore } from '../storage/log-store.ts'
import { openStore } from '../storage/open.ts'
import { PendingStore } from '../storage/pending-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeFeatures, type StoredHead } from '../storage/rows.ts'
import { SetStore } from '../storage/set-store.ts'
import { Announcer } from './announce.ts'
import { newCounters, type ReplicaCounters } from './counters.ts'
import { GapRetry } from './gap-retry.ts'
import { Inbox } from './inbox.ts'
import { Ingest } from './ingest.ts'
import { CommitDraft, type Committed, KNOWN_FEATURES, type MergeStores } from './merge.ts'
import type {
  BlockExchange,
  Broadcaster,
  Clock,
  LogEntry,
  Logger,
  PeerClaim,
  PeerName,
  Random,
  ReplicaSnapshot,
  ReplicaView
} from './ports.ts'
import { ReplicaState } from './state.ts'
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
  /** Told after each commit, before the next begins. Must not throw. */
  onCommitted(committed: Committed): void
}

export class Replica implements ReplicaView {
  readonly counters: ReplicaCounters = newCounters()
  readonly sets: SetStore
  readonly log: LogStore
  readonly #init: ReplicaInit
  readonly #stores: MergeStores
  readonly #state: ReplicaState
  readonly #generation: string
  readonly #queue: WriteQueue
  readonly #ingest: Ingest
  readonly #writer: Writer
  readonly #inbox: Inbox
  readonly #wanted: WantedHeads
  readonly #fetcher: Fetcher | undefined
  readonly #announcer: Announcer | undefined
  readonly #gapRetry: GapRetry
  readonly #claims = new Map<PeerName, PeerClaim>()
  #stopped = false

  private constructor(init: ReplicaInit, stores: MergeStores, state: ReplicaState) {
    const { limits, clock, random, logger, exchange, broadcaster } = init
    const { counters } = this
    this.#init = init
    this.#stores = stores
    this.#state = state
    this.sets = stores.sets
    this.log = stores.log
    this.#generation = `${random().toString(36).slice(2)}${random().toString(36).slice(2)}`
    const pendingStore = new PendingStore(init.rows, init.layout)
    this.#wanted = new WantedHeads(pendingStore)
    this.#ingest = new Ingest({
      log: stores.log,
      pendingStore,
      state,
      limits,
      counters,
      logger,
      wake: () => this.#writer.wake(),
      want: (ids, from, root) => {
        for (const id of ids) this.#want(id, { sources: [from], root })
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
      ...{ limits, clock, random, counters, logger, coalesce: init.coalesce },
      onCommitted: (committed) => this.#committed(committed)
    })
    this.#inbox = new Inbox({
      bytesMax: limits.readyBytesMax,
      handle: (head, { from, gossip }) => this.#handleHead(head, from, gossip),
      onDropped: () => {
        counters.droppedMessages += 1
      },
      onError: (error) => logger.error('a head could not be handled - %e', error)
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
    const { rows, layout, limits } = init
    await openStore(rows, layout, init.topic)
    const committer: Committer = rows.atomic
      ? atomicCommitter(rows)
      : journaledCommitter(rows, layout.journal, limits.journalRetriesMax)
    const log = new LogStore(rows, layout, init.blocks)
    const stores = { rows, layout, committer, log, sets: new SetStore(rows, layout) }
    const heads = new HeadsStore(layout)
    const gaps = new GapStore(rows, layout)
    const state = ReplicaState.load(layout.state, await rows.get(layout.state))
    await heads.load(rows, state.committed.heads)
    await gaps.load()
    const replica = new Replica(init, { ...stores, heads, gaps }, state)
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
    const stopped = await Promise.allSettled([this.#fetcher?.stop(), this.#inbox.stop(), exchange?.stop()])
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
   * @throws WriteQueueFullError, CommitFailedError, StoreFailedError or the signal's reason.
   */
  async write(unit: WriteUnit, signal?: AbortSignal): Promise<void> {
    this.assertUsable()
    await this.#queue.enqueue(unit, signal)
  }

  /** @throws StoreFailedError if a commit was left half applied, so that reads could show half of it. */
  assertUsable(): void {
    if (this.#stopped) throw new ClosedError()
    if (this.#writer.failure !== undefined) throw this.#writer.failure
  }

  /** Waits until every head that was heard of so far is merged, or was given up. */
  async waitForSync(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await this.#inbox.handled(signal)
    await this.#ingest.settlement.wait(
      [...this.#ingest.unmerged(), ...(this.#fetcher?.roots() ?? [])],
      signal
    )
  }

  /** All heads, or those of one DAG, greatest priority first. */
  heads(dagName?: string): StoredHead[] {
    return this.#stores.heads.list(dagName)
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

  // ReplicaView: what the exchange sees.

  snapshot(): ReplicaSnapshot {
    const { digest, sequence, gaps, deferred } = this.#state.committed
    const heads = this.heads().map(({ id, dagName }) => ({ id, dagName }))
    return { heads, digest, sequence, generation: this.#generation, gaps, deferred, ignoredDags: [] }
  }

  async appliedBlock(id: BlockId): Promise<Uint8Array | undefined> {
    return await this.log.block(id)
  }

  async sequenceOf(id: BlockId): Promise<number | undefined> {
    return (await this.log.applied(id))?.sequence
  }

  readLog(from: number, to: number): AsyncIterable<LogEntry> {
    return this.log.read(from, to)
  }

  readLogBackwards(from: number, to: number): AsyncIterable<LogEntry> {
    return this.log.readBackwards(from, to)
  }

  commonGroundLimit(): number {
    return this.#stores.gaps.limit
  }

  peerClaims(peer: PeerName, claim: PeerClaim): void {
    if (this.#stopped) return
    const isNew = !this.#claims.has(peer)
    this.#claims.set(peer, claim)
    this.#inbox.push({ heads: claim.heads, from: peer, gossip: false })
    if (!isNew) return
    // A peer that was not there before may have what nobody else had.
    this.#fetcher?.peerCame(peer)
    this.#gapRetry.within(0)
  }

  peerLeft(peer: PeerName): void {
    this.#claims.delete(peer)
    this.#fetcher?.peerLeft(peer)
  }

  async #start(): Promise<void> {
    const { exchange, broadcaster, logger } = this.#init
    await this.#runDeferred()
    await this.#ingest.load()
    for (const id of await this.#wanted.load()) {
      if (this.#ingest.holds(id) || (await this.log.applied(id)) !== undefined) this.#wanted.remove(id)
      else this.#want(id, { root: true })
    }
    await exchange?.start(this)
    this.#fetcher?.start()
    await broadcaster?.start((message, from) => this.#receiveBroadcast(message, from))
    this.#announcer?.start()
    this.#writer.wake()
    this.#gapRetry.within(this.#init.limits.retryIntervalMs)
    logger('started with %d nodes and %d heads', this.#state.committed.sequence, this.heads().length)
  }

  /** Runs what an older version could not, now that its features are known. */
  async #runDeferred(): Promise<void> {
    if (this.#state.committed.deferred === 0) return
    const { rows, layout } = this.#stores
    for await (const { row, value } of rows.scan(layout.deferred)) {
      if (!decodeFeatures(row, value).every((feature) => KNOWN_FEATURES.has(feature))) continue
      const id = layout.idOf(row)
      const bytes = await this.log.block(id)
      if (bytes === undefined) continue
      const draft = new CommitDraft(this.#stores, this.#state, 'remote')
      await draft.runDeferred(decodeNode(id, bytes))
      this.#committed(await draft.commit())
    }
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
        return this.#stopped ? false : await this.#ingest.receive(block, expected)
      },
      giveUp: (id, root) => {
        this.#giveUp(id, root).catch((error) => logger.error('%s could not be given up - %e', id, error))
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

  #want(id: BlockId, init: { sources?: PeerName[]; root?: boolean; byIdFirst?: boolean }): void {
    if (this.#stopped) return
    this.#fetcher?.want(id, init)
    if (init.root && this.#fetcher?.has(id)) {
      this.#wanted.add(id)
      this.#writer.wake()
    }
  }

  #receiveBroadcast(message: Uint8Array, from: PeerName): void {
    const { counters } = this
    counters.broadcastsReceived += 1
    try {
      const { heads, invalidHeads } = decodeBroadcast(message)
      counters.invalidHeads += invalidHeads
      for (const { id } of heads) this.#announcer?.heard(id)
      this.#inbox.push({ heads, from, gossip: true })
    } catch (error) {
      counters.invalidBroadcasts += 1
      this.#init.logger.error('a broadcast from %s does not decode - %e', from, error)
    }
  }

  async #handleHead({ id, block }: AnnouncedHead, from: PeerName, gossip: boolean): Promise<void> {
    if (this.#ingest.holds(id) || (await this.log.applied(id)) !== undefined) return
    if (block !== undefined) {
      await this.#ingest.room()
      await this.#ingest.receive({ bytes: block, from }, new Set([id]), true)
    }
    if (this.#ingest.holds(id)) return
    this.#want(id, { sources: [from], root: true, byIdFirst: gossip })
  }

  async #giveUp(id: BlockId, root: boolean): Promise<void> {
    if (root) {
      this.counters.droppedHeads += 1
      this.#wanted.remove(id)
      this.#writer.wake()
      this.#init.logger.error('head %s cannot be had and was dropped', id)
    }
    await this.#ingest.giveUp(id)
  }

  #committed(committed: Committed): void {
    for (const { id } of committed.nodes) this.#wanted.remove(id)
    if (committed.origin === 'local') this.#announcer?.published(committed.nodes)
    else if (committed.headsChanged) this.#announcer?.learned()
    if (committed.gapsOpened > 0) this.#gapRetry.within(this.#init.limits.retryIntervalMsMax)
    this.#init.onCommitted(committed)
  }
}
