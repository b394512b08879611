/**
 * Virtual time: a clock that stands still until the world moves it, from timer to timer.
 *
 * Invariants: between two instants everything happens in microtasks, and the clock waits until there are no more, so
 * that the same world runs the same way every time; timers of one instant run in the order in which they were set;
 * each actor has a scope of its own, whose timers are counted and die together when the actor is killed.
 */
import type { Clock } from '../replica/ports.ts'

interface Timer {
  at: number
  callback: () => void
  scope: ClockScope
  open: boolean
}

/** More timers than this at one instant mean that somebody waits for zero milliseconds in a circle. */
const TIMERS_PER_INSTANT_MAX = 100_000

/** Timers that were taken back and are still in the list, at least, before it is worth going through it. */
const CLEARED_MIN = 256

/** A condition did not come true within its virtual time, or time itself does not move on. */
export class VirtualTimeoutError extends Error {
  static override readonly name = 'VirtualTimeoutError'
  override name = 'VirtualTimeoutError'
}

/** The time of one actor. */
export class ClockScope implements Clock {
  readonly #clock: VirtualClock
  /** Timers that are set and have not run. */
  timers = 0
  #dead = false

  /** Made by `VirtualClock.scope`. */
  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Whether `kill` was called. */
  get isDead(): boolean {
    return this.#dead
  }

  /** Milliseconds of virtual time. */
  now(): number {
    return this.#clock.now()
  }

  /** Runs the callback at its time, unless the actor is dead by then. */
  setTimeout(callback: () => void, ms: number): unknown {
    return this.#clock.add(callback, ms, this)
  }

  /** Does nothing where there is no such timer. */
  clearTimeout(timer: unknown): void {
    this.#clock.clearTimeout(timer)
  }

  /** The actor's process is gone: none of its timers runs any more, and new ones never do. */
  kill(): void {
    this.#dead = true
  }
}

/** The time of a world. */
export class VirtualClock implements Clock {
  #now = 0
  readonly #own: ClockScope = new ClockScope(this)
  /** The latest first, so that the next one is taken from the end. */
  #timers: Timer[] = []
  /** Of these, those that were taken back. */
  #cleared = 0

  /** Milliseconds since the world began. */
  now(): number {
    return this.#now
  }

  /** A part of this clock for one actor. */
  scope(): ClockScope {
    return new ClockScope(this)
  }

  /** A timer of the world itself. */
  setTimeout(callback: () => void, ms: number): unknown {
    return this.add(callback, ms, this.#own)
  }

  /** Does nothing where there is no such timer. */
  clearTimeout(timer: unknown): void {
    const known = timer as Timer | undefined
    if (known?.open !== true) return
    this.#end(known)
    this.#cleared++
    // Most timers guard something that comes in time: without this the list would be hundreds of times too long.
    if (this.#cleared < CLEARED_MIN || 2 * this.#cleared < this.#timers.length) return
    this.#timers = this.#timers.filter(({ open }) => open)
    this.#cleared = 0
  }

  /**
   * A timer of an actor; used by its scope.
   *
   * @throws RangeError if the time is no finite number of milliseconds from 0 on.
   */
  add(callback: () => void, ms: number, scope: ClockScope): unknown {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`A timer of ${ms} ms`)
    const timer: Timer = { at: this.#now + ms, callback, scope, open: true }
    scope.timers++
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      // Before those of the same instant, which are taken from the end and so run first.
      if ((this.#timers[middle] as Timer).at > timer.at) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    return timer
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    // All microtasks come before the next turn of the event loop, however many follow from each other.
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Moves time on, instant by instant. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    while (await this.#step(end));
    this.#now = end
  }

  /**
   * Moves time on until a condition holds.
   *
   * @param everyMs - how often it is looked at; 0 for after every instant.
   * @throws VirtualTimeoutError if it does not hold within the time.
   */
  async until(
    condition: () => boolean | Promise<boolean>,
    { withinMs = 60_000, everyMs = 0, what = String(condition) } = {}
  ): Promise<void> {
    const end = this.#now + withinMs
    await this.settle()
    while (!(await condition())) {
      if (!(await this.#step(end))) {
        throw new VirtualTimeoutError(`Not within ${withinMs} ms of virtual time: ${what}`)
      }
      if (everyMs > 0) await this.advance(Math.min(everyMs, end - this.#now))
    }
  }

  /**
   * Waits for a promise while time goes on.
   *
   * @throws VirtualTimeoutError if it is not settled within the time, and what the promise rejects with.
   */
  async during<T>(
    promise: Promise<T>,
    { withinMs = 60_000, what = 'a promise is settled' } = {}
  ): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await this.until(() => settled, { withinMs, what })
    return await promise
  }

  /** Runs the timers of the next instant; false if there is none before the end. */
  async #step(end: number): Promise<boolean> {
    const next = this.#next()
    if (next === undefined || next.at > end) return false
    this.#now = next.at
    let count = 0
    for (let timer = this.#next(); timer !== undefined && timer.at <= this.#now; timer = this.#next()) {
      if (++count > TIMERS_PER_INSTANT_MAX) {
        throw new VirtualTimeoutError('Timers of zero milliseconds go on for ever')
      }
      this.#timers.pop()
      this.#end(timer)
      timer.callback()
    }
    await this.settle()
    return true
  }

  #next(): Timer | undefined {
    for (;;) {
      const timer = this.#timers.at(-1)
      if (timer === undefined || (timer.open && !timer.scope.isDead)) return timer
      this.#timers.pop()
      if (!timer.open) this.#cleared--
    }
  }

  #end(timer: Timer): void {
    timer.open = false
    timer.scope.timers--
  }
}
