/**
 * Gets what is missing below the heads that were heard of: by streams from peers that can, by id otherwise.
 *
 * A want is a block that is not here: a head somebody announced, or a link of a block that waits. Wants that a
 * streaming peer claims to have are pulled, from one peer at a time as long as blocks keep coming, so that the
 * same history is not sent twice; once a stream stalls another peer is asked as well. All other wants are fetched
 * by id, many at once, so that one that nobody has delays no other.
 *
 * Invariants: a block is asked for once at a time; every retry backs off, with jitter and a cap; the wants, the
 * requests and the streams are bounded; a want ends by its block arriving, or by patience running out, which is
 * counted from the last progress of its branch and only while there is somebody to ask.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { BlockExchange, Clock, PeerName, Random, ReceivedBlock } from '../replica/ports.ts'
import { backoffMs } from './backoff.ts'

/** What a want is for. */
export interface WantInit {
  /** Peers that said they have it, or something above it. */
  sources?: Iterable<PeerName>
  /** Somebody said that it is a head. */
  root?: boolean
  /** Ask for the block itself before any stream: most announced heads are one block ahead. */
  byIdFirst?: boolean
  /** One attempt only: it is missing for good already, and asked for once in a while. */
  once?: boolean
}

export interface FetcherInit {
  exchange: BlockExchange
  clock: Clock
  random: Random
  limits: Limits
  /**
   * Takes a block that arrived, waits while there is no room for more, and says whether it was new.
   *
   * @param expected - the ids that were asked for; none where the peer chose what to send.
   */
  deliver(block: ReceivedBlock, expected: ReadonlySet<BlockId> | undefined): Promise<boolean>
  /** Patience for a want ran out, or it was one too many. */
  giveUp(id: BlockId, root: boolean): void
  onPullFailed(peer: PeerName, error: unknown): void
}

interface Want {
  readonly id: BlockId
  root: boolean
  readonly once: boolean
  readonly createdAt: number
  /** The last progress of its branch: patience counts from here. */
  since: number
  readonly sources: Set<PeerName>
  /** Peers whose stream ended, well or badly, without it. */
  readonly pulled: Set<PeerName>
  byId: boolean
  failures: number
  timer: unknown
}

interface Pull {
  peer: PeerName
  startedAt: number
  progressAt: number
  controller: AbortController
}

export class Fetcher {
  readonly #init: FetcherInit
  readonly #wants = new Map<BlockId, Want>()
  /** Wants that can be acted on now, by the way they go; the others wait for a timer or are in flight. */
  readonly #duePull = new Set<Want>()
  readonly #dueById = new Set<Want>()
  readonly #pulls = new Map<PeerName, Pull>()
  readonly #requests = new Set<AbortController>()
  readonly #tasks = new Set<Promise<void>>()
  #idsInFlight = 0
  #stallTimer: unknown
  #pumping = false
  #stopped = false

  constructor(init: FetcherInit) {
    this.#init = init
  }

  get size(): number {
    return this.#wants.size
  }

  /** Streams that are open now. */
  get pulling(): number {
    return this.#pulls.size
  }

