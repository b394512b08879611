/**
 * The spans of a history that are sent or wait to be handed on, in the order of the history, and how long new ones are.
 *
 * Invariant: they leave no row out from the first that was not handed on to the last that was cut off the rest.
 */
import { Span } from './span.ts'
import { OVERLAP_ROWS_MAX } from './tail.ts'

/** The end of a span of whatever there is. */
export const OPEN_END = Number.POSITIVE_INFINITY

/** A span shorter than this part of a lane's share is not worth a request. */
const SHARES = 16
/** This part of a lane's share is sent twice where a span begins. */
const OVERLAP_SHARES = 32
/** What a block is taken to have before any came. */
const BLOCK_BYTES = 1024

export class Spans {
  /** The last row that the history is claimed to have. */
  readonly last: number
  /** What may wait for its turn in one lane. */
  readonly #shareBytes: number
  #list: Span[] = []
  /** The first row that is in no span. */
  #rest: number
  #blocks = 0
  #bytes = 0

  constructor(after: number, last: number, shareBytes: number) {
    this.last = last
    this.#shareBytes = shareBytes
    this.#rest = after + 1
  }

  /** The one that is handed on now. */
  get front(): Span | undefined {
    return this.#list[0]
  }

  /** The first row that no span is for; beyond the last if the last span is for whatever there is. */
  get rest(): number {
    return this.#rest
  }

  /** The one that is for whatever there is. */
  get open(): Span | undefined {
    const span = this.#list.at(-1)
    return span?.end === OPEN_END && !span.isComplete ? span : undefined
  }

  /** Bytes that wait to be handed on. */
  get bytesWaiting(): number {
    let sum = 0
    for (const { bytes } of this.#list) sum += bytes
    return sum
  }

  /** Bytes that there will be behind the first span, if all that was cut off the rest has come before it. */
  get bytesToAhead(): number {
    const { front } = this
    return front === undefined ? 0 : (this.#rest - 1 - Math.min(front.end, this.#rest - 1)) * this.#blockBytes
  }

  /** Blocks that were handed on. */
  get handedOn(): number {
    return this.#blocks
  }

  /** These were handed on. */
  handOn(blocks: readonly Uint8Array[]): void {
    this.#blocks += blocks.length
    for (const block of blocks) this.#bytes += block.length
  }

  /** The first that satisfies something. */
  find(predicate: (span: Span) => boolean): Span | undefined {
    return this.#list.find(predicate)
  }

  /** The first was handed on. */
  shift(): void {
    this.#list.shift()
  }

  /** How long a span is that begins there: ever shorter towards the end, so that all peers end at about the same time. */
  rowsFrom(row: number, peers: number): number {
    const bytes = Math.min((this.#rowsAfter(row - 1) * this.#blockBytes) / (2 * peers), this.#shareBytes)
    return Math.max(1, Math.floor(Math.max(bytes, this.#shareBytes / SHARES) / this.#blockBytes))
  }

  /**
   * Where the span of whatever there is could end, to leave something to others. What is on its way beyond that is
   * wasted, so it is as late as can be: when the others have sent as much as may wait, or all of their part.
   */
  endOfOpen(peers: number, aheadBytesMax: number): number {
    const position = this.open?.position ?? this.#rest - 1
    const rows = Math.min(this.#rowsAfter(position) / (peers + 1), aheadBytesMax / this.#blockBytes)
    return position + Math.max(1, Math.floor(rows))
  }

  /** How many rows early a span begins: fewer where blocks are large, because what is sent twice costs bandwidth. */
  get overlap(): number {
    const rows = Math.floor(this.#shareBytes / OVERLAP_SHARES / this.#blockBytes)
    return Math.max(1, Math.min(OVERLAP_ROWS_MAX, rows))
  }

  #rowsAfter(row: number): number {
    return this.last - row
  }

  /** What a block has, as far as is known. */
  get #blockBytes(): number {
    return this.#blocks === 0 ? BLOCK_BYTES : Math.max(1, this.#bytes / this.#blocks)
  }

  /** A span of the rows that are in none, up to this one. */
  cut(end: number): Span {
    const span = new Span(this.#rest, end)
    this.#rest = end + 1
    this.#list.push(span)
    return span
  }

  /** The one that is for whatever there is is to end here, so that others can have what comes after. */
  shorten(end: number): void {
    const { open } = this
    if (open === undefined) return
    open.end = end
    this.#rest = end + 1
  }

  /** Rows tell nothing: all that comes is one span. */
  unbound(span: Span): void {
    span.end = OPEN_END
    this.#rest = OPEN_END
  }

  /** Nobody sends the rest of a span any more. */
  giveBack(span: Span): void {
    const index = this.#list.indexOf(span)
    const rest = index < 0 ? undefined : span.cutShort()
    if (rest === undefined) return
    // Of one of which nothing came nothing is left.
    if (rest.start === span.start) this.#list[index] = rest
    else this.#list.splice(index + 1, 0, rest)
  }

  /** Nothing of a span is of use. */
  replace(span: Span): void {
    const index = this.#list.indexOf(span)
    if (index >= 0) this.#list[index] = new Span(span.start, span.end)
  }

  /** Nothing that was cut off after this row is of use: all of it is one span again. */
  rewind(after: number): void {
    this.#list = []
    this.#rest = after + 1
    this.cut(OPEN_END)
  }
}
