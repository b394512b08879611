/**
 * One direction between two nodes: how long bytes take, what is lost, and what is held up.
 *
 * Two kinds of traffic use it. A datagram (gossip) may be lost, doubled and overtaken. A stream (one of the sync
 * protocol's) keeps its order and loses nothing: while the direction is cut its bytes are held, as TCP holds them.
 *
 * Invariant: what was sent first over a stream arrives first, whatever the latency, and never after `close`.
 */
import type { Clock, Random } from '../../replica/ports.ts'

/** How a direction is. */
export interface LinkConditions {
  /** One way, in milliseconds. */
  latencyMs: number
  /** Up to so much more, by chance. */
  jitterMs: number
  /** The share of datagrams that are lost. */
  loss: number
  /** The share of datagrams that arrive twice. */
  duplication: number
  /** Bytes a millisecond; `Infinity` for as many as there are. */
  bytesPerMs: number
}

/** A link as it is unless a world says otherwise. */
export const GOOD_LINK: Readonly<LinkConditions> = {
  latencyMs: 10,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  bytesPerMs: Number.POSITIVE_INFINITY
}

export class Link {
  conditions: LinkConditions
  /** Bytes that were sent over it, lost ones included. */
  bytes = 0
  readonly #clock: Clock
  readonly #random: Random
  #isCut = false
  /** When the wire is free for the next byte. */
  #freeAt = 0
  #lastOfStreams = 0
  #lastOfDatagrams = 0
  #held: Array<() => void> = []

  constructor(clock: Clock, random: Random, conditions: Readonly<LinkConditions>) {
    this.#clock = clock
    this.#random = random
    this.conditions = { ...conditions }
  }

  get isCut(): boolean {
    return this.#isCut
  }

  /** When the last of what is on its way arrives, or has arrived. */
  get lastArrival(): number {
    return Math.max(this.#lastOfStreams, this.#lastOfDatagrams)
  }

  /** Nothing arrives any more; what a stream sends is held. */
  cut(): void {
    this.#isCut = true
  }

  /** What was held arrives, in its order. */
  mend(): void {
    this.#isCut = false
    for (const deliver of this.#held.splice(0)) deliver()
  }

  /** The connection is gone, and with it what is on its way. */
  dropHeld(): void {
    this.#held = []
  }

  /** Sends a piece of a stream. */
  stream(bytes: number, deliver: () => void): void {
    const arrival = Math.max(this.#lastOfStreams, this.#passed(bytes) + this.#delay())
    this.#lastOfStreams = arrival
    this.#clock.setTimeout(() => {
      if (this.#isCut || this.#held.length > 0) this.#held.push(deliver)
      else deliver()
    }, arrival - this.#clock.now())
  }

  /** Sends a datagram, which may arrive once, twice or never. */
  datagram(bytes: number, deliver: () => void): void {
    const { loss, duplication } = this.conditions
    const copies = this.#random() < duplication ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const passed = this.#passed(bytes)
      if (this.#random() < loss) continue
      const arrival = passed + this.#delay()
      this.#lastOfDatagrams = Math.max(this.#lastOfDatagrams, arrival)
      this.#clock.setTimeout(() => {
        if (!this.#isCut) deliver()
      }, arrival - this.#clock.now())
    }
  }

  /** When the last of these bytes has left. */
  #passed(bytes: number): number {
    this.bytes += bytes
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now()) + bytes / this.conditions.bytesPerMs
    return this.#freeAt
  }

  #delay(): number {
    const { latencyMs, jitterMs } = this.conditions
    return latencyMs + (jitterMs > 0 ? this.#random() * jitterMs : 0)
  }
}
