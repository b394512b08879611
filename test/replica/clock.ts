// Time and chance for tests of replicas: the testkit's, with the calls that these tests make.
import type { Clock } from '../../src/index.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

export { below, seededRandom } from '../../src/testkit/seeded-random.ts'

/** Virtual time. Whatever happens between two timers happens in microtasks, so that a world is deterministic. */
export class FakeClock implements Clock {
  readonly #clock = new VirtualClock()
  readonly #scope = this.#clock.scope()

  now(): number {
    return this.#clock.now()
  }

  /** How many timers are open. */
  get timers(): number {
    return this.#scope.timers
  }

  setTimeout(callback: () => void, ms: number): unknown {
    return this.#scope.setTimeout(callback, ms)
  }

  clearTimeout(timer: unknown): void {
    this.#scope.clearTimeout(timer)
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await this.#clock.settle()
  }

  /** Moves time on, timer by timer. */
  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms)
  }

  /** Moves time on until a condition holds, which is looked at every so often; fails if it does not within a time. */
  async until(condition: () => unknown, withinMs = 60_000, everyMs = 0): Promise<void> {
    const what = String(condition)
    await this.#clock.until(async () => Boolean(await condition()), { withinMs, everyMs, what })
  }

  /** Waits for a promise while time goes on. */
  async during<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    return await this.#clock.during(promise, { withinMs })
  }
}
