/**
 * When all heads are said again for peers that came, heard nothing of what was said before, and can be told in no other
 * way.
 *
 * They are said at once, and once more when gossip has had the time to reach a newcomer: until its mesh has formed, what
 * is said to it may be lost without a word.
 *
 * Invariant: they are said no more often than once in `newcomerGapMs`, however many come.
 */
import type { Limits } from '../options.ts'
import type { Clock } from './ports.ts'

const TIMES = 2

export interface NewcomersInit {
  clock: Clock
  limits: Limits
  /** Says all heads. */
  tell(): void
}

export class Newcomers {
  readonly #init: NewcomersInit
  #started = false
  /** How often those that came are still to be told; they may have come before the start. */
  #timesLeft = 0
  #toldAt = Number.NEGATIVE_INFINITY
  #timer: unknown

  constructor(init: NewcomersInit) {
    this.#init = init
  }

  start(): void {
    this.#started = true
    if (this.#timesLeft > 0) this.#tellIn(0)
  }

  stop(): void {
    this.#started = false
    this.#init.clock.clearTimeout(this.#timer)
  }

  came(): void {
    const { clock, limits } = this.#init
    this.#timesLeft = TIMES
    this.#tellIn(Math.max(0, this.#toldAt + limits.newcomerGapMs - clock.now()))
  }

  #tellIn(ms: number): void {
    if (!this.#started) return
    const { clock, limits, tell } = this.#init
    clock.clearTimeout(this.#timer)
    this.#timer = clock.setTimeout(() => {
      this.#toldAt = clock.now()
      this.#timesLeft -= 1
      tell()
      if (this.#timesLeft > 0) this.#tellIn(Math.max(limits.newcomerGapMs, limits.gossipSettleMs))
    }, ms)
  }
}
