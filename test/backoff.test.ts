// Pauses before retries: they double up to a cap, and are spread by 30% either way.
import { describe, expect, test } from 'vitest'
import { backoffMs, jittered } from '../src/backoff.ts'

describe('backoff', () => {
  test('doubles with every failure up to the cap', () => {
    const pauses = [1, 2, 3, 4, 5, 6].map((failures) => backoffMs(failures, 100, 1000, () => 0.5))
    expect(pauses).toEqual([100, 200, 400, 800, 1000, 1000])
  })

  test('is a number after any number of failures', () => {
    expect(backoffMs(10_000, 100, 1000, () => 0.5)).toBe(1000)
  })

  test('is spread by 30% either way', () => {
    expect(jittered(1000, () => 0)).toBeCloseTo(700)
    expect(jittered(1000, () => 0.999999)).toBeCloseTo(1300, 2)
    expect(backoffMs(20, 100, 1000, () => 0)).toBeCloseTo(700)
  })
})
