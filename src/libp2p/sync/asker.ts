/**
 * Requests to peers: which peer, in which session, and what becomes of both when it fails.
 *
 * Invariants: a request ends complete, or with a `SyncError`, or with the reason of its signal; a session is given
 * back only after a complete answer; a peer is asked for a block only while others have not sent it.
 */
import { blockIdOf } from '../../codec/block-id.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { Limits } from '../../options.ts'
import type {
  Clock,
  FetchOptions,
  PeerClaim,
  PeerName,
  PullRequest,
  ReceivedBlock,
  ReplicaView
} from '../../replica/ports.ts'
import { isGood, type PullCursor, type PulledBatch, type SyncSession } from './client.ts'
import type { SyncCounters } from './counters.ts'
import { type DividedBatch, DividedPull } from './divided-pull.ts'
import { type Greeter, isFinal } from './greeter.ts'
import { OneByOne } from './one-by-one.ts'
import type { PeerLog } from './peer-log.ts'
import type { Lease, Sessions, Waits } from './sessions.ts'
import { SyncError, type SyncFailure, toSyncError } from './sync-error.ts'

/** What an asker works with. */
export interface AskerInit {
  sessions: Sessions
  greeter: Greeter
  limits: Limits
  counters: SyncCounters
  log: PeerLog
  clock: Clock
  replica: ReplicaView
  allows(peer: PeerName): boolean
  /** Called when a request was the first to say hello to a peer. */
  greeted(peer: PeerName, claim: PeerClaim): void
}

/** The peer's doing, and not just a connection that broke. */
const MISBEHAVIOUR: ReadonlySet<SyncFailure> = new Set(['invalid', 'timeout', 'too-slow'])

/** Interrupted pulls that are remembered. */
const CURSORS_MAX = 256

export class Asker {
  readonly #init: AskerInit
  /** Where interrupted pulls from the start can go on. */
  readonly #cursors = new Map<PeerName, PullCursor>()

  constructor(init: AskerInit) {
    this.#init = init
  }

  /** What one peer has and this replica lacks. */
  pull(request: PullRequest): AsyncIterable<ReceivedBlock> {
    return new OneByOne(this.#pull(request))
  }

  async *#pull(request: PullRequest): AsyncGenerator<ReceivedBlock[]> {
    const { peer } = request
    for await (const { from, blocks, cursor } of this.#batches(request)) {
      yield blocks.map((bytes) => ({ bytes, from }))
      // Only now has the consumer taken them.
      if (cursor !== undefined) this.#remember(peer, cursor)
      // Of what others sent it is not known whether it is all that this peer would have sent.
      else this.#cursors.delete(peer)
    }
    this.#cursors.delete(peer)
  }

