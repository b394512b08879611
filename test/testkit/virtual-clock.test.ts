// Virtual time: timers run in order, actors die with theirs, and waiting ends.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

describe('timers', () => {
  test('run at their instants, and those of one instant in the order in which they were set', async () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    const set = (name: string, ms: number) => clock.setTimeout(() => ran.push(`${name} ${clock.now()}`), ms)
    for (const [name, ms] of [
      ['c', 20],
      ['a', 10],
      ['d', 20],
      ['b', 10],
      ['e', 20.5]
    ] as const)
      set(name, ms)
    await clock.advance(15)
    expect(ran).toEqual(['a 10', 'b 10'])
    expect(clock.now()).toBe(15)
    await clock.advance(100)
    expect(ran).toEqual(['a 10', 'b 10', 'c 20', 'd 20', 'e 20.5'])
    expect(clock.now()).toBe(115)
  })

  test('that are set within an instant run in it, after those that are there', async () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    clock.setTimeout(() => {
      ran.push('first')
      clock.setTimeout(() => ran.push('third'), 0)
    }, 5)
    clock.setTimeout(() => ran.push('second'), 5)
    await clock.advance(5)
    expect(ran).toEqual(['first', 'second', 'third'])
  })

  test('that are cleared do not run, and clearing what is not there does nothing', async () => {
    const clock = new VirtualClock()
    let ran = 0
    const timer = clock.setTimeout(() => ran++, 1)
    clock.clearTimeout(timer)
    clock.clearTimeout(timer)
    clock.clearTimeout(undefined)
    await clock.advance(10)
    expect(ran).toBe(0)
  })

  test('need a finite time from 0 on', () => {
    const clock = new VirtualClock()
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => clock.setTimeout(() => {}, ms)).toThrow(RangeError)
    }
  })

  test('everything that follows from one instant happens before the next', async () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    clock.setTimeout(async () => {
      for (let turn = 0; turn < 100; turn++) await undefined
      seen.push(clock.now())
    }, 1)
    clock.setTimeout(() => seen.push(clock.now()), 2)
    await clock.advance(10)
    expect(seen).toEqual([1, 2])
  })

  test('of zero milliseconds in a circle are found out', async () => {
    const clock = new VirtualClock()
    const again = (): unknown => clock.setTimeout(again, 0)
    again()
    await expect(clock.advance(1)).rejects.toMatchObject({ name: 'VirtualTimeoutError' })
  })
})

describe('scopes', () => {
  test('count their own timers', async () => {
    const clock = new VirtualClock()
    const [alice, bob] = [clock.scope(), clock.scope()]
    const timer = alice.setTimeout(() => {}, 10)
    alice.setTimeout(() => {}, 20)
    bob.setTimeout(() => {}, 10)
    expect([alice.timers, bob.timers]).toEqual([2, 1])
    alice.clearTimeout(timer)
    expect(alice.timers).toBe(1)
    await clock.advance(30)
    expect([alice.timers, bob.timers]).toEqual([0, 0])
  })

  test('that are killed run nothing any more, while time goes on for others', async () => {
    const clock = new VirtualClock()
    const [alice, bob] = [clock.scope(), clock.scope()]
    const ran: string[] = []
    alice.setTimeout(() => ran.push('alice'), 10)
    bob.setTimeout(() => ran.push('bob'), 10)
    alice.kill()
    alice.setTimeout(() => ran.push('alice, later'), 1)
    await clock.advance(20)
    expect(ran).toEqual(['bob'])
    expect(alice.isDead).toBe(true)
    expect(alice.now()).toBe(20)
  })
})

describe('waiting', () => {
  test('goes on to the instant in which a condition holds, and no further', async () => {
    const clock = new VirtualClock()
    let done = false
    clock.setTimeout(() => (done = true), 40)
    clock.setTimeout(() => {}, 50)
    await clock.until(() => done)
    expect(clock.now()).toBe(40)
  })

  test('for what never comes ends with the time, and says what it was', async () => {
    const clock = new VirtualClock()
    const waiting = clock.until(() => false, { withinMs: 100, what: 'the moon rises' })
    await expect(waiting).rejects.toThrow('Not within 100 ms of virtual time: the moon rises')
  })

  test('for a promise gives what it gives, also an error', async () => {
    const clock = new VirtualClock()
    const later = new Promise<number>((resolve) => clock.setTimeout(() => resolve(7), 1000))
    expect(await clock.during(later)).toBe(7)
    await expect(clock.during(Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(clock.during(new Promise(() => {}), { withinMs: 5 })).rejects.toThrow('Not within 5 ms')
  })
})
