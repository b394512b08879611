// A clock that stands still until it is told to go on, and knows which timers are open.
import type { Clock } from '../../src/index.ts'

interface Timer {
  at: number
  callback: () => void
}

export class ManualClock implements Clock {
  readonly #timers = new Map<number, Timer>()
  #now = 0
  #lastTimer = 0

  get openTimers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number): unknown {
    this.#lastTimer += 1
    this.#timers.set(this.#lastTimer, { at: this.#now + ms, callback })
    return this.#lastTimer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number)
  }

  /** Lets time pass and runs what is due, the earliest first. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)
      if (next === undefined) break
      const [id, { at, callback }] = next
      this.#timers.delete(id)
      this.#now = at
      callback()
    }
    this.#now = end
  }
}
