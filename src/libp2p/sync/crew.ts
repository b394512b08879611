/**
 * The peers that send one history, each a span at a time: who sends what next, and what becomes of it when one does not.
 *
 * Invariants: a span is read by one lane; what waits is no more than `syncAheadBytesMax` and a frame for each
 * lane; there is always somebody who reads the first one, or nobody who can; a peer that failed, or that holds up
 * the others, is asked for nothing more, and what it did not send is sent by another.
 */
import type { Limits } from '../../options.ts'
import type { Clock, PeerName } from '../../replica/ports.ts'
import type { PulledBatch } from './client.ts'
import { Lane } from './lane.ts'
import type { Span } from './span.ts'
import { OPEN_END, type Spans } from './spans.ts'
import { SyncError } from './sync-error.ts'

/** What a crew works with. */
export interface CrewInit {
  spans: Spans
  limits: Limits
  clock: Clock
  /** Streams rows of any peer: those after one, up to another if that is not 0. */
  rows(peer: PeerName, after: number, until: number, signal: AbortSignal): AsyncIterable<PulledBatch>
}

type Stream = (until: number, signal: AbortSignal) => AsyncIterable<PulledBatch>

/** A peer that is slower than another by this factor has its span taken over. */
const SLOWER_BY = 2

export class Crew {
  /** Why the last peer that failed did. */
  #failure: unknown = new SyncError('closed', 'Nobody is left who sends the history')
  /** Whether rows tell a place in the history: they do not where the two found common ground. */
  hasRows = true
  readonly #init: CrewInit
  readonly #lanes = new Map<PeerName, Lane>()
  readonly #dropped = new Set<PeerName>()
  /** Those of them that were only slow. */
  readonly #slow = new Map<PeerName, number>()
  readonly #tasks = new Set<Promise<void>>()
  #change = Promise.withResolvers<void>()

  constructor(init: CrewInit) {
    this.#init = init
  }

  get size(): number {
    return this.#lanes.size
  }

