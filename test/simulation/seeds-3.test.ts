// A quarter of the 1,000 seeds that every run of the tests lives through, so that threads can share them.
import { test } from 'vitest'
import { liveThrough } from './live-through.ts'

test('seeds 501 to 750 lead to replicas that are equal, and right', async () => {
  await liveThrough(501, 250)
}, 1_800_000)
