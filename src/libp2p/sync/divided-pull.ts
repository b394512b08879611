/**
 * One history from several peers, as one stream of blocks in the order of the history.
 *
 * It begins as a stream from the peer that was asked. While the network is what is slow, another peer with as long a
 * history joins in, and then another: from then on the history is cut into spans, which they send side by side, and
 * which are handed on one after the other. That the peers' histories are the same is not believed: each span begins some
 * rows early, and has to fit to what came before it.
 *
 * Invariants: the blocks of a span are handed on after all of the spans before it; what waits for its turn is bounded,
 * and so are the peers; the pull fails when nobody is left. Whatever a permuted or false history leaves out is missing
 * below a head or a link, and the engine asks for it as for anything that is missing.
 */
import type { Limits } from '../../options.ts'
import type { Clock, PeerName } from '../../replica/ports.ts'
import type { PullCursor, PulledBatch } from './client.ts'
import { Crew, type CrewInit } from './crew.ts'
import { Demand } from './demand.ts'
import type { Span } from './span.ts'
import { OPEN_END, Spans } from './spans.ts'
import { SyncError } from './sync-error.ts'
import { Tail } from './tail.ts'

/** What a divided pull works with. */
export interface DividedPullInit {
  /** Whom the engine asks. */
  peer: PeerName
  /** Where a stream from it was interrupted, if it was. */
  resume: PullCursor | undefined
  /** The last row that it claims to have. */
  last: number
  limits: Limits
  clock: Clock
  signal: AbortSignal
  /** Streams what the engine asks for, up to a row if that is not 0 and nothing is left out. */
  open(until: number, signal: AbortSignal): AsyncIterable<PulledBatch>
  rows: CrewInit['rows']
  /** Other peers that can be asked, and the last row that each claims to have. */
  others(): Iterable<readonly [peer: PeerName, last: number]>
  /** Whether others can be asked, or are just being greeted. */
  mayHaveOthers(): boolean
  /** Called when another peer joins in. */
  joined(): void
  /** How many rows this replica's own log has. */
  merged(): number
}

/** Blocks as they are handed on. */
export interface DividedBatch {
  from: PeerName
  blocks: readonly Uint8Array[]
  /** Where a stream from the asked peer can go on; absent once others sent a part. */
  cursor?: PullCursor | undefined
}

/** Peers whose histories have another order, after which no more are tried. */
const MISFITS_MAX = 3
/** Of what may wait in one lane this part tells how fast it comes. */
const TELLING_SHARE = 1 / 32

export class DividedPull {
  readonly #init: DividedPullInit
  readonly #spans: Spans
  readonly #crew: Crew
  readonly #tail: Tail
  readonly #demand: Demand
  readonly #mergedBefore: number
  /** Up to here everything was handed on, as far as the asked peer's own blocks tell. */
  #verified: number
  #isShared = false
  #misfits = 0

  constructor(init: DividedPullInit) {
    const { resume, last, limits, clock, rows } = init
    const shareBytes = Math.floor(limits.syncAheadBytesMax / limits.syncLanesMax)
    const after = resume?.sequence ?? 0
    this.#init = init
    this.#spans = new Spans(after, last, shareBytes)
    this.#crew = new Crew({ spans: this.#spans, limits, clock, rows })
    this.#tail = new Tail(shareBytes)
    this.#demand = new Demand(shareBytes * TELLING_SHARE, limits.pullStallMs)
    this.#mergedBefore = init.merged()
    this.#verified = after
  }

