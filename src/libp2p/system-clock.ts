/**
 * The clock of the machine, for those who give none.
 */
import type { Clock } from '../replica/ports.ts'

/** Real time. Its timers keep no process alive, where the platform can tell. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout(callback, ms) {
    const timer: unknown = setTimeout(callback, ms)
    // Browsers have numbers for timers, and no process to keep alive.
    if (typeof timer === 'object') (timer as { unref?(): void }).unref?.()
    return timer
  },
  clearTimeout(timer) {
    clearTimeout(timer as ReturnType<typeof setTimeout>)
  }
}

/** Real time for work that somebody waits for: a process must not end in the middle of it. */
export const attendedClock: Clock = {
  ...systemClock,
  setTimeout: (callback, ms) => setTimeout(callback, ms)
}
