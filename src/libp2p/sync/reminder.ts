/**
 * Says hello again to peers that gossip may have failed: what a peer was not told of by a hello, and cannot have heard.
 *
 * gossipsub carries what is said only to peers that it has a stream to, and passes on what others said only within its
 * mesh. Both come some time after a subscription is seen, and what is said before them is lost without a word. A peer
 * that dialled although it was connected, as whoever lost a connection without a word does, may have gossipsub's stream
 * on the connection that is dead, and none on the other.
 *
 * Invariant: a peer that was told of the newest commit is not greeted again, so replicas that are level stay quiet.
 */
import type { Limits } from '../../options.ts'
import type { Clock, PeerName, Random } from '../../replica/ports.ts'

/** What a reminder works with. */
export interface ReminderInit {
  limits: Limits
  clock: Clock
  random: Random
  /** The sequence number of the newest commit. */
  sequence(): number
  isConnected(peer: PeerName): boolean
  allows(peer: PeerName): boolean
  /** Says hello, and hears the peer's. */
  greet(peer: PeerName): Promise<void>
  /** Called when a hello failed. */
  failed(peer: PeerName, error: unknown): void
}

/**
 * When a peer that subscribed is told, in multiples of `gossipSettleMs`. The second time is for what gossip brought here
 * and did not pass on, and what took long to be had and merged.
 */
const PAUSES = [1, 3]
/** What a peer that failed a hello was told: perhaps nothing. */
const NOTHING = -1

export class Reminder {
  readonly #init: ReminderInit
  /** Up to which commit a peer has been told of ours by a hello, at least. */
  readonly #told = new Map<PeerName, number>()
  readonly #redialled = new Set<PeerName>()
  /** Of peers whose subscription was seen, and whom gossip may not reach yet. */
  readonly #settling = new Map<PeerName, unknown>()

  constructor(init: ReminderInit) {
    this.#init = init
  }

  /** A hello to a peer is being said, and tells all that is here. */
  telling(peer: PeerName): void {
    this.#told.set(peer, this.#init.sequence())
  }

  /** A peer dialled although it was connected. */
  redialled(peer: PeerName): void {
    this.#redialled.add(peer)
  }

  /**
   * A peer's subscription was seen. What was committed after its hello and before this was in neither the hello nor its
   * gossip; what is committed until gossip reaches it will be in none.
   */
  subscribed(peer: PeerName): void {
    this.#tell(peer)
    this.#settle(peer, PAUSES)
  }

  /** Tells one of the peers that dialled although they were connected. */
  remind(): void {
    const untold = [...this.#redialled].filter((peer) => this.#isUntold(peer))
    const peer = untold[Math.floor(this.#init.random() * untold.length)]
    if (peer !== undefined) this.#greet(peer)
  }

  /** A peer is gone, and is a stranger when it comes back. */
  left(peer: PeerName): void {
    this.#told.delete(peer)
    this.#redialled.delete(peer)
    this.#init.clock.clearTimeout(this.#settling.get(peer))
    this.#settling.delete(peer)
  }

  stop(): void {
    for (const timer of this.#settling.values()) this.#init.clock.clearTimeout(timer)
    this.#settling.clear()
  }

  #settle(peer: PeerName, [pause, ...later]: readonly number[]): void {
    const { clock, limits } = this.#init
    clock.clearTimeout(this.#settling.get(peer))
    this.#settling.delete(peer)
    if (pause === undefined) return
    const timer = clock.setTimeout(() => {
      this.#tell(peer)
      this.#settle(peer, later)
    }, pause * limits.gossipSettleMs)
    this.#settling.set(peer, timer)
  }

  /** Only a peer that has been greeted: to all others the first hello is still to come. */
  #tell(peer: PeerName): void {
    if (this.#told.has(peer) && this.#isUntold(peer)) this.#greet(peer)
  }

  #isUntold(peer: PeerName): boolean {
    const { isConnected, allows, sequence } = this.#init
    return isConnected(peer) && allows(peer) && this.#told.get(peer) !== sequence()
  }

  #greet(peer: PeerName): void {
    this.#init.greet(peer).catch((error) => {
      this.#told.set(peer, NOTHING)
      this.#init.failed(peer, error)
    })
  }
}