  #batches({ peer, want, signal }: PullRequest): AsyncIterable<DividedBatch> {
    const resume = this.#cursors.get(peer)
    const { limits, clock, replica, counters } = this.#init
    const last = this.#lastRowOf(peer, resume)
    const rows = last - (resume?.sequence ?? 0)
    const open = (until: number, waits: Waits): AsyncGenerator<PulledBatch> =>
      this.#ask(peer, waits, (session) => session.pull(want, resume, until))
    if (rows < limits.syncDivideNodesMin || limits.syncLanesMax === 1) {
      return withName(peer, open(0, { signal }))
    }
    const pull = new DividedPull({
      ...{ peer, resume, last, limits, clock, signal },
      open: (until, ending) => open(until, { signal: ending }),
      rows: (other, after, until, ending) =>
        this.#ask(other, { signal: ending }, (session) => session.rows(after, until)),
      others: () => this.#others(peer),
      mayHaveOthers: () => this.#mayHaveOthers(peer, last),
      joined: () => {
        counters.helpers++
      },
      merged: () => replica.snapshot().sequence
    })
    return pull.run()
  }

  /** The last row that a peer claims to have, where its rows tell how far this replica is: 0 elsewhere. */
  #lastRowOf(peer: PeerName, resume: PullCursor | undefined): number {
    const claim = this.#init.greeter.claimOf(peer)
    if (claim === undefined) return 0
    const isFromStart = resume === undefined && this.#init.replica.snapshot().sequence === 0
    return isFromStart || (resume !== undefined && isGood(resume, claim)) ? claim.sequence : 0
  }

  *#others(than: PeerName): Generator<[peer: PeerName, last: number]> {
    const { greeter, sessions, allows } = this.#init
    for (const [peer, claim] of greeter.claims()) {
      if (peer !== than && claim !== undefined && allows(peer) && sessions.isConnected(peer)) {
        yield [peer, claim.sequence]
      }
    }
  }

  /** Whether others claim to have as much, or have not said yet what they have. */
  #mayHaveOthers(than: PeerName, last: number): boolean {
    for (const [peer, claim] of this.#init.greeter.claims()) {
      if (peer !== than && (claim === undefined || claim.sequence >= last)) return true
    }
    return false
  }

  /** Blocks by id from these peers, one after the other for what is still missing. */
  async *fetch(ids: readonly BlockId[], options: FetchOptions): AsyncGenerator<ReceivedBlock> {
    const { sessions, log, allows } = this.#init
    const missing = new Set(ids)
    for (const peer of options.peers) {
      if (missing.size === 0) return
      options.signal.throwIfAborted()
      if (!allows(peer) || !sessions.isConnected(peer)) continue
      try {
        for await (const bytes of this.#fetchFrom(peer, [...missing], options)) {
          missing.delete(await blockIdOf(bytes))
          yield { bytes, from: peer }
        }
      } catch (error) {
        if (!(error instanceof SyncError)) throw error
        log.trace('could not fetch from %p - %e', peer, error)
      }
    }
  }

  async *#fetchFrom(
    peer: PeerName,
    ids: readonly BlockId[],
    { signal, asked }: FetchOptions
  ): AsyncGenerator<Uint8Array> {
    const { fetchIdsMax } = this.#init.limits
    const waits: Waits = { signal, onTurn: () => asked?.(peer) }
    for (let start = 0; start < ids.length; start += fetchIdsMax) {
      const some = ids.slice(start, start + fetchIdsMax)
      for await (const blocks of this.#ask(peer, waits, (session) => session.blocks(some))) yield* blocks
    }
  }

  /** Makes one request in a session, which is given back if the answer was complete, and ended otherwise. */
  async *#ask<T>(
    peer: PeerName,
    waits: Waits,
    work: (session: SyncSession) => AsyncIterable<T>
  ): AsyncGenerator<T> {
    const { signal } = waits
    for (;;) {
      const lease = await this.#lease(peer, waits)
      const onAbort = (): void => lease.session.abort(signal.reason)
      signal.addEventListener('abort', onAbort)
      let failure: Error | undefined = new SyncError('closed', 'The answer was not read to its end', { peer })
      let begun = false
      try {
        for await (const item of work(lease.session)) {
          begun = true
          yield item
        }
        failure = undefined
        return
      } catch (error) {
        failure = this.#failure(peer, signal, error)
        // A session that was kept may have been ended by the peer; a new one may well do.
        const stale = lease.reused && !begun && failure instanceof SyncError && failure.reason === 'closed'
        if (!stale) throw failure
      } finally {
        signal.removeEventListener('abort', onAbort)
        if (failure === undefined) lease.done()
        else lease.fail(failure)
      }
    }
  }

  async #lease(peer: PeerName, waits: Waits): Promise<Lease> {
    const { allows, sessions, greeter, greeted } = this.#init
    if (!allows(peer)) throw new SyncError('stopped', 'The peer is not allowed here', { peer })
    try {
      const lease = await sessions.lease(peer, waits)
      if (!lease.reused && !greeter.isGreeted(peer)) greeted(peer, lease.session.claim)
      return lease
    } catch (error) {
      throw this.#failure(peer, waits.signal, error)
    }
  }

  #failure(peer: PeerName, signal: AbortSignal, error: unknown): Error {
    if (signal.aborted) return signal.reason
    const { greeter, counters, log } = this.#init
    const failure = toSyncError(error, peer)
    if (isFinal(failure)) greeter.refused(peer)
    else if (MISBEHAVIOUR.has(failure.reason)) {
      counters.droppedStreams++
      log.once(peer, failure)
    }
    return failure
  }

  #remember(peer: PeerName, cursor: PullCursor): void {
    this.#cursors.delete(peer)
    this.#cursors.set(peer, cursor)
    const [oldest] = this.#cursors.keys()
    if (this.#cursors.size > CURSORS_MAX && oldest !== undefined) this.#cursors.delete(oldest)
  }
}

async function* withName(from: PeerName, batches: AsyncIterable<PulledBatch>): AsyncGenerator<DividedBatch> {
  for await (const { blocks, cursor } of batches) yield { from, blocks, cursor }
}
