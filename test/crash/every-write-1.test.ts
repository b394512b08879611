// A crash at every write of 100 histories, local, received and mixed, over every kind of disk; half of the 200 that a run
// of all tests goes through, so that two threads share them.
import { expect, test } from 'vitest'
import { crashHistories } from './histories.ts'

test('nothing that was acknowledged is lost, and nothing is half done, wherever a process dies', async () => {
  const { histories, points } = await crashHistories(1, 100)
  expect(histories).toBe(100)
  // Without writes there would be no points, and without points nothing would have been shown.
  expect(points).toBeGreaterThan(1000)
}, 1_800_000)
