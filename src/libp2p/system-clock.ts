/**
 * The clock of the machine, for those who give none.
 */
import type { Clock } from '../replica/ports.ts'

/**
 * Real time. Its timers keep no process alive, where the platform can tell, but for those of no time at all: they
 * stand between two slices of work that somebody waits for, and a process must not end in the middle of that.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout(callback, ms) {
    const timer: unknown = setTimeout(callback, ms)
    // Browsers have numbers for timers, and no process to keep alive.
    if (ms > 0 && typeof timer === 'object') (timer as { unref?(): void }).unref?.()
    return timer
  },
  clearTimeout(timer) {
    clearTimeout(timer as ReturnType<typeof setTimeout>)
  }
}
