/**
 * Gets what is missing below the heads that were heard of: by streams from peers that can, by id otherwise.
 *
 * A want is a block that is not here: a head somebody announced, or a link of a block that waits. Wants that a
 * streaming peer claims to have are pulled, from one peer at a time as long as blocks keep coming, so that the
 * same history is not sent twice; once a stream stalls another peer is asked as well. All other wants are fetched
 * by id, many at once, and so are those that no stream is about to bring: no peer, however long its stream, holds
 * up what another has.
 *
 * Invariants: a block is asked for by id once at a time; every retry backs off, with jitter and a cap, and begins
 * with another peer; the wants, the requests and the streams are bounded, and shared out fairly among the peers
 * that led to them; a want ends by its block arriving, or by patience running out, which is counted from the last
 * progress of its branch and only while there is somebody to ask; nothing is asked before `start`.
 */

import { backoffMs } from '../backoff.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { PeerName } from '../replica/ports.ts'
import { Pulls, type PullsInit } from './pulls.ts'
import { Requests } from './requests.ts'
import { type Want, Wants } from './wants.ts'

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

export interface FetcherInit extends PullsInit {
  /**
   * Takes a block that arrived, waits while there is no room for more, and says whether it was new.
   *
   * @param expected - the ids that were asked for; none where the peer chose what to send.
   */
  deliver: PullsInit['deliver']
  /** Patience for a want ran out, or it was one too many. */
  giveUp(id: BlockId, root: boolean): void
}

export class Fetcher {
  readonly #init: FetcherInit
  readonly #wants = new Wants()
  /** Wants that a stream may bring and that can be acted on now. */
  readonly #duePull = new Set<Want>()
  readonly #pulls: Pulls
  readonly #requests: Requests
  readonly #tasks = new Set<Promise<void>>()
  #stallTimer: unknown
  #pumping = false
  #started = false
  #stopped = false

