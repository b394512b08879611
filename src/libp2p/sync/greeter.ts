/**
 * Who has been greeted, who is to be, and when again: one hello for each peer and connection.
 *
 * Invariants: a peer that has said hello, to us or back, is not greeted again while it is connected; failures are
 * retried ever more rarely, give or take chance, and a refusal not at all until something changes; no more than
 * `helloConcurrency` hellos are under way. So neither a crowd of peers nor a lost one becomes a storm.
 */
import { backoffMs } from '../../backoff.ts'
import type { Limits } from '../../options.ts'
import type { Clock, PeerClaim, PeerName, Random } from '../../replica/ports.ts'
import { SyncError, type SyncFailure } from './sync-error.ts'

/** What a greeter works with. */
export interface GreeterInit {
  limits: Limits
  clock: Clock
  random: Random
  /** Says hello to a peer and hears its. */
  greet(peer: PeerName): Promise<void>
  /** Called when a hello failed. */
  failed(peer: PeerName, error: unknown): void
}

interface Acquaintance {
  state: 'waiting' | 'queued' | 'greeting' | 'greeted' | 'refused'
  failures: number
  timer: unknown
  /** What it said last, once it is greeted. */
  claim?: PeerClaim | undefined
}

/** After these asking again would get the same answer. */
const FINAL_FAILURES: ReadonlySet<SyncFailure> = new Set([
  'unsupported',
  'unknown-topic',
  'not-allowed',
  'version',
  'stopped'
])

/** Whether asking again would get the same answer. */
export function isFinal(error: unknown): boolean {
  return error instanceof SyncError && FINAL_FAILURES.has(error.reason)
}

export class Greeter {
  readonly #init: GreeterInit
  readonly #peers = new Map<PeerName, Acquaintance>()
  readonly #queue: PeerName[] = []
  #underWay = 0
  #stopped = false

  constructor(init: GreeterInit) {
    this.#init = init
  }

  isGreeted(peer: PeerName): boolean {
    return this.#peers.get(peer)?.state === 'greeted'
  }

  /** Peers that have been greeted and are still there. */
  greeted(): PeerName[] {
    return [...this.#peers].filter(([, { state }]) => state === 'greeted').map(([peer]) => peer)
  }

  /** Peers that are there and were not found to refuse, and what they said last; nothing if they are yet to be greeted. */
  *claims(): Generator<[peer: PeerName, claim: PeerClaim | undefined]> {
    for (const [peer, { state, claim }] of this.#peers) if (state !== 'refused') yield [peer, claim]
  }

  /** What a peer said last that is there and was not found to refuse. */
  claimOf(peer: PeerName): PeerClaim | undefined {
    const known = this.#peers.get(peer)
    return known?.state === 'refused' ? undefined : known?.claim
  }

  /** A peer is there, and it is for us to greet it. */
  greetNow(peer: PeerName): void {
    this.#schedule(peer, 0)
  }

  /** A peer is there, and it will greet us; only if it does not, do we. */
  greetLater(peer: PeerName): void {
    this.#schedule(peer, this.#init.limits.helloRetryMs * (1 + this.#init.random()))
  }

  /** Hellos have been said, whoever began. */
  heard(peer: PeerName, claim?: PeerClaim): void {
    const known = this.#peers.get(peer)
    this.#init.clock.clearTimeout(known?.timer)
    this.#peers.set(peer, { state: 'greeted', failures: 0, timer: undefined, claim })
  }

  /** A peer that has greeted us does not want to be asked. */
  refused(peer: PeerName): void {
    const known = this.#peers.get(peer)
    if (known !== undefined) known.state = 'refused'
  }

  /** A peer is gone, and is a stranger when it comes back. */
  left(peer: PeerName): void {
    this.#init.clock.clearTimeout(this.#peers.get(peer)?.timer)
    this.#peers.delete(peer)
  }

  stop(): void {
    this.#stopped = true
    this.#queue.length = 0
    for (const peer of this.#peers.keys()) this.left(peer)
  }

  #schedule(peer: PeerName, delayMs: number): void {
    if (this.#stopped) return
    const known = this.#peers.get(peer)
    if (known !== undefined && known.state !== 'refused' && known.state !== 'waiting') return
    const { clock } = this.#init
    clock.clearTimeout(known?.timer)
    const waiting: Acquaintance = { state: 'waiting', failures: known?.failures ?? 0, timer: undefined }
    this.#peers.set(peer, waiting)
    if (delayMs === 0) this.#enqueue(peer, waiting)
    else waiting.timer = clock.setTimeout(() => this.#enqueue(peer, waiting), delayMs)
  }

  #enqueue(peer: PeerName, acquaintance: Acquaintance): void {
    if (this.#peers.get(peer) !== acquaintance || acquaintance.state !== 'waiting') return
    acquaintance.state = 'queued'
    this.#queue.push(peer)
    this.#work()
  }

  #work(): void {
    while (this.#underWay < this.#init.limits.helloConcurrency) {
      const peer = this.#queue.shift()
      if (peer === undefined) return
      const acquaintance = this.#peers.get(peer)
      // It may have greeted us, left, or left and come back meanwhile.
      if (acquaintance?.state === 'queued') void this.#greet(peer, acquaintance)
    }
  }

  async #greet(peer: PeerName, acquaintance: Acquaintance): Promise<void> {
    acquaintance.state = 'greeting'
    this.#underWay++
    try {
      await this.#init.greet(peer)
      if (this.#peers.get(peer) === acquaintance) this.heard(peer)
    } catch (error) {
      // The peer's own hello may have come while ours failed, and is as good.
      if (this.#peers.get(peer) === acquaintance) this.#onFailure(peer, acquaintance, error)
    } finally {
      this.#underWay--
      this.#work()
    }
  }

  #onFailure(peer: PeerName, acquaintance: Acquaintance, error: unknown): void {
    this.#init.failed(peer, error)
    if (isFinal(error)) {
      acquaintance.state = 'refused'
      return
    }
    const { limits, random } = this.#init
    acquaintance.failures++
    acquaintance.state = 'waiting'
    const { helloRetryMs, retryIntervalMsMax } = limits
    this.#schedule(peer, backoffMs(acquaintance.failures, helloRetryMs, retryIntervalMsMax, random))
  }
}
