// The clock of the machine: its timers run, can be cleared, and keep no process alive that has nothing else to do.
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/libp2p/system-clock.ts'

test('a timer of the real clock does not keep a process alive', () => {
  const timer = systemClock.setTimeout(() => {}, 1000) as NodeJS.Timeout
  expect(timer.hasRef()).toBe(false)
  systemClock.clearTimeout(timer)
})

test('a turn that takes no time is waited for, or a process would end in the middle of its work', () => {
  const timer = systemClock.setTimeout(() => {}, 0) as NodeJS.Timeout
  expect(timer.hasRef()).toBe(true)
  systemClock.clearTimeout(timer)
})

test('a timer that was cleared does not run, and one that was not runs once', () => {
  vi.useFakeTimers()
  try {
    const ran: string[] = []
    systemClock.clearTimeout(systemClock.setTimeout(() => ran.push('cleared'), 10))
    systemClock.setTimeout(() => ran.push('left'), 10)
    systemClock.clearTimeout(undefined)
    vi.advanceTimersByTime(100)
    expect(ran).toEqual(['left'])
  } finally {
    vi.useRealTimers()
  }
})
