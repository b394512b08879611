/**
 * The acceptance suite of exchanges: what the engine relies on, as the comments of the port say it. Whatever is about
 * `pull` is passed over where an exchange has none.
 *
 * Invariant: an exchange may verify what it gets, but need not, so that wrong bytes are expected nowhere and allowed.
 */
import assert from 'node:assert/strict'
import type { BlockId } from '../../crdt/delta.ts'
import type { PeerName, ReceivedBlock } from '../../replica/ports.ts'
import { type ExchangeGroup, Group, type InGroup } from './exchange-group.ts'
import { testPulling } from './exchange-pull.ts'
import { LogReplica } from './log-replica.ts'
import type { TestRunner } from './runner.ts'

/**
 * Defines the tests that a `BlockExchange` has to pass to be used by a store.
 *
 * @param runner - `{ describe, it }` of the test runner.
 * @param setup - makes a group of so many members, two or three; called once for each test.
 */
export function testBlockExchange(
  runner: TestRunner,
  setup: (count: number) => Promise<ExchangeGroup>
): void {
  const inGroup: InGroup = (name, count, run) => {
    runner.it(name, async () => {
      const group = new Group(await setup(count))
      try {
        await run(group)
      } finally {
        try {
          await group.end()
        } finally {
          await group.init.end()
        }
      }
    })
  }
  runner.describe('an exchange', () => {
    testFetching(inGroup)
    testEndings(inGroup)
    testPeers(inGroup)
    testPulling(inGroup)
    testStopping(inGroup)
  })
}

/** Blocks of a replica's log by their ids. */
function blocksOf(replica: LogReplica): Map<string, BlockId> {
  return new Map(replica.log.map(({ id, bytes }) => [Buffer.from(bytes).toString('hex'), id]))
}

/** The ids of what came, each once, in order. */
function idsOf(blocks: readonly ReceivedBlock[], replica: LogReplica): BlockId[] {
  const ids = blocksOf(replica)
  const found = blocks.map(({ bytes }) => ids.get(Buffer.from(bytes).toString('hex')))
  for (const id of found) assert.ok(id, 'only what is in the replica comes')
  return [...new Set(found as BlockId[])].sort()
}

