// What is sent is exactly what is not below common ground, whatever the history looks like.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BlockId } from '../../src/crdt/delta.ts'
import { rowsNotBelow } from '../../src/libp2p/sync/common-ground.ts'
import { Negotiation } from '../../src/libp2p/sync/negotiation.ts'
import { RowSet } from '../../src/libp2p/sync/row-set.ts'
import { systemClock } from '../../src/libp2p/system-clock.ts'
import { defaultLimits } from '../../src/options.ts'
import { FakeReplica } from './fake-replica.ts'

/** Nodes that link to random earlier ones, with as many as there are numbers. */
async function randomHistory(choices: number[][], replica = new FakeReplica()): Promise<FakeReplica> {
  for (const [index, choice] of choices.entries()) {
    const links = [...new Set(choice.map((back) => replica.log[replica.log.length - 1 - back]?.id))]
    await replica.write(`${replica.generation}-${index}`, { links: links.filter((id) => id !== undefined) })
  }
  return replica
}

function belowOrEqual(replica: FakeReplica, ids: Iterable<BlockId>): Set<BlockId> {
  const found = new Set<BlockId>()
  const queue = [...ids]
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (found.has(id)) continue
    found.add(id)
    queue.push(...replica.linksOf(id))
  }
  return found
}

async function search(replica: FakeReplica, common: BlockId[], top = replica.log.length): Promise<number[]> {
  const rows = new Map<BlockId, number>()
  for (const id of common) rows.set(id, (await replica.sequenceOf(id))!)
  const heads = replica.snapshot().heads.map(({ id }) => id)
  const found = await rowsNotBelow({
    log: replica,
    top,
    heads,
    common: rows,
    ignoredDags: new Set(replica.ignoredDags),
    breathe: () => undefined
  })
  return [...found]
}

/** A negotiation with an answerer that knows what a replica has. */
async function negotiate(asker: FakeReplica, answerer: FakeReplica) {
  const negotiation = new Negotiation({
    view: asker,
    claim: answerer.snapshot(),
    limits: defaultLimits,
    clock: systemClock,
    throwIfAborted: () => {}
  })
  const common = new Set<BlockId>()
  let offer = await negotiation.first()
  let rounds = 1
  let offered = 0
  while (!offer.final) {
    const ids = [...offer.have, ...offer.samples]
    offered += ids.length
    const known = [...ids.keys()].filter((index) => answerer.has(ids[index]!))
    for (const index of known) common.add(ids[index]!)
    if (offer.have.length > 0 && offer.have.every((id) => answerer.has(id))) break
    offer = await negotiation.next(known)
    rounds++
  }
  return { common: [...common], rounds, offered }
}

const historyArbitrary = fc.array(fc.array(fc.nat(6), { maxLength: 3 }), { minLength: 1, maxLength: 60 })

describe('rows not below common ground', () => {
  test('are exactly the nodes that are neither common nor ancestors of something common', async () => {
    await fc.assert(
      fc.asyncProperty(historyArbitrary, fc.array(fc.nat(59), { maxLength: 5 }), async (choices, picks) => {
        const replica = await randomHistory(choices)
        const common = picks.flatMap((pick) => replica.log[pick]?.id ?? [])
        const below = belowOrEqual(replica, common)
        const expected = replica.log.filter(({ id }) => !below.has(id)).map(({ sequence }) => sequence)
        expect(await search(replica, common)).toEqual(expected)
      }),
      { numRuns: 100 }
    )
  })

  test('nodes newer than the snapshot are not sent, but what is below them is known to be common', async () => {
    const replica = new FakeReplica()
    await replica.writeMany('a', 10)
    const heads = replica.snapshot().heads
    const later = await replica.write('later')
    replica.snapshot = () => ({ ...FakeReplica.prototype.snapshot.call(replica), heads })
    expect(await search(replica, [later], 10)).toEqual([])
    expect(await search(replica, [replica.log[4]!.id], 10)).toEqual([6, 7, 8, 9, 10])
  })

  test('a gap does not keep the search going to the start', async () => {
    const replica = new FakeReplica()
    await replica.writeMany('a', 3000)
    const absent = await new FakeReplica().write('absent')
    await replica.write('above the gap', { links: [replica.log[2999]!.id, absent] })
    let read = 0
    const readLogBackwards = replica.readLogBackwards.bind(replica)
    replica.readLogBackwards = async function* (from, to) {
      for await (const entry of readLogBackwards(from, to)) {
        read++
        yield entry
      }
    }
    expect(await search(replica, [replica.log[2999]!.id])).toEqual([3001])
    expect(read).toBeLessThan(1100)
  })

  test('where a gap was closed later nothing is missing', async () => {
    const author = new FakeReplica()
    await author.writeMany('a', 6)
    const replica = new FakeReplica()
    replica.copyFrom(author, ({ sequence }) => sequence !== 3)
    replica.copyFrom(author)
    const found = await search(replica, [author.log[3]!.id])
    expect(found).toEqual(expect.arrayContaining([4, 5]))
  })

  test('rows of ignored DAGs are left out', async () => {
    const replica = new FakeReplica()
    await replica.writeMany('a', 3)
    await replica.writeMany('b', 3, 'noise')
    await replica.writeMany('c', 3)
    replica.ignoredDags = ['noise']
    expect(await search(replica, [replica.log[1]!.id])).toEqual([3, 7, 8, 9])
  })
})

