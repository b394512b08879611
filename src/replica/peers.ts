/**
 * What peers last said of themselves, and whether it can be true.
 *
 * Two replicas that have the same heads, and lack nothing below them, have merged the same nodes and so must have
 * the same digest. Where they do not, one of them is broken or lies: this is reported, and `verify` says whether it
 * is this one.
 *
 * Invariants: peers remembered are bounded, the one that said nothing for the longest goes first; a peer's
 * divergence is reported once in a while only, for it is no more than that peer's claim.
 */
import { equals } from 'multiformats/bytes'
import { waitUnlessAborted } from '../abort.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { Divergence } from './listener.ts'
import type { Clock, HeadClaim, PeerClaim, PeerName, ReplicaSnapshot } from './ports.ts'

export interface PeersInit {
  limits: Limits
  clock: Clock
  snapshot(): ReplicaSnapshot
  onDivergence(divergence: Divergence): void
}

/** What one peer said last. */
export interface PeerSaid {
  peer: PeerName
  /** Whether it can be asked for what it has: it speaks the sync protocol and is connected. */
  connected: boolean
  /** What it said when it was greeted or asked last, and how many milliseconds ago. */
  claim?: PeerClaim & { agoMs: number }
  /** The heads of its last broadcast, and how many milliseconds ago that was. */
  announced?: { heads: HeadClaim[]; agoMs: number }
}

interface Known {
  connected: boolean
  claim?: { claim: PeerClaim; at: number }
  announced?: { heads: HeadClaim[]; at: number }
  divergedAt?: number
}

export class Peers {
  readonly #init: PeersInit
  readonly #waiters = new Set<{ count: number; resolve(): void; reject(reason: unknown): void }>()
  /** The one that spoke last is the last. */
  readonly #peers = new Map<PeerName, Known>()

  constructor(init: PeersInit) {
    this.#init = init
  }

  /** A peer told what it has. @returns whether it was not connected before. */
  claims(peer: PeerName, claim: PeerClaim): boolean {
    const known = this.#touch(peer)
    const isNew = !known.connected
    known.connected = true
    known.claim = { claim, at: this.#init.clock.now() }
    this.#compare(peer, known, this.#init.snapshot())
    for (const { count, resolve } of this.#waiters) if (this.#connectedCount >= count) resolve()
    return isNew
  }

  announced(peer: PeerName, heads: readonly HeadClaim[]): void {
    const { clock, limits } = this.#init
    const told = heads.slice(0, limits.helloHeadsMax).map(({ id, dagName }) => ({ id, dagName }))
    this.#touch(peer).announced = { heads: told, at: clock.now() }
  }

  /** Waits until so many peers are connected and have told what they have. */
  async connected(count: number, signal?: AbortSignal): Promise<void> {
    if (this.#connectedCount >= count) return
    await waitUnlessAborted(signal, (resolve, reject) => {
      const waiter = { count, resolve, reject }
      this.#waiters.add(waiter)
      return () => void this.#waiters.delete(waiter)
    })
  }

  /** Ends every wait. */
  stop(reason: unknown): void {
    for (const { reject } of this.#waiters) reject(reason)
  }

  get #connectedCount(): number {
    let count = 0
    for (const { connected } of this.#peers.values()) if (connected) count++
    return count
  }

  left(peer: PeerName): void {
    const known = this.#peers.get(peer)
    if (known !== undefined) known.connected = false
  }

  /** Compares with all that connected peers claimed: this replica has just caught up with somebody. */
  compareAll(): void {
    const snapshot = this.#init.snapshot()
    for (const [peer, known] of this.#peers) if (known.connected) this.#compare(peer, known, snapshot)
  }

  /** The heads of a DAG that peers told of, in a broadcast or, as long as they are connected, of their own. */
  *told(dagName: string): Generator<{ peer: PeerName; heads: HeadClaim[] }> {
    for (const [peer, { connected, claim, announced }] of this.#peers) {
      const heads = [...(announced?.heads ?? []), ...((connected && claim?.claim.heads) || [])]
      yield { peer, heads: heads.filter((head) => head.dagName === dagName) }
    }
  }

  /** Who spoke last comes first. */
  list(): PeerSaid[] {
    const now = this.#init.clock.now()
    const said = Array.from(this.#peers, ([peer, { connected, claim, announced }]) => ({
      peer,
      connected,
      ...(claim === undefined ? {} : { claim: { ...claim.claim, agoMs: now - claim.at } }),
      ...(announced === undefined ? {} : { announced: { heads: announced.heads, agoMs: now - announced.at } })
    }))
    return said.reverse()
  }

  #touch(peer: PeerName): Known {
    const known = this.#peers.get(peer) ?? { connected: false }
    this.#peers.delete(peer)
    const oldest = this.#peers.keys().next().value
    if (oldest !== undefined && this.#peers.size >= this.#init.limits.peersMax) this.#peers.delete(oldest)
    this.#peers.set(peer, known)
    return known
  }

  #compare(peer: PeerName, known: Known, ours: ReplicaSnapshot): void {
    const { clock, limits, onDivergence } = this.#init
    const theirs = known.claim?.claim
    if (theirs?.digest === undefined || !areComparable(ours, theirs)) return
    if (equals(ours.digest, theirs.digest)) return
    const now = clock.now()
    if (known.divergedAt !== undefined && now - known.divergedAt < limits.divergenceIntervalMs) return
    known.divergedAt = now
    onDivergence({ peer, ours: ours.digest, theirs: theirs.digest })
  }
}

/** Whether two replicas have merged the same nodes, all of which had their effects. */
function areComparable(ours: ReplicaSnapshot, theirs: PeerClaim): boolean {
  return isWhole(ours) && isWhole(theirs) && claimsHeads(theirs, new Set(ours.heads.map(({ id }) => id)))
}

/** Whether a peer claims to have these heads and no others. */
export function claimsHeads(
  { heads, headsLeftOut = 0 }: Pick<PeerClaim, 'heads' | 'headsLeftOut'>,
  ids: ReadonlySet<BlockId>
): boolean {
  return headsLeftOut === 0 && heads.length === ids.size && heads.every(({ id }) => ids.has(id))
}

function isWhole({ gaps, deferred, ignoredDags }: Omit<ReplicaSnapshot, 'digest'>): boolean {
  return gaps === 0 && deferred === 0 && ignoredDags.length === 0
}