function testFetching(inGroup: InGroup): void {
  inGroup('fetches blocks by their ids, and tells whom they are from', 2, async (group) => {
    await group.replica(1).writeMany('b', 150)
    await group.meet()
    const ids = group.replica(1).ids().slice(20, 120).reverse()
    const { blocks, error } = await group.read(group.fetch(ids, [group.name(1)]))
    assert.equal(error, undefined)
    assert.deepEqual(idsOf(blocks, group.replica(1)), [...ids].sort())
    for (const { from } of blocks) assert.equal(from, group.name(1))
  })

  inGroup('asks the peers that are named before others', 3, async (group) => {
    await group.replica(1).writeMany('b', 5)
    group.replica(2).copyFrom(group.replica(1))
    await group.meet()
    for (const place of [2, 1]) {
      const { blocks } = await group.read(group.fetch(group.replica(1).ids(), [group.name(place)]))
      assert.deepEqual(idsOf(blocks, group.replica(1)), group.replica(1).ids().sort())
      for (const { from } of blocks) assert.equal(from, group.name(place))
    }
  })

  inGroup('tells whom it asks before blocks of that peer come', 3, async (group) => {
    await group.replica(1).writeMany('b', 5)
    await group.replica(2).writeMany('c', 5)
    await group.meet()
    const asked: PeerName[] = []
    const ids = [...group.replica(1).ids(), ...group.replica(2).ids()]
    const { reading, ended } = group.begin(
      group.fetch(ids, [], undefined, (peer) => asked.push(peer)),
      () => assert.ok(asked.includes(reading.blocks.at(-1)?.from ?? ''), 'it was told before its block came')
    )
    await group.run(ended)
    assert.equal(reading.error, undefined)
    assert.deepEqual([...new Set(asked)].sort(), [group.name(1), group.name(2)].sort())
  })

  inGroup('asks others for what those that are named do not have', 3, async (group) => {
    await group.replica(1).writeMany('b', 5)
    await group.meet()
    for (const named of [[], [group.name(2)], ['a stranger', group.name(2)]]) {
      const { blocks, error } = await group.read(group.fetch(group.replica(1).ids(), named))
      assert.equal(error, undefined)
      assert.deepEqual(idsOf(blocks, group.replica(1)), group.replica(1).ids().sort())
    }
  })

  inGroup('leaves out what nobody has, and ends', 3, async (group) => {
    await group.replica(1).writeMany('b', 3)
    const absent = await new LogReplica().write('elsewhere')
    await group.meet()
    const { blocks, error } = await group.read(group.fetch([absent, ...group.replica(1).ids()]))
    assert.equal(error, undefined)
    assert.deepEqual(idsOf(blocks, group.replica(1)), group.replica(1).ids().sort())
    for (const ids of [[absent], []]) {
      assert.deepEqual(await group.read(group.fetch(ids)), { blocks: [], error: undefined })
    }
  })

  inGroup('carries large blocks, and shares no bytes with whom they are from', 2, async (group) => {
    await group.replica(1).write('large', { size: 1_048_576 })
    await group.meet()
    const { blocks } = await group.read(group.fetch(group.replica(1).ids()))
    const [block] = blocks
    const [entry] = group.replica(1).log
    assert.ok(block !== undefined && entry !== undefined)
    const copy = entry.bytes.slice()
    assert.equal(Buffer.compare(block.bytes, copy), 0)
    block.bytes.fill(7)
    assert.equal(Buffer.compare(entry.bytes, copy), 0, 'the bytes of the other replica are as they were')
  })

  inGroup('goes on after wrong bytes, and asks for no others in their place', 3, async (group) => {
    await group.replica(1).writeMany('b', 5)
    group.replica(2).copyFrom(group.replica(1))
    const [id = '', ...others] = group.replica(1).ids()
    const lie = new TextEncoder().encode('wrong')
    group.replica(1).lies.set(id, lie)
    await group.meet()
    const { blocks, error } = await group.read(group.fetch([id, ...others], [group.name(1)]))
    assert.equal(error, undefined)
    const honest = blocks.filter(({ bytes }) => Buffer.compare(bytes, lie) !== 0)
    const found = idsOf(honest, group.replica(1))
    for (const other of others) assert.ok(found.includes(other), 'the other blocks come all the same')
  })

  inGroup('answers several requests at once', 2, async (group) => {
    await group.replica(1).writeMany('b', 40)
    await group.meet()
    const ids = group.replica(1).ids()
    const requests = Array.from({ length: 10 }, (_, index) => ids.slice(4 * index, 4 * index + 4))
    const readings = await group.run(
      Promise.all(
        requests.map(async (some) => {
          const { reading, ended } = group.begin(group.fetch(some))
          await ended
          return reading
        })
      )
    )
    for (const [index, { blocks }] of readings.entries()) {
      assert.deepEqual(idsOf(blocks, group.replica(1)), requests[index]?.sort())
    }
  })
}

function testEndings(inGroup: InGroup): void {
  inGroup('ends a fetch as soon as its signal is aborted', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    group.replica(1).hold()
    const controller = new AbortController()
    const { reading, ended } = group.begin(group.fetch(group.replica(1).ids(), [], controller.signal))
    await group.until(() => group.replica(1).asked > 0)
    controller.abort(new Error('enough'))
    await group.run(ended)
    assert.deepEqual(reading.blocks, [])
    group.replica(1).release()
    // The exchange is as good as before.
    const { blocks } = await group.read(group.fetch(group.replica(1).ids()))
    assert.equal(blocks.length, 3)
  })

  inGroup('fetches nothing for a signal that is aborted already', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    const { blocks } = await group.read(group.fetch(group.replica(1).ids(), [], AbortSignal.abort()))
    assert.deepEqual(blocks, [])
  })

  inGroup('ends a fetch from a peer that goes away', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    group.replica(1).hold()
    const { reading, ended } = group.begin(group.fetch(group.replica(1).ids()))
    await group.until(() => group.replica(1).asked > 0)
    await group.run(group.init.disconnect(0, 1))
    await group.run(ended)
    assert.equal(reading.error, undefined, 'that nobody has a block is no error')
  })

  inGroup('lets a fetch be left in the middle', 2, async (group) => {
    await group.replica(1).writeMany('b', 100)
    await group.meet()
    for (let round = 0; round < 12; round++) {
      const leave = async (): Promise<void> => {
        for await (const _ of group.fetch(group.replica(1).ids())()) break
      }
      await group.run(leave())
    }
    const { blocks } = await group.read(group.fetch(group.replica(1).ids()))
    assert.equal(blocks.length, 100)
  })
}

