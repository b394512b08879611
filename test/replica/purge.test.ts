// A purge leaves what a replica has that never met the nodes of that DAG, and taking the DAG up again leaves what a
// replica has that met all of them: whatever the DAGs and however they arrived.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeNode } from '../../src/codec/node.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { type Bytes, block, dagName, priority, put, tombstone, utf8 } from '../codec/wire-bytes.ts'
import { anyDag, anyDelivery, type Delivery, divided, ordered, permutations } from '../crdt/dags.ts'
import { DraftReplica, hexOf, type Shown } from '../crdt/draft-replica.ts'
import { expectedOf, expectedTombstonesOf, expectTombstones } from '../crdt/expected.ts'

const DAGS = ['', 'red', 'a/b:%']

const dagOf = (block: Uint8Array): string => decodeNode(blockId(block), block).delta.dagName

async function deliver(
  replica: DraftReplica,
  blocks: readonly Uint8Array[],
  { ranks, cuts }: Delivery
): Promise<void> {
  for (const commit of divided(ordered(blocks, ranks), cuts)) await replica.merge(commit)
}

/** What a purge has no part in: the numbers of nodes have holes after it, and the clock never goes back. */
function comparable({ nodes: _nodes, clock: _clock, ...rest }: Shown): Omit<Shown, 'nodes' | 'clock'> {
  return rest
}

async function expectSame(replica: DraftReplica, blocks: readonly Uint8Array[]): Promise<void> {
  const expected = expectedOf(blocks)
  expect(comparable(await replica.shown())).toEqual(comparable(expected))
  expect(replica.state.committed.gaps).toBe(expected.gaps.length)
  expect((await replica.blocks()).map(blockId).sort()).toEqual(blocks.map(blockId).sort())
  await expectTombstones(replica, expectedTombstonesOf(blocks))
}

describe('a purge of one of several DAGs', () => {
  test('leaves what the other nodes make, and what is taken up again is as if it never went', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        ...[anyDag, anyDelivery(), anyDelivery(), fc.constantFrom(...DAGS)],
        async (dag, one, other, dagName) => {
          const rest = dag.filter((block) => dagOf(block) !== dagName)
          let replica = await DraftReplica.open()
          await deliver(replica, dag, one)
          await replica.purge(dagName)
          await expectSame(replica, rest)
          expect(await idleRows(replica)).toEqual(await idleRows(await freshReplica(dag, rest, one)))
          // What is in memory is what was committed.
          replica = await replica.reopened()
          await expectSame(replica, rest)
          await deliver(replica, dag, other)
          await expectSame(replica, dag)
        }
      ),
      { numRuns: 100 }
    )
  })

  test('after another leaves what the third makes, whichever went first', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        ...[anyDag, anyDelivery(), anyDelivery(), fc.shuffledSubarray(DAGS, { minLength: 2 })],
        async (dag, one, other, purged) => {
          const replica = await DraftReplica.open()
          await deliver(replica, dag, one)
          for (const [index, dagName] of purged.entries()) {
            await replica.purge(dagName)
            const gone = purged.slice(0, index + 1)
            await expectSame(
              replica,
              dag.filter((block) => !gone.includes(dagOf(block)))
            )
          }
          await deliver(replica, dag, other)
          await expectSame(replica, dag)
        }
      ),
      { numRuns: 60 }
    )
  })

  test('tells each key that has another value, with the old and the new one', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(anyDag, anyDelivery(), fc.constantFrom(...DAGS), async (dag, delivery, dagName) => {
        const replica = await DraftReplica.open()
        await deliver(replica, dag, delivery)
        const before = await replica.shown()
        const commits = await replica.purge(dagName)
        const after = await replica.shown()
        const told = commits.flatMap(({ changes }) =>
          changes.map(({ key, value, previous }) => [key, previous && hexOf(previous), value && hexOf(value)])
        )
        const keys = [...new Set([...Object.keys(before.winners), ...Object.keys(after.winners)])]
        const changed = keys.filter((key) => before.winners[key] !== after.winners[key])
        expect(told.sort()).toEqual(changed.map((key) => [key, before.state[key], after.state[key]]).sort())
        const heads = commits.flatMap(({ headsAdded, headsRemoved }) => [...headsAdded, ...headsRemoved])
        expect(heads.map(({ dagName }) => dagName)).toEqual((before.heads[dagName] ?? []).map(() => dagName))
        const opened = commits.flatMap(({ gapsOpened, gapsClosed }) => gapsOpened.length - gapsClosed.length)
        expect(opened.reduce((sum, count) => sum + count, before.gaps.length)).toBe(after.gaps.length)
      }),
      { numRuns: 60 }
    )
  })
})

describe('an element', () => {
  const element = block([put('/k', 'v'), priority(1), dagName('red')])
  const removal = (dag: string, at: number): Bytes =>
    block([tombstone('/k', blockId(element)), priority(at), ...(dag === '' ? [] : [dagName(dag)])])

  test('that another DAG removed does not come back when its own is purged and taken up again', async () => {
    for (const order of permutations([element, removal('blue', 2)])) {
      const replica = await DraftReplica.open()
      for (const one of order) await replica.merge([one])
      await replica.purge('red')
      await replica.merge([element])
      expect((await replica.shown()).state).toEqual({})
      await replica.purge('blue')
      expect((await replica.shown()).state).toEqual({ '/k': hexOf(utf8('v')) })
    }
  })

  test('that its own DAG removed too does not come back when the other one is purged', async () => {
    const [own, blue, none] = [removal('red', 2), removal('blue', 3), removal('', 4)] as [Bytes, Bytes, Bytes]
    for (const order of permutations([element, own, blue, none])) {
      const replica = await DraftReplica.open()
      for (const one of order) await replica.merge([one])
      for (const dag of ['blue', '']) {
        await replica.purge(dag)
        expect((await replica.shown()).state).toEqual({})
      }
      expect(await replica.tombstones()).toEqual([])
      await replica.purge('red')
      expect((await replica.shown()).nodes).toBe(4)
      expect(await replica.blocks()).toEqual([])
    }
  })

  test('that several nodes of the purged DAG removed comes back once', async () => {
    const replica = await DraftReplica.open()
    await replica.merge([element, removal('blue', 2), removal('blue', 3)])
    const commits = await replica.purge('blue')
    expect(commits.flatMap(({ changes }) => changes)).toHaveLength(1)
    expect(await replica.shown()).toMatchObject({ state: { '/k': hexOf(utf8('v')) }, elements: 1, keys: 1 })
  })
})

/** A replica that merged the rest of the blocks in the order in which they were delivered with the others. */
async function freshReplica(
  dag: readonly Uint8Array[],
  rest: readonly Uint8Array[],
  { ranks }: Delivery
): Promise<DraftReplica> {
  const replica = await DraftReplica.open()
  for (const one of ordered(dag, ranks)) if (rest.includes(one)) await replica.merge([one])
  return replica
}

/** The tombstones that it remembers, with those that are of no consequence. */
async function idleRows(replica: DraftReplica): Promise<string[]> {
  return (await replica.tombstones()).map((one) => JSON.stringify(one)).sort()
}