  /** Heads that were heard of and are not here. */
  *roots(): Generator<BlockId> {
    for (const { id, root } of this.#wants.values()) if (root) yield id
  }

  has(id: BlockId): boolean {
    return this.#wants.has(id)
  }

  /** Asks for a block, or adds to what is known of one that is asked for already. */
  want(id: BlockId, init: WantInit = {}): void {
    if (this.#stopped) return
    const known = this.#wants.get(id)
    const want = known ?? this.#add(id, init)
    if (want === undefined) return
    want.root ||= init.root ?? false
    let newSource = false
    for (const source of init.sources ?? []) {
      if (want.sources.size >= this.#init.limits.sourcesMax || want.sources.has(source)) continue
      want.sources.add(source)
      newSource = true
    }
    // Somebody else has it: no reason to sit out the pause that another peer's failure began.
    if (known === undefined || (newSource && want.timer !== undefined)) this.#makeDue(want)
  }

  /** No block that waits needs this one any more; it is still wanted if it is a head. */
  release(id: BlockId): void {
    if (this.#wants.get(id)?.root === false) this.drop(id)
  }

  /** A block is here. */
  drop(id: BlockId): void {
    const want = this.#wants.get(id)
    if (want === undefined) return
    this.#wants.delete(id)
    this.#undue(want)
  }

  /** Ends every request at once. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const want of this.#wants.values()) this.#undue(want)
    this.#wants.clear()
    this.#init.clock.clearTimeout(this.#stallTimer)
    for (const { controller } of this.#pulls.values()) controller.abort()
    for (const controller of this.#requests) controller.abort()
    await Promise.all(this.#tasks)
  }

  #add(id: BlockId, { root = false, byIdFirst = false, once = false }: WantInit): Want | undefined {
    if (root && this.#wants.size >= this.#init.limits.wantedHeadsMax) {
      this.#init.giveUp(id, true)
      return undefined
    }
    const now = this.#init.clock.now()
    const want: Want = {
      id,
      root,
      once,
      createdAt: now,
      since: now,
      sources: new Set(),
      pulled: new Set(),
      byId: byIdFirst,
      failures: 0,
      timer: undefined
    }
    this.#wants.set(id, want)
    return want
  }

  #undue(want: Want): void {
    this.#duePull.delete(want)
    this.#dueById.delete(want)
    this.#init.clock.clearTimeout(want.timer)
    want.timer = undefined
  }

  #makeDue(want: Want): void {
    this.#undue(want)
    if (!want.byId && this.#pullablePeer(want) !== undefined) this.#duePull.add(want)
    else this.#dueById.add(want)
    this.#pump()
  }

  /** A peer that may stream what is wanted, one that is not streaming already where there is a choice. */
  #pullablePeer(want: Want): PeerName | undefined {
    const { exchange } = this.#init
    if (exchange.pull === undefined || exchange.canPull === undefined) return undefined
    let busy: PeerName | undefined
    for (const peer of want.sources) {
      if (want.pulled.has(peer) || !exchange.canPull(peer)) continue
      if (!this.#pulls.has(peer)) return peer
      busy = peer
    }
    return busy
  }

  /** Acts on what is due, after the calls that are under way, so that wants made together go together. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      if (this.#stopped) return
      this.#startRequests()
      this.#startPulls()
    })
  }

  #startRequests(): void {
    const { fetchConcurrency, fetchIdsMax } = this.#init.limits
    while (this.#dueById.size > 0 && this.#idsInFlight < fetchConcurrency) {
      const count = Math.min(fetchIdsMax, fetchConcurrency - this.#idsInFlight)
      const wants = [...take(this.#dueById, count)]
      for (const want of wants) this.#dueById.delete(want)
      this.#track(this.#request(wants))
    }
  }

  async #request(wants: readonly Want[]): Promise<void> {
    const { exchange, clock, limits, deliver } = this.#init
    const ids = new Set(wants.map(({ id }) => id))
    const peers = [...new Set(wants.flatMap(({ sources }) => [...sources]))]
    const hadPeers = exchange.peers().length > 0
    const controller = new AbortController()
    this.#requests.add(controller)
    this.#idsInFlight += ids.size
    let timer: unknown
    const restartTimeout = (): void => {
      clock.clearTimeout(timer)
      timer = clock.setTimeout(() => controller.abort(), limits.fetchTimeoutMs)
    }
    restartTimeout()
    try {
      for await (const block of exchange.fetch([...ids], { peers, signal: controller.signal })) {
        await deliver(block, ids)
        restartTimeout()
      }
    } catch {
      // Whatever did not arrive is tried again below; why it failed is the exchange's to report.
    } finally {
      clock.clearTimeout(timer)
      this.#requests.delete(controller)
      this.#idsInFlight -= ids.size
    }
    for (const want of wants) if (this.#wants.get(want.id) === want) this.#failed(want, hadPeers)
    this.#pump()
  }

  #failed(want: Want, hadPeers: boolean): void {
    const { clock, random, limits, giveUp } = this.#init
    if (this.#stopped) return
    const now = clock.now()
    // With nobody to ask there is no impatience: a replica that is offline keeps what it waits for.
    if (!hadPeers) want.since = now
    const patience = want.since + limits.gapPatienceMs - now
    if (want.once || patience <= 0) {
      this.drop(want.id)
      giveUp(want.id, want.root)
      return
    }
    want.failures += 1
    want.pulled.clear()
    want.byId = false
    const pause = backoffMs(want.failures, limits.retryIntervalMs, limits.retryIntervalMsMax, random)
    want.timer = clock.setTimeout(
      () => {
        want.timer = undefined
        this.#makeDue(want)
      },
      Math.min(pause, patience)
    )
  }

  #startPulls(): void {
    const { limits, clock } = this.#init
    clock.clearTimeout(this.#stallTimer)
    this.#stallTimer = undefined
    for (const want of this.#duePull) {
      if (this.#pulls.size >= limits.pullConcurrency) return
      const wait = this.#msUntilStalled()
      if (wait > 0) {
        this.#stallTimer = clock.setTimeout(() => this.#pump(), wait)
        return
      }
      const peer = this.#pullablePeer(want)
      if (peer === undefined) this.#makeDue(want)
      else if (!this.#pulls.has(peer)) this.#track(this.#pull(peer))
    }
  }

  /** How long until no stream makes progress any more; 0 when there is none that does. */
  #msUntilStalled(): number {
    const now = this.#init.clock.now()
    let wait = 0
    for (const { progressAt } of this.#pulls.values()) {
      wait = Math.max(wait, progressAt + this.#init.limits.pullStallMs - now)
    }
    return wait
  }

  async #pull(peer: PeerName): Promise<void> {
    const { exchange, clock, deliver, onPullFailed, limits } = this.#init
    const startedAt = clock.now()
    const pull: Pull = { peer, startedAt, progressAt: startedAt, controller: new AbortController() }
    this.#pulls.set(peer, pull)
    const wants = [...this.#duePull].filter(({ sources }) => sources.has(peer))
    const want = wants.slice(0, limits.helloHeadsMax).map(({ id }) => id)
    const { signal } = pull.controller
    try {
      for await (const block of exchange.pull?.({ peer, want, signal }) ?? []) {
        if (await deliver(block, undefined)) pull.progressAt = clock.now()
      }
    } catch (error) {
      if (!this.#stopped) onPullFailed(peer, error)
    } finally {
      this.#pulls.delete(peer)
    }
    // What the peer was asked for and did not send, it does not have. What was wanted later, it was not asked for.
    for (const missed of wants) missed.pulled.add(peer)
    for (const due of [...this.#duePull]) if (this.#pullablePeer(due) === undefined) this.#makeDue(due)
    this.#pump()
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }
}

function* take<T>(values: Iterable<T>, count: number): Generator<T> {
  let taken = 0
  for (const value of values) {
    if (taken++ >= count) return
    yield value
  }
}