  /** Whether nobody reads anything. */
  get isIdle(): boolean {
    for (const { span } of this.#lanes.values()) if (span !== undefined) return false
    return true
  }

  /** Whether a peer is one of them, or was. */
  knows(peer: PeerName): boolean {
    return this.#lanes.has(peer) || this.#dropped.has(peer)
  }

  /**
   * Takes on a peer.
   *
   * @param reach - the last row that it claims to have.
   */
  add(peer: PeerName, reach: number): void {
    this.#lanes.set(peer, new Lane(peer, reach, this.#init.clock))
    this.changed()
  }

  /** Begins with a stream from the peer that was asked. */
  begin(peer: PeerName, span: Span, stream: Stream): void {
    const lane = this.#lanes.get(peer)
    span.begin(peer, 0)
    if (lane !== undefined) this.#read(lane, span, stream)
  }

  /** Gives work to whoever has none. */
  assign(): void {
    do {
      for (const lane of this.#lanes.values()) {
        if (lane.span !== undefined) continue
        const span = this.#waitingFor(lane) ?? this.#cut(lane)
        if (span !== undefined) this.#start(lane, span)
      }
      this.#unblock()
    } while (this.#relieve())
  }

  /** Whether nobody sends a span, nor can. */
  isOrphan(span: Span): boolean {
    if (this.#readerOf(span) !== undefined) return false
    for (const lane of this.#lanes.values()) if (this.#canTake(lane, span)) return false
    return true
  }

  /**
   * Takes back those who were only slow, because nobody else can go on.
   *
   * @throws the reason of the last failure, if there is nobody.
   */
  recall(): void {
    if (this.#slow.size === 0) throw this.#failure
    for (const [peer, reach] of this.#slow) this.add(peer, reach)
    this.#slow.clear()
  }

  /** Waits until something came or ended; or until somebody with nothing to do might take over what does not come. */
  async changes(): Promise<void> {
    const { clock, limits } = this.#init
    const isAnyFree = [...this.#lanes.values()].some(({ isBusy }) => !isBusy)
    const timer = isAnyFree ? clock.setTimeout(() => this.changed(), limits.pullStallMs / 2) : undefined
    await this.#change.promise
    clock.clearTimeout(timer)
  }

  /** Something came, or there is room for more. */
  changed(): void {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }

  /** Asks a peer for nothing more, and lets others send what it did not. */
  drop(peer: PeerName, reason: unknown): void {
    const lane = this.#lanes.get(peer)
    this.#dropped.add(peer)
    if (lane === undefined) return
    this.#lanes.delete(peer)
    this.#giveBack(lane, reason)
  }

  /** Asks nobody for anything more but this one, if it is still there; nothing of what they send now is of use. */
  dropOthers(than: PeerName, reason: unknown): void {
    const reach = this.#lanes.get(than)?.reach
    for (const peer of [...this.#lanes.keys()]) this.drop(peer, reason)
    if (reach !== undefined) this.add(than, reach)
  }

  /** Ends every stream. */
  end(reason: unknown): void {
    for (const lane of this.#lanes.values()) lane.abort(reason)
    this.changed()
  }

  /** Resolves once all have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#tasks)
  }

  #start(lane: Lane, span: Span): void {
    const { peer } = lane
    const after = span.begin(peer, this.#init.spans.overlap)
    this.#read(lane, span, (until, signal) => this.#init.rows(peer, after, until, signal))
  }

  #waitingFor(lane: Lane): Span | undefined {
    return this.#init.spans.find(
      (span) => !span.isComplete && this.#canTake(lane, span) && this.#readerOf(span) === undefined
    )
  }

  #canTake({ reach }: Lane, { end }: Span): boolean {
    return reach >= Math.min(end, this.#init.spans.last)
  }

  #readerOf(span: Span): Lane | undefined {
    for (const lane of this.#lanes.values()) if (lane.span === span) return lane
    return undefined
  }

  /** A new span; none where there is no more, where it is too far ahead, or where the peer does not have it. */
  #cut(lane: Lane): Span | undefined {
    const { spans, limits } = this.#init
    const { rest, last } = spans
    if (rest > last) return undefined
    if (this.#lanes.size === 1) return spans.cut(OPEN_END)
    if (spans.bytesToAhead >= limits.syncAheadBytesMax) return undefined
    const rows = spans.rowsFrom(rest, this.#lanes.size)
    const end = rest + rows - 1 + rows / 2 >= last ? OPEN_END : rest + rows - 1
    return lane.reach >= Math.min(end, last) ? spans.cut(end) : undefined
  }

  /** Lets go of a peer that holds up the others, if one of them could send what it sends. @returns whether it did. */
  #relieve(): boolean {
    const { front } = this.#init.spans
    const slow = front === undefined ? undefined : this.#readerOf(front)
    if (front === undefined || slow === undefined || !front.isDrained) return false
    if (slow.waitedMs < this.#init.limits.pullStallMs / 2) return false
    for (const lane of this.#lanes.values()) {
      const isFaster = lane.bytesPerMs > slow.bytesPerMs * SLOWER_BY
      if (lane.isBusy || !isFaster || !this.#canTake(lane, front)) continue
      this.#slow.set(slow.peer, slow.reach)
      this.drop(slow.peer, new SyncError('too-slow', 'Another peer is faster', { peer: slow.peer }))
      return true
    }
    return false
  }

  /** Who waits for room behind a span that nobody sends sends that one first: there would never be room. */
  #unblock(): void {
    const { front } = this.#init.spans
    if (front === undefined || front.isComplete || this.#readerOf(front) !== undefined) return
    for (const lane of this.#lanes.values()) {
      if (!lane.isHeld || !this.#canTake(lane, front)) continue
      this.#giveBack(lane, new SyncError('closed', 'Something else is needed first', { peer: lane.peer }))
      this.#start(lane, front)
      return
    }
  }

  #giveBack(lane: Lane, reason: unknown): void {
    if (lane.span !== undefined) this.#init.spans.giveBack(lane.span)
    lane.abort(reason)
    this.changed()
  }

  #read(lane: Lane, span: Span, stream: Stream): void {
    const signal = lane.begin(span)
    const until = span.end === OPEN_END ? 0 : span.end
    const batches = stream(until, signal)[Symbol.asyncIterator]()
    const task = this.#readAll(lane, span, until, batches, signal).finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** Reads a span, as far as there is room, and sees to what did not come. */
  async #readAll(
    lane: Lane,
    span: Span,
    until: number,
    batches: AsyncIterator<PulledBatch>,
    signal: AbortSignal
  ): Promise<void> {
    let failure: unknown
    try {
      for (let isMore = true; isMore; ) {
        await this.#room(lane, span, signal)
        if (signal.aborted) break
        const batch = await lane.next(batches)
        isMore = batch !== undefined && !signal.aborted && this.#take(span, batch, until)
      }
    } catch (error) {
      failure = error
    }
    await batches.return?.().catch(() => {})
    // Whoever ended it has seen to the rest.
    if (!signal.aborted) this.#finished(lane, span, failure)
    this.changed()
  }

  /** Waits until there is room for another frame. */
  async #room(lane: Lane, span: Span, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#hasRoom(span)) {
      if (!lane.isHeld && span !== this.#init.spans.front) {
        lane.isHeld = true
        lane.wasHeld = true
        this.changed()
      }
      await this.#change.promise
    }
    if (!signal.aborted) lane.isHeld = false
  }

  #hasRoom(span: Span): boolean {
    const { spans, limits } = this.#init
    if (span.isComplete) return true
    // What is handed on next is read when it is asked for.
    if (span === spans.front) return span.isDrained
    return spans.bytesWaiting < limits.syncAheadBytesMax
  }

  /** @returns whether the stream is to be read on. */
  #take(span: Span, batch: PulledBatch, until: number): boolean {
    const { blocks, cursor } = batch
    const peer = span.peer as PeerName
    if (!span.isPlaced(batch)) {
      this.hasRows = false
      this.#init.spans.unbound(span)
    }
    if (blocks.length === 0) {
      const isAll = span.end === OPEN_END || (cursor !== undefined && cursor.sequence >= span.end)
      if (!isAll) throw new SyncError('closed', 'The peer has less than it claimed', { peer })
      span.isComplete = true
      return true
    }
    // A peer that does not know of the end goes on.
    if (span.isComplete) return false
    span.add(batch, this.hasRows)
    this.changed()
    return !span.isComplete || until === span.end
  }

  #finished(lane: Lane, span: Span, failure: unknown): void {
    lane.span = undefined
    const isOfUse = span.position >= span.start
    if (!span.isComplete) this.#init.spans.giveBack(span)
    else if (failure === undefined) return
    if (failure !== undefined) this.#failure = failure
    // One that had to wait for room may be right to have gone; but one that never sends anything is not asked for ever.
    if (!lane.wasHeld || !isOfUse) this.drop(lane.peer, failure)
  }
}
