// The golden merges: whatever the order and the commits in which a replica gets the blocks that Go peers wrote apart
// and together, it shows what Go shows.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64, goldenMerges } from '../codec/golden.ts'
import { DraftReplica, hexOf } from './draft-replica.ts'
import { expectEqual, expectedOf } from './expected.ts'

describe('golden merges', () => {
  for (const { name, blocks, heads, state } of goldenMerges) {
    const size = blocks.size
    test(`${name}: 20 random orders give what Go shows`, async () => {
      const given = [...blocks.values()]
      const expected = expectedOf(given)
      const shown = Object.fromEntries(
        Object.entries(state).map(([key, value]) => [key, hexOf(fromBase64(value))])
      )
      expect(expected.state).toEqual(shown)
      expect(expected.heads).toEqual(
        Object.fromEntries(Object.entries(heads).map(([dagName, tips]) => [dagName, [...tips].sort()]))
      )
      const delivery = fc.record({
        order: fc.shuffledSubarray(given, { minLength: size, maxLength: size }),
        commitSize: fc.integer({ min: 1, max: size })
      })
      await fc.assert(
        fc.asyncProperty(delivery, async ({ order, commitSize }) => {
          const replica = await DraftReplica.open()
          for (let from = 0; from < size; from += commitSize)
            await replica.merge(order.slice(from, from + commitSize))
          await expectEqual(replica, expected)
        }),
        { numRuns: 20 }
      )
    })
  }
})