describe('finding common ground', () => {
  test('finds all of it but for a little, between replicas that wrote apart', async () => {
    await fc.assert(
      fc.asyncProperty(historyArbitrary, historyArbitrary, historyArbitrary, async (past, left, right) => {
        const alice = await randomHistory(past)
        const bob = new FakeReplica()
        bob.copyFrom(alice)
        await randomHistory(left, alice)
        await randomHistory(right, bob)
        const { common } = await negotiate(bob, alice)
        const sent = await search(alice, common)
        const missing = alice.log.filter(({ id }) => !bob.has(id)).map(({ sequence }) => sequence)
        expect(sent).toEqual(expect.arrayContaining(missing))
      }),
      { numRuns: 60 }
    )
  })

  test.each([
    { past: 100, apart: 10 },
    { past: 4000, apart: 10 },
    { past: 4000, apart: 1000 }
  ])('takes few rounds with $past nodes in common and $apart new on each side', async ({ past, apart }) => {
    const alice = new FakeReplica()
    await alice.writeMany('past', past)
    const bob = new FakeReplica()
    bob.copyFrom(alice)
    await alice.writeMany('alice', apart)
    await bob.writeMany('bob', apart)
    const { common, rounds, offered } = await negotiate(bob, alice)
    const sent = await search(alice, common)
    expect(sent.length - apart).toBeLessThanOrEqual(64)
    expect(rounds).toBeLessThanOrEqual(4)
    expect(offered).toBeLessThan(200)
  })

  test('a quiet DAG in which both wrote is not sent as a whole', async () => {
    const alice = new FakeReplica()
    await alice.writeMany('quiet', 2000, 'quiet')
    await alice.writeMany('busy', 2000)
    const bob = new FakeReplica()
    bob.copyFrom(alice)
    for (const replica of [alice, bob]) {
      await replica.writeMany(`${replica.generation} quiet`, 10, 'quiet')
      await replica.writeMany(`${replica.generation} busy`, 10)
    }
    const { common, rounds } = await negotiate(bob, alice)
    expect((await search(alice, common)).length).toBeLessThanOrEqual(20 + 64)
    expect(rounds).toBeLessThanOrEqual(5)
  })

  test('with nothing in common ends soon', async () => {
    const alice = new FakeReplica()
    const bob = new FakeReplica()
    await alice.writeMany('alice', 1000)
    await bob.writeMany('bob', 1000)
    const { common, rounds } = await negotiate(bob, alice)
    expect(common).toEqual([])
    expect(rounds).toBeLessThanOrEqual(4)
  })

  test('nothing above a gap is ever offered', async () => {
    const alice = new FakeReplica()
    await alice.writeMany('a', 500)
    const bob = new FakeReplica()
    bob.copyFrom(alice)
    bob.groundLimit = 100
    const { common } = await negotiate(bob, alice)
    const rows = await Promise.all(common.map((id) => bob.sequenceOf(id)))
    expect(Math.max(...rows.map((row) => row!))).toBe(99)
  })

  test('an empty replica offers nothing', async () => {
    const alice = new FakeReplica()
    await alice.writeMany('a', 5)
    expect(await negotiate(new FakeReplica(), alice)).toEqual({ common: [], rounds: 1, offered: 0 })
  })
})

describe('a set of rows', () => {
  test('holds what was added, in order, and in spans', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100_000)), fc.nat(20), (rows, between) => {
        const set = new RowSet()
        for (const row of rows) set.add(row)
        const sorted = [...rows].sort((a, b) => a - b)
        expect([...set]).toEqual(sorted)
        expect(set.size).toBe(rows.length)
        const spans = [...set.spans(between)]
        expect(sorted.every((row) => spans.some(({ from, to }) => from <= row && row <= to))).toBe(true)
        for (const [index, { from }] of spans.entries()) {
          if (index > 0) expect(from - spans[index - 1]!.to - 1).toBeGreaterThan(between)
        }
        expect(sorted.every((row) => set.has(row) && (rows.includes(row + 1) || !set.has(row + 1)))).toBe(
          true
        )
      })
    )
  })
})