function testPeers(inGroup: InGroup): void {
  inGroup('lists the peers that can be asked, and no others', 3, async (group) => {
    await group.run(group.exchange(0).start(group.replica(0)))
    assert.deepEqual(group.exchange(0).peers(), [])
    assert.ok(!group.exchange(0).canPull?.(group.name(1)))
    await group.meet()
    assert.deepEqual(group.exchange(0).peers().sort(), [group.name(1), group.name(2)].sort())
    assert.deepEqual(group.exchange(1).peers(), [group.name(0)])
    if (group.exchange(0).pull !== undefined) {
      assert.equal(group.exchange(0).canPull?.(group.name(1)), true)
      assert.equal(group.exchange(0).canPull?.('a stranger'), false)
    }
  })

  inGroup('tells that a peer left, and does not list it any more', 2, async (group) => {
    await group.meet()
    await group.run(group.init.disconnect(0, 1))
    await group.until(() => group.exchange(0).peers().length + group.exchange(1).peers().length === 0)
    for (const [one, other] of [[0, 1] as const, [1, 0] as const]) {
      await group.until(() => group.replica(one).left.includes(group.name(other)))
      assert.ok(!group.exchange(one).canPull?.(group.name(other)))
    }
  })

  inGroup('finds a peer again that comes back', 2, async (group) => {
    await group.meet()
    await group.run(group.init.disconnect(0, 1))
    await group.until(() => group.replica(0).left.length > 0 && group.replica(1).left.length > 0)
    await group.replica(1).writeMany('b', 3)
    await group.run(group.init.connect(0, 1))
    await group.until(() => group.isAcquainted(0, 1))
    const { blocks } = await group.read(group.fetch(group.replica(1).ids()))
    assert.equal(blocks.length, 3)
  })
}

function testStopping(inGroup: InGroup): void {
  inGroup('ends what is under way when it is stopped', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    group.replica(1).hold()
    const { reading, ended } = group.begin(group.fetch(group.replica(1).ids()))
    await group.until(() => group.replica(1).asked > 0)
    await group.run(group.exchange(0).stop())
    await group.run(ended)
    assert.deepEqual(reading.blocks, [])
    assert.deepEqual(group.exchange(0).peers(), [])
  })

  inGroup('serves nothing and tells nothing after it was stopped', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    await group.run(group.exchange(1).stop())
    const { calls } = group.replica(1)
    const { blocks } = await group.read(group.fetch(group.replica(1).ids(), [group.name(1)]))
    assert.deepEqual(blocks, [])
    await group.run(group.init.disconnect(0, 1))
    await group.until(() => group.replica(0).left.length > 0)
    assert.equal(group.replica(1).calls, calls, 'a replica is left alone')
  })

  inGroup('does not mind to be stopped twice, or without having been started', 2, async (group) => {
    await group.run(group.exchange(0).stop())
    await group.meet()
    await group.run(group.exchange(0).stop())
    await group.run(group.exchange(0).stop())
  })

  inGroup('minds no reminder, whether or not there is anybody to be told', 2, async (group) => {
    group.exchange(0).remind?.()
    await group.meet()
    group.exchange(0).remind?.()
    await group.run(group.exchange(0).stop())
    group.exchange(0).remind?.()
    assert.deepEqual(group.init.leftBehind?.(0) ?? [], [])
  })

  inGroup('can be started again, for another replica', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    await group.run(group.exchange(1).stop())
    await group.until(() => group.exchange(1).peers().length === 0)
    const another = new LogReplica()
    await another.writeMany('another', 2)
    await group.run(group.exchange(1).start(another))
    await group.until(() => group.isAcquainted(0, 1))
    const { blocks } = await group.read(group.fetch([...group.replica(1).ids(), ...another.ids()]))
    assert.deepEqual(idsOf(blocks, another), another.ids().sort())
  })

  inGroup('leaves nothing behind when it is stopped', 2, async (group) => {
    await group.replica(1).writeMany('b', 3)
    await group.meet()
    await group.read(group.fetch(group.replica(1).ids()))
    for (const place of [0, 1]) {
      await group.run(group.exchange(place).stop())
      assert.deepEqual(group.init.leftBehind?.(place) ?? [], [])
    }
  })
}
