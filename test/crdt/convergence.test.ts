// Convergence: whatever the DAG and however its blocks arrive, a replica holds exactly what the oracle says of the
// blocks that it has merged. From that it follows that the merge is commutative, associative and idempotent; the
// tests below name these too, so that a failure says which.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { anyDag, anyDelivery, type Delivery, divided, FEATURE, ordered } from './dags.ts'
import { DraftReplica } from './draft-replica.ts'
import { expectEqual, expectedOf, expectedTombstonesOf, expectTombstones } from './expected.ts'

/** Merges blocks in the way of a delivery. */
async function delivered(
  blocks: readonly Uint8Array[],
  { ranks, cuts, restarts }: Delivery
): Promise<DraftReplica> {
  let replica = await DraftReplica.open()
  for (const [index, commit] of divided(ordered(blocks, ranks), cuts).entries()) {
    await replica.merge(commit)
    if (restarts[index % restarts.length]) replica = await replica.reopened()
  }
  return replica
}

const AT_ONCE = { ranks: [0], cuts: [false], restarts: [false] }

describe('any DAG', () => {
  test('gives what the oracle says, in every order, in commits of every size, with restarts', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), anyDelivery(), async (dag, one, other) => {
        const expected = expectedOf(dag)
        const tombstones = expectedTombstonesOf(dag)
        for (const delivery of [AT_ONCE, one, other]) {
          const replica = await delivered(dag, delivery)
          await expectEqual(replica, expected)
          await expectTombstones(replica, tombstones)
          // What is in memory is what was committed.
          if (delivery === one) await expectEqual(await replica.reopened(), expected)
        }
      }),
      { numRuns: 40 }
    )
  })

  test('gives what the oracle says of what was merged so far, after every commit', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), async (dag, { ranks, cuts }) => {
        const replica = await DraftReplica.open()
        const merged: Uint8Array[] = []
        for (const commit of divided(ordered(dag, ranks), cuts)) {
          await replica.merge(commit)
          merged.push(...commit)
          await expectEqual(replica, expectedOf(merged))
        }
      }),
      { numRuns: 40 }
    )
  })

  test('is merged once, however often its blocks arrive: the merge is idempotent', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), anyDelivery(), async (dag, one, other) => {
        const replica = await delivered(dag, one)
        const before = await replica.shown()
        for (const commit of divided(ordered(dag, other.ranks), other.cuts))
          expect(await replica.merge([...commit, ...commit])).toBeUndefined()
        expect(await replica.shown()).toEqual(before)
        const twice = await DraftReplica.open()
        await twice.merge([...dag, ...ordered(dag, other.ranks)])
        expect(await twice.shown()).toEqual(before)
      }),
      { numRuns: 30 }
    )
  })

  test('may be merged in parts that go between replicas: the merge is associative', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), async (dag, { ranks, cuts }) => {
        const expected = expectedOf(dag)
        // Two replicas with a part each give each other all they have.
        const [left, right] = [await DraftReplica.open(), await DraftReplica.open()]
        for (const [index, part] of divided(ordered(dag, ranks), cuts).entries())
          await (index % 2 === 0 ? left : right).merge(part)
        const [fromLeft, fromRight] = [await left.blocks(), await right.blocks()]
        await left.merge(fromRight)
        await right.merge(fromLeft)
        await expectEqual(left, expected)
        await expectEqual(right, expected)
      }),
      { numRuns: 40 }
    )
  })

  test('with features gives the same whenever a replica learns of them', { timeout: 30_000 }, async () => {
    const known = new Set([FEATURE])
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), fc.nat({ max: 10 }), async (dag, { ranks, cuts }, upgrade) => {
        const always = await DraftReplica.open(undefined, known)
        await always.merge(dag)
        let later = await DraftReplica.open()
        const commits = divided(ordered(dag, ranks), cuts)
        for (const commit of commits.slice(0, upgrade)) await later.merge(commit)
        later = await later.reopened(known)
        await later.runDeferred()
        for (const commit of commits.slice(upgrade)) await later.merge(commit)
        expect(await later.shown()).toEqual(await always.shown())
      }),
      { numRuns: 40 }
    )
  })
})

describe('several writers', () => {
  const key = fc.constantFrom('/k', '/k/l', '/kl')
  const operation = fc.oneof(
    fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 2 }) }),
    fc.record({ type: fc.constant('delete' as const), key })
  )
  const replicaIndex = fc.nat({ max: 2 })
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('write' as const),
        at: replicaIndex,
        dagName: fc.constantFrom('', '', '', 'red'),
        operations: fc.array(operation, { minLength: 1, maxLength: 3 }),
        // So small that some batches become several nodes.
        deltaBytesMax: fc.constantFrom(1024 * 1024, 100)
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('send' as const),
        from: replicaIndex,
        to: replicaIndex,
        ranks: fc.array(fc.nat({ max: 99 }), { minLength: 5, maxLength: 5 }),
        count: fc.integer({ min: 1, max: 6 })
      })
    }
  )

  test('that send each other some blocks in some order converge, and read back what they wrote', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const replicas = await Promise.all([0, 1, 2].map(async () => await DraftReplica.open()))
        const written = new Map<string, Uint8Array>()
        for (const each of steps) {
          if (each.type === 'send') {
            const missing = ordered(await replicas[each.from]!.blocks(), each.ranks).slice(0, each.count)
            await replicas[each.to]!.merge(missing)
            continue
          }
          const { operations, dagName, deltaBytesMax } = each
          const replica = replicas[each.at]!
          const blocks = await replica.write(operations, { dagName, limits: { deltaBytesMax } })
          for (const block of blocks) written.set(blockId(block), block)
          const last = new Map(operations.map((one) => [one.key, one]))
          for (const [key, one] of last)
            expect(await replica.value(key)).toEqual(
              one.type === 'put' ? Uint8Array.from(one.value) : undefined
            )
          await expectEqual(replica, expectedOf(await replica.blocks()))
        }
        const expected = expectedOf([...written.values()])
        for (const replica of replicas) {
          await replica.merge([...written.values()])
          await expectEqual(replica, expected)
          await expectTombstones(replica, expectedTombstonesOf([...written.values()]))
        }
      }),
      { numRuns: 40 }
    )
  })
})
