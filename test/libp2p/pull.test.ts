// What one replica sends another, over streams in memory.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockIdOf } from '../../src/codec/block-id.ts'
import { decodeNode } from '../../src/codec/node.ts'
import { syncExchange } from '../../src/libp2p/index.ts'
import { ENTRIES_MAX } from '../../src/libp2p/sync/entries.ts'
import type { LimitName } from '../../src/options.ts'
import type { ReceivedBlock } from '../../src/replica/ports.ts'
import { FakeLibp2p } from './fake-libp2p.ts'
import { FakeReplica } from './fake-replica.ts'
import { ManualClock, settle } from './manual-clock.ts'

const { signal } = new AbortController()

/** Two connected stores; `pull` is of the second from the first. */
async function connect(
  alice: FakeReplica,
  bob: FakeReplica,
  limits: Partial<Record<LimitName, number>> = {}
) {
  const clock = new ManualClock()
  const [from, to] = [new FakeLibp2p('alice'), new FakeLibp2p('bob')]
  const serving = syncExchange({ libp2p: from, clock }, { topic: 'topic', limits })
  const asking = syncExchange({ libp2p: to, clock }, { topic: 'topic', limits })
  await serving.start(alice)
  await asking.start(bob)
  to.connect(from)
  await settle()
  const stop = async (): Promise<void> => {
    await Promise.all([serving.stop(), asking.stop()])
    expect(to.openStreams()).toEqual([])
    expect(clock.timers).toBe(0)
  }
  return { clock, serving, asking, stop, pull: () => asking.pull({ peer: 'alice', want: [], signal }) }
}

async function collect(blocks: AsyncIterable<ReceivedBlock>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const { bytes } of blocks) all.push(bytes)
  return all
}

async function grow(replica: FakeReplica, choices: number[][]): Promise<void> {
  for (const [index, choice] of choices.entries()) {
    const links = choice.flatMap((back) => replica.log[replica.log.length - 1 - back]?.id ?? [])
    await replica.write(`${replica.generation}-${index}`, { links: [...new Set(links)] })
  }
}

const history = fc.array(fc.array(fc.nat(6), { maxLength: 3 }), { maxLength: 150 })

describe('a pull', () => {
  test('brings everything that is lacking, each node after its ancestors, whatever the histories', async () => {
    await fc.assert(
      fc.asyncProperty(history, history, history, async (past, left, right) => {
        const [alice, bob] = [new FakeReplica(), new FakeReplica()]
        await grow(alice, past)
        bob.copyFrom(alice)
        await grow(alice, left)
        await grow(bob, right)
        const { pull, stop } = await connect(alice, bob, { syncFrameBytes: 1024, syncSamplesMax: 4 })
        for await (const { bytes } of pull()) {
          const id = await blockIdOf(bytes)
          expect(decodeNode(id, bytes).links.every((link) => bob.has(link))).toBe(true)
          await bob.apply(bytes)
        }
        expect(alice.ids().every((id) => bob.has(id))).toBe(true)
        await stop()
      }),
      { numRuns: 40 }
    )
  })

  test('brings any number of tiny nodes, in frames of no more entries than a reader takes', {
    timeout: 30_000
  }, async () => {
    const alice = new FakeReplica()
    const count = ENTRIES_MAX + 1000
    const id = await alice.write('any')
    // A frame has room for more of these than may be in one message.
    for (let sequence = 2; sequence <= count; sequence++) {
      alice.log.push({ sequence, id, bytes: Uint8Array.of(1, sequence & 255, sequence >> 8) })
    }
    const { pull, stop, asking } = await connect(alice, new FakeReplica(), {
      syncFrameBytes: 4 * 1024 * 1024
    })
    let received = 0
    for await (const _ of pull()) received++
    expect({ received, invalid: asking.counters.invalidFrames }).toEqual({ received: count, invalid: 0 })
    await stop()
  })

  test('ends with what was there when it was asked for, though the answerer goes on writing', async () => {
    const alice = new FakeReplica()
    await alice.writeMany('a', 100)
    const { pull, stop } = await connect(alice, new FakeReplica(), { syncFrameBytes: 1024 })
    let count = 0
    for await (const _ of pull()) {
      count++
      await alice.write(`later ${count}`)
    }
    expect(count).toBe(100)
    await stop()
  })

  test('brings nothing of DAGs that the asker ignores', async () => {
    const [alice, bob] = [new FakeReplica(), new FakeReplica()]
    await alice.writeMany('a', 10)
    await alice.writeMany('noise', 10, 'noise')
    bob.ignoredDags = ['noise']
    const { pull, stop } = await connect(alice, bob)
    expect(await bob.applyAll(pull())).toBe(10)
    await alice.writeMany('more', 5)
    await alice.writeMany('more noise', 5, 'noise')
    expect(await bob.applyAll(pull())).toBe(5)
    await stop()
  })

  test('of nothing new brings nothing', async () => {
    const [alice, bob] = [new FakeReplica(), new FakeReplica()]
    await alice.writeMany('a', 100)
    bob.copyFrom(alice)
    const { pull, stop } = await connect(alice, bob)
    expect(await collect(pull())).toEqual([])
    await bob.writeMany('b', 100)
    expect((await collect(pull())).length).toBeLessThanOrEqual(64)
    await stop()
  })

  test('starts over where it was interrupted only with the same generation of the same peer', async () => {
    const [alice, bob] = [new FakeReplica(), new FakeReplica()]
    await alice.writeMany('a', 100)
    const { pull, stop } = await connect(alice, bob, { syncFrameBytes: 1024 })
    const interrupt = async (): Promise<Uint8Array[]> => {
      const taken: Uint8Array[] = []
      for await (const { bytes } of pull()) if (taken.push(bytes) === 60) break
      return taken
    }
    const taken = await interrupt()
    const rest = await collect(pull())
    expect(rest.length).toBeLessThan(60)
    // Nothing is left out between the two.
    const received = await Promise.all([...taken, ...rest].map(blockIdOf))
    expect(new Set(received)).toEqual(new Set(alice.ids()))
    // A complete answer leaves no place to go on from.
    expect(await collect(pull())).toHaveLength(100)
    await interrupt()
    alice.generation = 'another'
    expect(await collect(pull())).toHaveLength(100)
    await stop()
  })

  test('packs small blocks together, and sends a large one alone', async () => {
    const alice = new FakeReplica()
    for (const size of [10, 10, 50_000, 10]) await alice.write(`${size} ${alice.log.length}`, { size })
    const { pull, stop } = await connect(alice, new FakeReplica(), { syncFrameBytes: 1024 })
    expect(await collect(pull())).toEqual(alice.log.map(({ bytes }) => new Uint8Array(bytes)))
    await stop()
  })

  test('is served while the answerer looks long for what to send', async () => {
    const [alice, bob] = [new FakeReplica(), new FakeReplica()]
    await alice.writeMany('past', 300)
    bob.copyFrom(alice)
    await alice.writeMany('a', 300)
    const { pull, stop, clock } = await connect(alice, bob, { syncIdleTimeoutMs: 1000 })
    const readLogBackwards = alice.readLogBackwards.bind(alice)
    alice.readLogBackwards = async function* (from, to) {
      for await (const entry of readLogBackwards(from, to)) {
        await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), 20))
        yield entry
      }
    }
    const pulling = bob.applyAll(pull())
    await clock.pass(7000)
    expect(await pulling).toBe(300)
    await stop()
  })
})

