// Time and chance for simulated worlds: a clock that stands still until a test moves it, and seeded random numbers.
import { expect } from 'vitest'
import type { Clock, Random } from '../../src/index.ts'

interface Timer {
  at: number
  order: number
  callback: () => void
  open: boolean
}

/** More timers than this at one instant mean that somebody waits for zero milliseconds in a circle. */
const TIMERS_PER_INSTANT_MAX = 100_000

/** Virtual time. Whatever happens between two timers happens in microtasks, so that a world is deterministic. */
export class FakeClock implements Clock {
  #now = 0
  #order = 0
  #open = 0
  /** The latest first, so that the next one is taken from the end. */
  readonly #timers: Timer[] = []

  now(): number {
    return this.#now
  }

  /** How many timers are open. */
  get timers(): number {
    return this.#open
  }

  setTimeout(callback: () => void, ms: number): Timer {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`A timer of ${ms} ms`)
    const timer = { at: this.#now + ms, order: this.#order++, callback, open: true }
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#timers[middle] as Timer).at > timer.at) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    this.#open++
    return timer
  }

  clearTimeout(timer: unknown): void {
    const { open } = (timer ?? { open: false }) as Timer
    if (!open) return
    ;(timer as Timer).open = false
    this.#open--
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Moves time on, timer by timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    if (ms > 0) await this.settle()
    while (await this.#step(end));
    this.#now = end
  }

  /** Moves time on until a condition holds, which is looked at every so often; fails if it does not within a time. */
  async until(condition: () => unknown, withinMs = 60_000, everyMs = 0): Promise<void> {
    const end = this.#now + withinMs
    await this.settle()
    while (!(await condition())) {
      if (await this.#step(end)) {
        await this.advance(Math.min(everyMs, end - this.#now))
        continue
      }
      expect.fail(`Not within ${withinMs} ms of virtual time: ${condition}`)
    }
  }

  /** Waits for a promise while time goes on. */
  async during<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await this.until(() => settled, withinMs)
    return await promise
  }

  /** Runs the timers of the next instant; false if there is none before the end. */
  async #step(end: number): Promise<boolean> {
    const next = this.#next()
    if (next === undefined || next.at > end) return false
    this.#now = next.at
    let count = 0
    for (let timer = this.#next(); timer !== undefined && timer.at <= this.#now; timer = this.#next()) {
      if (++count > TIMERS_PER_INSTANT_MAX) throw new Error('Timers of zero milliseconds go on for ever')
      this.#timers.pop()
      timer.open = false
      this.#open--
      timer.callback()
    }
    await this.settle()
    return true
  }

  #next(): Timer | undefined {
    while (this.#timers.at(-1)?.open === false) this.#timers.pop()
    return this.#timers.at(-1)
  }
}

/** Mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 to `below`, which is not included. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}
