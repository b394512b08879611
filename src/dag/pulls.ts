/**
 * The streams that are open: which wants they may still bring, and whether they are worth waiting for.
 *
 * Invariants: one stream to a peer; a stream counts as alive while it brings blocks that are new, and the time that
 * taking one takes is not the peer's doing; a stream that brings nothing new is ended; a peer whose streams break off
 * again and again before they bring anything new is asked to stream ever more rarely, so that what can only be had block
 * by block does not cost a stream for each block.
 */
import { backoffMs } from '../backoff.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Eventual } from '../eventual.ts'
import type { Limits } from '../options.ts'
import type { BlockExchange, Clock, PeerName, Random, ReceivedBlock } from '../replica/ports.ts'
import type { Want } from './wants.ts'

export interface PullsInit {
  exchange: BlockExchange
  clock: Clock
  random: Random
  limits: Limits
  deliver(block: ReceivedBlock, expected: ReadonlySet<BlockId> | undefined): Eventual<boolean>
  onPullFailed(peer: PeerName, error: unknown): void
}

interface Pull {
  readonly peer: PeerName
  readonly wants: ReadonlySet<Want>
  readonly startedAt: number
  progressAt: number
  /** It brought something new. */
  wasOfUse: boolean
  delivering: boolean
  readonly controller: AbortController
}

/** Streams that broke off one after the other, and when another may be opened. */
interface Pause {
  /** How often after the first time. */
  again: number
  until: number
}

export class Pulls {
  readonly #init: PullsInit
  readonly #pulls = new Map<PeerName, Pull>()
  readonly #pauses = new Map<PeerName, Pause>()
  #stopped = false

  constructor(init: PullsInit) {
    this.#init = init
  }

  get size(): number {
    return this.#pulls.size
  }

  has(peer: PeerName): boolean {
    return this.#pulls.has(peer)
  }

  /** A peer that may stream what is wanted, one that is not streaming already where there is a choice. */
  peerFor(want: Want): PeerName | undefined {
    const { exchange } = this.#init
    if (exchange.pull === undefined || exchange.canPull === undefined) return undefined
    let busy: PeerName | undefined
    for (const peer of want.sources) {
      if (want.pulled.has(peer) || this.#isPaused(peer) || !exchange.canPull(peer)) continue
      if (!this.#pulls.has(peer)) return peer
      busy = peer
    }
    return busy
  }

  /** Whether one more stream may be opened: not while another one brings blocks, which might be the same ones. */
  mayStart(): boolean {
    const { pullConcurrency, pullStallMs } = this.#init.limits
    const pulls = [...this.#pulls.values()]
    return pulls.length < pullConcurrency && !pulls.some((pull) => this.#isAlive(pull, pullStallMs))
  }

  /** Whether a stream may still bring this; it has to be quicker where there is another peer to ask. */
  isComing(want: Want, isOtherIdle: boolean): boolean {
    const { clock, limits } = this.#init
    const { pullStallMs, fetchTimeoutMs, gapPatienceMs } = limits
    for (const pull of this.#pulls.values()) {
      const { peer, wants, startedAt } = pull
      // The heads of one hello are wanted one after the other, and the first of them may begin the stream.
      const isClaimed = want.sources.has(peer) && !want.pulled.has(peer)
      const isAskedFor = wants.has(want) || (isClaimed && want.createdAt < startedAt + pullStallMs)
      if (!isAskedFor || clock.now() - startedAt >= gapPatienceMs) continue
      if (this.#isAlive(pull, isOtherIdle ? pullStallMs : fetchTimeoutMs)) return true
    }
    return false
  }

  /** Streams from a peer until it has no more, and notes that it did not have what did not come. */
  async run(peer: PeerName, due: Iterable<Want>): Promise<void> {
    const { exchange, clock, limits, onPullFailed } = this.#init
    const wants = [...due].filter(({ sources, pulled }) => sources.has(peer) && !pulled.has(peer))
    const pull: Pull = {
      peer,
      wants: new Set(wants.slice(0, limits.helloHeadsMax)),
      startedAt: clock.now(),
      progressAt: clock.now(),
      wasOfUse: false,
      delivering: false,
      controller: new AbortController()
    }
    this.#pulls.set(peer, pull)
    const want = [...pull.wants].map(({ id }) => id)
    let ended: 'well' | 'badly' = 'well'
    try {
      const blocks = exchange.pull?.({ peer, want, signal: pull.controller.signal }) ?? []
      for await (const block of blocks) {
        const delivering = this.#deliver(pull, block)
        if (delivering !== undefined) await delivering
      }
    } catch (error) {
      ended = 'badly'
      if (!this.#stopped) onPullFailed(peer, error)
    } finally {
      this.#pulls.delete(peer)
    }
    if (ended === 'badly' && !pull.wasOfUse) this.#pause(peer)
    else this.#pauses.delete(peer)
    for (const missed of pull.wants) missed.pulled.set(peer, ended)
  }

  /** A peer is gone, and a stranger when it comes back. */
  left(peer: PeerName): void {
    this.#pauses.delete(peer)
  }

  /** Ends streams that have brought nothing new for as long as an answerer may look for something to send. */
  endUseless(): void {
    for (const pull of this.#pulls.values()) {
      if (!this.#isAlive(pull, this.#init.limits.syncScanTimeoutMs)) pull.controller.abort()
    }
  }

  stop(): void {
    this.#stopped = true
    for (const { controller } of this.#pulls.values()) controller.abort()
  }

  /** @returns undefined where it was taken at once, as nearly every block is. */
  #deliver(pull: Pull, block: ReceivedBlock): Promise<void> | undefined {
    const delivering = this.#init.deliver(block, undefined)
    if (delivering instanceof Promise) return this.#delivered(pull, delivering)
    if (delivering) this.#progressed(pull)
    return undefined
  }

  async #delivered(pull: Pull, delivering: Promise<boolean>): Promise<void> {
    const { clock } = this.#init
    const begunAt = clock.now()
    pull.delivering = true
    const isNew = await delivering
    pull.delivering = false
    if (isNew) this.#progressed(pull)
    else pull.progressAt += clock.now() - begunAt
  }

  #progressed(pull: Pull): void {
    pull.progressAt = this.#init.clock.now()
    pull.wasOfUse = true
  }

  /** One stream may break by chance; only what happens again is no chance. */
  #pause(peer: PeerName): void {
    const { clock, limits, random } = this.#init
    const again = (this.#pauses.get(peer)?.again ?? -1) + 1
    const { retryIntervalMs, retryIntervalMsMax } = limits
    const pause = again === 0 ? 0 : backoffMs(again, retryIntervalMs, retryIntervalMsMax, random)
    this.#pauses.set(peer, { again, until: clock.now() + pause })
  }

  #isPaused(peer: PeerName): boolean {
    return this.#init.clock.now() < (this.#pauses.get(peer)?.until ?? 0)
  }

  #isAlive({ delivering, progressAt }: Pull, withinMs: number): boolean {
    return delivering || this.#init.clock.now() - progressAt < withinMs
  }
}
