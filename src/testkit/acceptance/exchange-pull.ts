/**
 * The part of the acceptance suite of exchanges that is about `pull` and about what peers tell of themselves.
 *
 * Invariant: a pull may bring more than is lacking, since what two replicas have in common is found by trying; but not
 * everything, and it brings all that is lacking.
 */
import assert from 'node:assert/strict'
import { blockIdOf } from '../../codec/block-id.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { ReceivedBlock } from '../../replica/ports.ts'
import type { Group, InGroup } from './exchange-group.ts'

/** Blocks that together are more than any window between two nodes. */
const LARGE = { blocks: 48, bytes: 1_048_576 }
/** Requests that are answered while a reader takes its time. */
const ROUNDS_MEANWHILE = 8

/** Defines the tests. */
export function testPulling(inGroup: InGroup): void {
  const whereItPulls: InGroup = (name, count, run) => {
    inGroup(name, count, async (group) => {
      if (group.exchange(0).pull !== undefined) await run(group)
    })
  }
  testClaims(whereItPulls)
  testStreams(whereItPulls)
  testPullEndings(whereItPulls)
}

/** Ids of what came; each has to come after those of its links that come too or were there before. */
async function idsInOrder(group: Group, blocks: readonly ReceivedBlock[]): Promise<Set<BlockId>> {
  const there = new Set(group.replica(0).ids())
  const came = new Set<BlockId>()
  for (const { bytes, from } of blocks) {
    const id = await blockIdOf(bytes)
    for (const link of group.replica(1).linksOf(id)) {
      assert.ok(came.has(link) || there.has(link), 'ancestors come first')
    }
    assert.equal(from, group.name(1))
    came.add(id)
  }
  return came
}

function testClaims(whereItPulls: InGroup): void {
  whereItPulls('tells each peer what the other has, on connecting', 2, async (group) => {
    await group.replica(0).writeMany('a', 2)
    await group.replica(1).writeMany('b', 3)
    await group.replica(1).write('other', { dagName: 'other' })
    await group.meet()
    for (const [one, other] of [[0, 1] as const, [1, 0] as const]) {
      await group.until(() => group.replica(one).claims.length > 0)
      const { peer, claim } = group.replica(one).claims[0] as { peer: string; claim: { heads: object[] } }
      assert.equal(peer, group.name(other))
      const { heads, generation, sequence } = group.replica(other).snapshot()
      const { heads: told, ...rest } = claim as unknown as ReturnType<Group['replicas'][number]['snapshot']>
      assert.deepEqual(told, heads)
      assert.deepEqual([rest.generation, rest.sequence], [generation, sequence])
    }
  })
}

function testStreams(whereItPulls: InGroup): void {
  whereItPulls('pulls everything from nothing, ancestors first', 2, async (group) => {
    await group.replica(1).writeMany('b', 300)
    await group.meet()
    const { blocks, error } = await group.read(group.pull())
    assert.equal(error, undefined)
    assert.deepEqual([...(await idsInOrder(group, blocks))].sort(), group.replica(1).ids().sort())
  })

  whereItPulls('pulls what is lacking, and not everything, where both have written', 2, async (group) => {
    await group.replica(1).writeMany('common', 300)
    group.replica(0).copyFrom(group.replica(1))
    await group.replica(0).writeMany('a', 20)
    await group.replica(1).writeMany('b', 30)
    await group.meet()
    const { blocks, error } = await group.read(group.pull())
    assert.equal(error, undefined)
    const came = await idsInOrder(group, blocks)
    for (const id of group.replica(1).ids()) assert.ok(came.has(id) || group.replica(0).has(id))
    assert.ok(blocks.length < 300, `${blocks.length} blocks came, and 30 were lacking`)
    const again = await group.read(group.pull())
    assert.ok(again.blocks.length < 300)
  })

  whereItPulls('pulls on where a pull was broken off', 2, async (group) => {
    await group.replica(1).writeMany('b', 1500)
    await group.meet()
    const someOf = async (): Promise<void> => {
      for await (const { bytes } of group.pull()()) {
        await group.replica(0).apply(bytes)
        if (group.replica(0).log.length === 1000) break
      }
    }
    await group.run(someOf())
    const { blocks } = await group.read(group.pull())
    const came = await idsInOrder(group, blocks)
    for (const id of group.replica(1).ids()) assert.ok(came.has(id) || group.replica(0).has(id))
    assert.ok(blocks.length < 1000, `${blocks.length} blocks came, and 500 were lacking`)
  })

  whereItPulls('reads no more ahead of a slow reader than there is room for', 2, async (group) => {
    const { blocks: count, bytes: size } = LARGE
    for (let index = 0; index < count; index++) await group.replica(1).write(`large${index}`, { size })
    await group.meet()
    let readAhead = 0
    const slowly = async (blocks: number): Promise<void> => {
      if (blocks !== 1) return
      // An answer to each of these comes after whatever could have come by then.
      for (let round = 0; round < ROUNDS_MEANWHILE; round++) {
        for await (const _ of group.fetch(group.replica(1).ids().slice(0, 1))());
      }
      readAhead = group.replica(1).asked - ROUNDS_MEANWHILE
    }
    const { reading, ended } = group.begin(group.pull(), slowly)
    await group.run(ended)
    assert.equal(reading.error, undefined)
    assert.equal(reading.blocks.length, count)
    assert.ok(readAhead < count, `all ${count} blocks were read while the reader had one`)
  })
}

function testPullEndings(whereItPulls: InGroup): void {
  whereItPulls('ends a pull as soon as its signal is aborted', 2, async (group) => {
    await group.replica(1).writeMany('b', 50)
    await group.meet()
    group.replica(1).hold()
    const controller = new AbortController()
    const { ended } = group.begin(group.pull(controller.signal))
    await group.until(() => group.replica(1).asked > 0)
    controller.abort(new Error('enough'))
    await group.run(ended)
  })

  whereItPulls('ends a pull from a peer that goes away', 2, async (group) => {
    await group.replica(1).writeMany('b', 50)
    await group.meet()
    group.replica(1).hold()
    const { ended } = group.begin(group.pull())
    await group.until(() => group.replica(1).asked > 0)
    await group.run(group.init.disconnect(0, 1))
    await group.run(ended)
  })

  whereItPulls('ends a pull from a peer that is not there', 2, async (group) => {
    await group.run(group.exchange(0).start(group.replica(0)))
    const { blocks } = await group.read(group.pull())
    assert.deepEqual(blocks, [])
  })

  whereItPulls('ends a pull when it is stopped', 2, async (group) => {
    await group.replica(1).writeMany('b', 50)
    await group.meet()
    group.replica(1).hold()
    const { ended } = group.begin(group.pull())
    await group.until(() => group.replica(1).asked > 0)
    await group.run(group.exchange(0).stop())
    await group.run(ended)
    assert.ok(!group.exchange(0).canPull?.(group.name(1)))
  })
}