  constructor(init: FetcherInit) {
    this.#init = init
    this.#pulls = new Pulls(init)
    this.#requests = new Requests(init, {
      isWanted: (want) => this.#wants.has(want),
      freed: () => this.#pump(),
      failed: (want, wasAsked) => this.#failed(want, wasAsked)
    })
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
    return this.#wants.get(id) !== undefined
  }

  /** Begins to ask for what is wanted. */
  start(): void {
    this.#started = true
    for (const want of this.#wants.values()) this.#makeDue(want)
  }

  /** Asks for a block, or adds to what is known of one that is asked for already. */
  want(id: BlockId, init: WantInit = {}): void {
    if (this.#stopped) return
    const known = this.#wants.get(id)
    const want = known ?? this.#add(id, init)
    if (want === undefined) return
    want.root ||= init.root ?? false
    want.once &&= init.once ?? false
    for (const source of init.sources ?? []) this.#addSource(want, source)
    if (known === undefined) this.#makeDue(want)
  }

  /** No block that waits needs this one any more; it is still wanted if it is a head. */
  release(id: BlockId): void {
    if (this.#wants.get(id)?.root === false) this.drop(id)
  }

  /** A block is here; says whether it was wanted as a head. */
  drop(id: BlockId): boolean {
    const want = this.#wants.get(id)
    if (want === undefined) return false
    this.#wants.delete(want)
    this.#undue(want)
    return want.root
  }

  /** A peer came that may have what the others failed to give. */
  peerCame(peer: PeerName): void {
    for (const want of this.#wants.values()) if (want.timer !== undefined) this.#addSource(want, peer)
  }

  /** A peer is gone. */
  peerLeft(peer: PeerName): void {
    for (const { sources, pulled } of this.#wants.values()) {
      sources.delete(peer)
      pulled.delete(peer)
    }
    this.#pulls.left(peer)
    this.#pump()
  }

  /** Ends every request at once. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const want of this.#wants.values()) this.#undue(want)
    this.#wants.clear()
    this.#init.clock.clearTimeout(this.#stallTimer)
    this.#pulls.stop()
    this.#requests.stop()
    await Promise.all(this.#tasks)
  }

  #add(
    id: BlockId,
    { sources = [], root = false, byIdFirst = false, once = false }: WantInit
  ): Want | undefined {
    const [owner = ''] = sources
    if (root && !this.#hasRoomFor(owner)) {
      this.#init.giveUp(id, true)
      return undefined
    }
    const now = this.#init.clock.now()
    const want: Want = {
      ...{ id, owner, root, once, createdAt: now, since: now },
      sources: new Set(),
      pulled: new Map(),
      byId: byIdFirst,
      failures: 0,
      timer: undefined
    }
    this.#wants.add(want)
    return want
  }

  #hasRoomFor(owner: PeerName): boolean {
    if (this.#wants.size < this.#init.limits.wantedHeadsMax) return true
    const victim = this.#wants.victimFor(owner)
    if (victim === undefined) return false
    this.drop(victim.id)
    this.#init.giveUp(victim.id, true)
    return true
  }

  #addSource(want: Want, source: PeerName): void {
    if (want.sources.size >= this.#init.limits.sourcesMax || want.sources.has(source)) return
    want.sources.add(source)
    // Somebody else has it: no reason to sit out the pause that another peer's failure began.
    if (want.timer !== undefined) this.#makeDue(want)
    else if (this.#duePull.has(want)) this.#pump()
  }

  #undue(want: Want): void {
    this.#duePull.delete(want)
    this.#requests.delete(want)
    this.#init.clock.clearTimeout(want.timer)
    want.timer = undefined
  }

  #makeDue(want: Want): void {
    if (!this.#started) return
    this.#undue(want)
    if (!want.byId && this.#pulls.peerFor(want) !== undefined) this.#duePull.add(want)
    else this.#requests.add(want)
    this.#pump()
  }

  /** Acts on what is due, after the calls that are under way, so that wants made together go together. */
  #pump(): void {
    if (this.#pumping || !this.#started) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      if (this.#stopped) return
      this.#startPulls()
      this.#startRequests()
    })
  }

  #startRequests(): void {
    for (;;) {
      const wants = this.#requests.next()
      if (wants.length === 0) return
      this.#track(this.#requests.run(wants))
    }
  }

  #failed(want: Want, wasAsked: boolean): void {
    const { clock, random, limits, giveUp } = this.#init
    if (this.#stopped) return
    const now = clock.now()
    // Where nobody was asked there is no impatience: a replica that is offline keeps what it waits for, and so does one
    // whose requests never came to their turn.
    if (!wasAsked) want.since = now
    const patience = want.since + limits.gapPatienceMs - now
    if (want.once || patience <= 0) {
      this.drop(want.id)
      giveUp(want.id, want.root)
      return
    }
    want.failures += 1
    // What a whole stream did not bring is asked for by its id from now on: another would bring the same again.
    for (const [peer, how] of want.pulled) if (how === 'badly') want.pulled.delete(peer)
    want.byId = false
    const pause = backoffMs(want.failures, limits.retryIntervalMs, limits.retryIntervalMsMax, random)
    want.timer = clock.setTimeout(() => this.#makeDue(want), Math.min(pause, patience))
  }

  #startPulls(): void {
    const { limits, clock } = this.#init
    clock.clearTimeout(this.#stallTimer)
    this.#stallTimer = undefined
    this.#pulls.endUseless()
    for (const want of this.#duePull) {
      const peer = this.#pulls.peerFor(want)
      const isIdle = peer !== undefined && !this.#pulls.has(peer)
      if (peer !== undefined && this.#pulls.isComing(want, isIdle)) continue
      if (isIdle && this.#pulls.mayStart()) this.#track(this.#pull(peer))
      else {
        this.#duePull.delete(want)
        this.#requests.add(want)
      }
    }
    if (this.#duePull.size > 0) this.#stallTimer = clock.setTimeout(() => this.#pump(), limits.pullStallMs)
  }

  async #pull(peer: PeerName): Promise<void> {
    await this.#pulls.run(peer, this.#duePull)
    this.#pump()
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }
}