describe('a fetch', () => {
  test('asks others for what the first does not have', async () => {
    const clock = new ManualClock()
    const [asker, one, two] = [new FakeLibp2p('asker'), new FakeLibp2p('one'), new FakeLibp2p('two')]
    const [has, hasMore] = [new FakeReplica(), new FakeReplica()]
    await has.writeMany('a', 10)
    hasMore.copyFrom(has)
    await hasMore.writeMany('b', 10)
    const exchanges = [
      syncExchange({ libp2p: asker, clock }, { topic: 'topic', limits: { fetchIdsMax: 3 } }),
      syncExchange({ libp2p: one, clock }, { topic: 'topic' }),
      syncExchange({ libp2p: two, clock }, { topic: 'topic' })
    ]
    for (const [index, replica] of [new FakeReplica(), has, hasMore].entries())
      await exchanges[index]!.start(replica)
    asker.connect(one)
    asker.connect(two)
    await settle()
    const found: string[] = []
    for await (const { from } of exchanges[0]!.fetch(hasMore.ids(), { peers: ['stranger', 'one'], signal })) {
      found.push(from)
    }
    expect(found).toEqual([...Array(10).fill('one'), ...Array(10).fill('two')])
    for (const exchange of exchanges) await exchange.stop()
  })

  test('says hello by the way where that has not been done', async () => {
    const [alice, bob] = [new FakeReplica(), new FakeReplica()]
    const id = await alice.write('a')
    const [from, to] = [new FakeLibp2p('alice'), new FakeLibp2p('bob')]
    const serving = syncExchange({ libp2p: from }, { topic: 'topic' })
    const asking = syncExchange({ libp2p: to }, { topic: 'topic' })
    await serving.start(alice)
    await asking.start(bob)
    // As if neither had been identified yet.
    from.topologies.clear()
    to.topologies.clear()
    to.connect(from)
    expect(asking.peers()).toEqual([])
    expect(await collect(asking.fetch([id], { peers: ['alice'], signal }))).toHaveLength(1)
    expect(asking.peers()).toEqual(['alice'])
    expect(bob.claims.map(({ peer }) => peer)).toEqual(['alice'])
    await Promise.all([serving.stop(), asking.stop()])
  })

  test('ends with the reason of its signal', async () => {
    const alice = new FakeReplica()
    const id = await alice.write('a')
    const { asking, stop } = await connect(alice, new FakeReplica())
    const aborted = AbortSignal.abort(new Error('never mind'))
    await expect(collect(asking.fetch([id], { peers: ['alice'], signal: aborted }))).rejects.toThrow(
      'never mind'
    )
    await stop()
  })
})