  /** The history. Whoever leaves early ends every stream. */
  async *run(): AsyncGenerator<DividedBatch> {
    const { clock, signal } = this.#init
    const onAbort = (): void => this.#crew.end(signal.reason)
    signal.addEventListener('abort', onAbort)
    try {
      this.#begin()
      for (let isFirst = true; ; ) {
        const askedAt = clock.now()
        const batch = await this.#next()
        if (batch === undefined) return
        const cameAt = clock.now()
        yield batch
        // How long the first one takes tells how far the peer is, and not how fast it sends.
        if (isFirst) isFirst = false
        else this.#demand.add(batch.blocks, cameAt - askedAt, clock.now() - cameAt)
        this.#growIfUnmet()
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#crew.end(new SyncError('closed', 'The answer was not read to its end'))
      await this.#crew.ended()
    }
  }

  #begin(): void {
    const { peer, resume, limits, open, mayHaveOthers } = this.#init
    this.#crew.add(peer, this.#spans.last)
    // A stream that is ended early wastes what is on its way; one that ends by itself costs a round trip.
    const { syncDivideNodesMin, syncLanesMax } = limits
    const rows = Math.min(syncDivideNodesMin / 2, (this.#spans.last - this.#verified) / syncLanesMax)
    const span = this.#spans.cut(mayHaveOthers() ? this.#verified + Math.ceil(rows) : OPEN_END)
    span.generation = resume?.generation
    this.#crew.begin(peer, span, open)
  }

  /** The next blocks, in the order of the history. */
  async #next(): Promise<DividedBatch | undefined> {
    const crew = this.#crew
    for (;;) {
      this.#init.signal.throwIfAborted()
      crew.assign()
      const { front } = this.#spans
      if (front === undefined && this.#spans.rest > this.#spans.last) return undefined
      const batch = front?.take()
      if (front === undefined) {
        // Whoever could send more has not seen its last stream end.
        if (crew.isIdle) crew.recall()
        else await crew.changes()
      } else if (batch !== undefined) {
        const handedOn = await this.#handOn(front, batch)
        if (handedOn !== undefined) return handedOn
      } else if (front.isComplete) this.#pass(front)
      else if (crew.isOrphan(front)) crew.recall()
      else await crew.changes()
    }
  }

  async #handOn(span: Span, batch: PulledBatch): Promise<DividedBatch | undefined> {
    const from = span.peer as PeerName
    span.seam ??= await this.#tail.seam(span.overlap)
    const blocks = await span.seam.take(batch.blocks)
    if (blocks === undefined) {
      this.#misfit(span, from)
      return undefined
    }
    const { cursor } = batch
    if (from !== this.#init.peer) this.#isShared = true
    else if (cursor !== undefined) this.#verified = cursor.sequence
    await this.#tail.keep(blocks)
    this.#spans.handOn(blocks)
    // There is room for more.
    this.#crew.changed()
    return { from, blocks, cursor: this.#isShared ? undefined : cursor }
  }

  /** All of the first span was handed on. */
  #pass(front: Span): void {
    // One of whose rows none came does not even have those that overlap.
    const isEmpty = front.seam === undefined && !this.#tail.isEmpty
    if (isEmpty) this.#misfit(front, front.peer as PeerName)
    else this.#spans.shift()
    this.#crew.changed()
  }

  /** One more peer joins in, where the network is what is slow and there is something to divide. */
  #growIfUnmet(): void {
    const { others, limits, merged, joined } = this.#init
    const crew = this.#crew
    const unmerged = (): number => this.#spans.handedOn - (merged() - this.#mergedBefore)
    if (this.#demand.isUnmet(unmerged) !== true || !crew.hasRows) return
    if (crew.size >= limits.syncLanesMax || this.#misfits >= MISFITS_MAX) return
    const { open, rest, last } = this.#spans
    const start = open === undefined ? rest : this.#spans.endOfOpen(crew.size, limits.syncAheadBytesMax) + 1
    const rows = this.#spans.rowsFrom(start, crew.size)
    if (start + rows / 2 > last) return
    for (const [peer, reach] of others()) {
      if (crew.knows(peer) || reach < Math.min(start + rows, last)) continue
      this.#spans.shorten(start - 1)
      crew.add(peer, reach)
      joined()
      return
    }
  }

  /** What a peer sent does not go on where others ended. Of two, the one that was asked is believed. */
  #misfit(span: Span, from: PeerName): void {
    const reason = new SyncError('closed', 'Its history has another order', { peer: from })
    this.#misfits++
    if (from !== this.#init.peer) {
      this.#spans.replace(span)
      this.#crew.drop(from, reason)
      return
    }
    this.#misfits = MISFITS_MAX
    this.#crew.dropOthers(from, reason)
    this.#tail.clear()
    this.#spans.rewind(this.#verified)
  }
}
