/**
 * Streams that this node opened to its peers for one topic: each is opened, greeted, lent to one request at a time,
 * and kept for a moment after it, because the next request often follows at once.
 *
 * Invariants: no peer has more than half the streams it would allow by the same options, so that two stores of one
 * node need not crowd each other out; a session that failed or was left in the middle is never lent again; after
 * `stop` every stream is aborted and none is opened.
 */
import type { Limits } from '../../options.ts'
import type { Clock, PeerName, ReplicaView } from '../../replica/ports.ts'
import type { ConnectionLike, Libp2pLike } from '../types.ts'
import { SyncSession } from './client.ts'
import type { SyncCounters } from './counters.ts'
import { SYNC_PROTOCOL } from './protocol.ts'
import { SyncError } from './sync-error.ts'

/** What sessions are opened with. */
export interface SessionsInit {
  libp2p: Libp2pLike
  topic: string
  limits: Limits
  clock: Clock
  counters: SyncCounters
  replica: ReplicaView
}

/** A session on loan: it must be given back, one way or the other. */
export interface Lease {
  session: SyncSession
  /** It was used before, so that the peer may have ended it meanwhile; if not, its hello is new. */
  reused: boolean
  /** The request was answered to its end. */
  done(): void
  /** It was not. */
  fail(error: Error): void
}

/** How one waits for a session. */
export interface Waits {
  signal: AbortSignal
  /** Called once it is one's turn, before a stream is opened where none is kept. */
  onTurn?(): void
}

/** The right to have one more session, and one to go on with where there is one. */
interface Turn {
  session?: SyncSession
}

/** Loans to one peer, those who wait for one, and the session that is kept. */
interface Account {
  lent: number
  waiting: Array<(turn: Turn | undefined) => void>
  kept: SyncSession | undefined
  timer: unknown
}

export class Sessions {
  readonly #init: SessionsInit
  readonly #accounts = new Map<PeerName, Account>()
  readonly #open = new Map<SyncSession, PeerName>()
  readonly #stopping = new AbortController()
  /** Streams that are being closed. */
  readonly #closing = new Set<Promise<void>>()

  constructor(init: SessionsInit) {
    this.#init = init
  }

  /** Whether there is a connection over which streams can be opened. */
  isConnected(peer: PeerName): boolean {
    return this.#connectionTo(peer) !== undefined
  }

  /** Whether there are two, one of which may be dead. */
  isConnectedTwice(peer: PeerName): boolean {
    return this.#connectionsTo(peer).length > 1
  }

