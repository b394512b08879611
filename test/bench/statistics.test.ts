// The statistics of the benchmarks.
import { expect, test } from 'vitest'
import { median, percentile } from '../../bench/statistics.ts'

test('the median is the middle value, or the mean of the two in the middle', () => {
  expect(median([5, 1, 3])).toBe(3)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
  expect(median([])).toBeNaN()
})

test('the median does not care for one that is far out, and leaves the values as they were', () => {
  const values = [1_000_000, 2, 1, 3, 2]
  expect(median(values)).toBe(2)
  expect(values[0]).toBe(1_000_000)
})

test('a percentile is the nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(percentile(values, 99)).toBe(99)
  expect(percentile(values, 100)).toBe(100)
  expect(percentile(values, 0)).toBe(1)
  expect(percentile([10, 20], 50)).toBe(10)
  expect(percentile([], 99)).toBeNaN()
})
