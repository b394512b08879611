/**
 * Holds the other side of a stream to a least rate.
 *
 * Invariants: only time spent waiting for the other side counts, so that a slow consumer here is never taken for a
 * slow peer; over every window of waiting at least the due bytes have moved, or the wait is ended.
 */
import type { Clock } from '../../replica/ports.ts'
import { SyncError } from './sync-error.ts'

/** How long may be waited, and how much must have moved by then. */
export interface PaceLimits {
  windowMs: number
  bytesPerSecondMin: number
}

export class Pace {
  readonly #clock: Clock
  readonly #moved: () => number
  readonly #expire: (error: SyncError) => void
  #limits: PaceLimits
  #waitedMs = 0
  #movedBefore = 0

  /**
   * @param moved - bytes that moved so far.
   * @param expire - must end the wait, by aborting the stream.
   */
  constructor(clock: Clock, limits: PaceLimits, moved: () => number, expire: (error: SyncError) => void) {
    this.#clock = clock
    this.#limits = limits
    this.#moved = moved
    this.#expire = expire
  }

  /** Begins a new window, with other limits if they are given. */
  reset(limits: PaceLimits = this.#limits): void {
    this.#limits = limits
    this.#waitedMs = 0
    this.#movedBefore = this.#moved()
  }

  /** Waits for the other side. */
  async watch<T>(wait: Promise<T>): Promise<T> {
    let since = this.#clock.now()
    let timer: unknown
    const arm = (): void => {
      const left = Math.max(1, this.#limits.windowMs - this.#waitedMs)
      timer = this.#clock.setTimeout(() => {
        if (this.#isTooSlow()) return
        since = this.#clock.now()
        this.reset()
        arm()
      }, left)
    }
    arm()
    try {
      return await wait
    } finally {
      this.#clock.clearTimeout(timer)
      this.#waitedMs += this.#clock.now() - since
    }
  }

  #isTooSlow(): boolean {
    const { windowMs, bytesPerSecondMin } = this.#limits
    const moved = this.#moved() - this.#movedBefore
    if (moved === 0) {
      this.#expire(new SyncError('timeout', `Nothing moved for ${windowMs} ms`))
      return true
    }
    if (moved * 1000 < bytesPerSecondMin * windowMs) {
      this.#expire(new SyncError('too-slow', `${moved} bytes in ${windowMs} ms are under the least rate`))
      return true
    }
    return false
  }
}