  /**
   * A session with a peer, greeted.
   *
   * @throws SyncError if there is none to be had, or the signal's reason.
   */
  async lease(peer: PeerName, { signal, onTurn }: Waits): Promise<Lease> {
    const account = this.#account(peer)
    const turn = await this.#takeTurn(account, peer, signal)
    try {
      onTurn?.()
      const used = turn.session ?? this.#takeKept(account)
      const session = used ?? (await this.#openSession(peer, signal))
      return this.#lend(session, account, peer, used !== undefined)
    } catch (error) {
      this.#passTurn(account, peer, {})
      throw error
    }
  }

  /** The next session with a peer says hello anew, for that of the one that is kept is out of date. */
  renew(peer: PeerName): void {
    const account = this.#accounts.get(peer)
    const kept = account === undefined ? undefined : this.#takeKept(account)
    if (account === undefined || kept === undefined) return
    this.#finish(kept)
    this.#tidy(account, peer)
  }

  /** A peer is gone, and its streams with it. */
  left(peer: PeerName): void {
    const account = this.#accounts.get(peer)
    if (account !== undefined) this.#takeKept(account)
    const error = new SyncError('closed', 'The peer is gone', { peer })
    for (const [session, owner] of this.#open) if (owner === peer) this.#end(session, error)
  }

  async stop(): Promise<void> {
    const error = new SyncError('stopped', 'The exchange was stopped')
    this.#stopping.abort(error)
    for (const account of this.#accounts.values()) {
      this.#takeKept(account)
      for (const wake of account.waiting.splice(0)) wake(undefined)
    }
    for (const session of this.#open.keys()) this.#end(session, error)
    await Promise.allSettled(this.#closing)
  }

  #lend(session: SyncSession, account: Account, peer: PeerName, reused: boolean): Lease {
    let returned = false
    const giveBack = (turn: Turn): void => {
      if (returned) return
      returned = true
      this.#passTurn(account, peer, turn)
    }
    return {
      session,
      reused,
      done: () => giveBack({ session }),
      fail: (error) => {
        this.#end(session, error)
        giveBack({})
      }
    }
  }

  async #openSession(peer: PeerName, signal: AbortSignal): Promise<SyncSession> {
    const { clock, limits, counters } = this.#init
    const connection = this.#connectionTo(peer)
    if (connection === undefined) throw new SyncError('unreachable', 'There is no connection', { peer })
    const tooLong = new AbortController()
    const timer = clock.setTimeout(
      () => tooLong.abort(new SyncError('timeout', 'No stream could be opened in time', { peer })),
      limits.syncIdleTimeoutMs
    )
    const either = AbortSignal.any([signal, this.#stopping.signal, tooLong.signal])
    let session: SyncSession | undefined
    const abort = (): void => session?.abort(either.reason)
    either.addEventListener('abort', abort)
    try {
      const stream = await connection.newStream(SYNC_PROTOCOL, { signal: either })
      session = new SyncSession({ ...this.#init, stream, peer })
      this.#open.set(session, peer)
      counters.streams++
      counters.streamsOpen++
      if (either.aborted) abort()
      await session.greet()
      return session
    } catch (error) {
      if (session !== undefined) this.#forget(session)
      if (either.aborted) throw either.reason
      throw session === undefined ? openError(error, peer) : error
    } finally {
      clock.clearTimeout(timer)
      either.removeEventListener('abort', abort)
    }
  }

  /** The newest one: a peer that lost a connection without a word has dialled again, and the old one may be dead. */
  #connectionTo(peer: PeerName): ConnectionLike | undefined {
    return this.#connectionsTo(peer).at(-1)
  }

  #connectionsTo(peer: PeerName): ConnectionLike[] {
    return this.#init.libp2p
      .getConnections()
      .filter(
        ({ remotePeer, status, limits }) =>
          status === 'open' && limits == null && remotePeer.toString() === peer
      )
  }

  #account(peer: PeerName): Account {
    let account = this.#accounts.get(peer)
    if (account === undefined) {
      account = { lent: 0, waiting: [], kept: undefined, timer: undefined }
      this.#accounts.set(peer, account)
    }
    return account
  }

  async #takeTurn(account: Account, peer: PeerName, signal: AbortSignal): Promise<Turn> {
    this.#throwIfOver(signal)
    if (account.lent < Math.max(1, Math.floor(this.#init.limits.syncStreamsPerPeerMax / 2))) {
      account.lent++
      return {}
    }
    const turn = await new Promise<Turn | undefined>((resolve) => {
      const wake = (handedOver: Turn | undefined): void => {
        signal.removeEventListener('abort', giveUp)
        resolve(handedOver)
      }
      const giveUp = (): void => {
        account.waiting = account.waiting.filter((other) => other !== wake)
        wake(undefined)
      }
      account.waiting.push(wake)
      signal.addEventListener('abort', giveUp, { once: true })
    })
    if (turn === undefined || signal.aborted || this.#stopping.signal.aborted) {
      if (turn !== undefined) this.#passTurn(account, peer, turn)
      this.#throwIfOver(signal)
    }
    return turn ?? {}
  }

  /** Hands a turn over to whoever waits longest, so that nobody can take it in between. */
  #passTurn(account: Account, peer: PeerName, turn: Turn): void {
    const next = account.waiting.shift()
    if (next !== undefined) {
      next(turn)
      return
    }
    account.lent--
    if (turn.session !== undefined) this.#keep(turn.session, account, peer)
    this.#tidy(account, peer)
  }

  #tidy(account: Account, peer: PeerName): void {
    const idle = account.lent === 0 && account.kept === undefined && account.waiting.length === 0
    if (idle && this.#accounts.get(peer) === account) this.#accounts.delete(peer)
  }

  #throwIfOver(signal: AbortSignal): void {
    signal.throwIfAborted()
    this.#stopping.signal.throwIfAborted()
  }

  #keep(session: SyncSession, account: Account, peer: PeerName): void {
    const { clock, limits } = this.#init
    if (account.kept !== undefined || this.#stopping.signal.aborted) {
      this.#finish(session)
      return
    }
    account.kept = session
    // Shorter than the answerer would wait for the next request.
    account.timer = clock.setTimeout(() => {
      this.#takeKept(account)
      this.#finish(session)
      this.#tidy(account, peer)
    }, limits.syncIdleTimeoutMs / 2)
  }

  #takeKept(account: Account): SyncSession | undefined {
    const { kept } = account
    this.#init.clock.clearTimeout(account.timer)
    account.timer = undefined
    account.kept = undefined
    return kept
  }

  #finish(session: SyncSession): void {
    const closing = session.finish().finally(() => {
      this.#forget(session)
      this.#closing.delete(closing)
    })
    this.#closing.add(closing)
  }

  #end(session: SyncSession, error: Error): void {
    session.abort(error)
    this.#forget(session)
  }

  #forget(session: SyncSession): void {
    if (this.#open.delete(session)) this.#init.counters.streamsOpen--
  }
}

function openError(error: unknown, peer: PeerName): SyncError {
  const name = error instanceof Error ? error.name : ''
  if (name === 'UnsupportedProtocolError') {
    return new SyncError('unsupported', 'The peer does not speak the sync protocol', { peer, cause: error })
  }
  return new SyncError('unreachable', 'No stream could be opened', { peer, cause: error })
}
