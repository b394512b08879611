// As many are read at once as take a megabyte, as far as the last ones tell.
import { expect, test } from 'vitest'
import { nextHandSize } from '../../src/storage/hand-size.ts'

const MIB = 2 ** 20

test.each([
  ['small ones', 64, 6400, 64, 64],
  ['ones of 100 KB', 10, 1_000_000, 64, 10],
  ['ones larger than a megabyte', 3, 6 * MIB, 64, 1],
  ['nothing, after holes', 0, 0, 64, 64],
  ['ones without a byte', 128, 0, 128, 128]
])('after %s', (_what, count, bytes, countMax, expected) => {
  expect(nextHandSize(count, bytes, countMax)).toBe(expected)
})
