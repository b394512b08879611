// Time that passes when a test says so.
import type { Clock } from '../../src/replica/ports.ts'

export class ManualClock implements Clock {
  #now = 0
  #next = 1
  readonly #timers = new Map<number, { at: number; callback: () => void }>()

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number): number {
    this.#timers.set(this.#next, { at: this.#now + ms, callback })
    return this.#next++
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number)
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Lets time pass, and between two timers whatever waits for something else than time. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at || a[0] - b[0])
      const [first] = due
      if (first === undefined) break
      const [id, { at, callback }] = first
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, at)
      callback()
      await settle()
    }
    this.#now = end
  }
}

/** Until promises that wait for nothing have all run. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
