/**
 * A peer at work on a divided history: what it reads, and how fast.
 *
 * Invariant: it reads one span at a time; only the time in which it waits for the peer counts.
 */
import type { Clock, PeerName } from '../../replica/ports.ts'
import type { PulledBatch } from './client.ts'
import type { Span } from './span.ts'

export class Lane {
  readonly peer: PeerName
  /** The last row that the peer claims to have. */
  readonly reach: number
  /** What it reads now. */
  span: Span | undefined
  /** Whether there is no room for what it would read. */
  isHeld = false
  /** Whether its peer had to wait for room, and may have lost its patience. */
  wasHeld = false
  readonly #clock: Clock
  #controller = new AbortController()
  /** Of the span that it reads or has read last. */
  #bytes = 0
  #waitedMs = 0
  #waitsSince: number | undefined

  constructor(peer: PeerName, reach: number, clock: Clock) {
    this.peer = peer
    this.reach = reach
    this.#clock = clock
  }

  /** Whether it has something to read, and room for it. */
  get isBusy(): boolean {
    return this.span !== undefined && !this.isHeld
  }

  /** How long it has waited for its peer, for this span. */
  get waitedMs(): number {
    return this.#waitedMs + (this.#waitsSince === undefined ? 0 : this.#clock.now() - this.#waitsSince)
  }

  get bytesPerMs(): number {
    return this.#bytes / Math.max(1, this.waitedMs)
  }

  /** Begins to read. @returns what ends it. */
  begin(span: Span): AbortSignal {
    this.span = span
    this.isHeld = false
    this.wasHeld = false
    this.#bytes = 0
    this.#waitedMs = 0
    this.#controller = new AbortController()
    return this.#controller.signal
  }

  /** What the peer sends next; undefined after the last. */
  async next(batches: AsyncIterator<PulledBatch>): Promise<PulledBatch | undefined> {
    this.#waitsSince = this.#clock.now()
    try {
      const { done, value } = await batches.next()
      if (done === true) return undefined
      for (const block of value.blocks) this.#bytes += block.length
      return value
    } finally {
      this.#waitedMs = this.waitedMs
      this.#waitsSince = undefined
    }
  }

  /** Ends what it reads. */
  abort(reason: unknown): void {
    this.span = undefined
    this.#controller.abort(reason)
  }
}
