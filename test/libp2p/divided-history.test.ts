// One history from several peers, each behind a link that is slow: real exchanges, in virtual time.
import { afterEach, describe, expect, test } from 'vitest'
import type { LogEntry } from '../../src/replica/ports.ts'
import { FakeReplica } from './fake-replica.ts'
import { BYTES_PER_MS, ServingPeers, type ServingPeersInit } from './serving-peers.ts'

const LIMITS = { syncDivideNodesMin: 256, syncAheadBytesMax: 256 * 1024, syncFrameBytes: 4096 }
const NODES = 3000
const VALUE_BYTES = 150

let peers: ServingPeers | undefined

afterEach(async () => {
  expect(await peers?.stop()).toEqual([])
  peers = undefined
})

async function start(
  replicas: Record<string, FakeReplica>,
  init: Partial<ServingPeersInit> = {}
): Promise<ServingPeers> {
  peers = await ServingPeers.start({ replicas, ...init, limits: { ...LIMITS, ...init.limits } })
  return peers
}

async function history(prefix = 'key', count = NODES): Promise<FakeReplica> {
  const replica = new FakeReplica()
  for (let index = 0; index < count; index++) await replica.write(`${prefix} ${index}`, { size: VALUE_BYTES })
  return replica
}

function copyOf(...replicas: FakeReplica[]): FakeReplica {
  const copy = new FakeReplica()
  for (const replica of replicas) copy.copyFrom(replica)
  return copy
}

/** So many peers with one history, by their names. */
async function level(count: number): Promise<Record<string, FakeReplica>> {
  const alice = await history()
  const names = ['alice', 'bob', 'carol'].slice(0, count)
  return Object.fromEntries(names.map((name, index) => [name, index === 0 ? alice : copyOf(alice)]))
}

describe('a fresh replica', () => {
  test('catches up nearly as many times as fast as there are peers to send', async () => {
    const took: number[] = []
    for (const count of [1, 2, 3]) {
      const replicas = await level(count)
      const group = await start(replicas)
      const pulled = await group.pull('alice')
      expect(pulled).toMatchObject({ error: undefined, early: 0, duplicates: 0 })
      expect(group.replica.ids()).toEqual(replicas.alice?.ids())
      const bytes = Object.keys(replicas).map((name) => group.bytesFrom(name))
      const all = bytes.reduce((sum, each) => sum + each, 0)
      for (const each of bytes) expect(each / all).toBeGreaterThan(0.7 / count)
      took.push(pulled.tookMs)
      await group.stop()
    }
    const [one = 0, two = 0, three = 0] = took
    expect(one / two).toBeGreaterThan(1.6)
    expect(one / three).toBeGreaterThan(2)
  })

  test('with one peer has one stream, and not a byte more than without any dividing', async () => {
    const bytes: number[] = []
    for (const syncLanesMax of [1, 4]) {
      const group = await start(await level(1), { limits: { syncLanesMax } })
      await group.pull('alice')
      expect(group.joiner.counters.streams).toBe(1)
      bytes.push(group.bytesFrom('alice'))
      await group.stop()
    }
    expect(bytes[1]).toBe(bytes[0])
  })

  test('takes a short history from one peer', async () => {
    const group = await start(await level(2), { limits: { syncDivideNodesMin: NODES + 1 } })
    const { from } = await group.pull('alice')
    expect(from).toEqual({ alice: NODES })
  })

  test('takes a part from a peer that comes while it is at it', async () => {
    const replicas = await level(2)
    const group = await start({ alice: replicas.alice as FakeReplica })
    let joining: Promise<void> | undefined
    group.onBlock = (count) => {
      if (count === 200) joining = group.join('bob', replicas.bob)
    }
    const pulled = await group.pull('alice')
    await joining
    expect(pulled).toMatchObject({ error: undefined, early: 0, duplicates: 0 })
    expect(pulled.from.bob).toBeGreaterThan(NODES / 4)
  })

  test('that has something already is sent what it lacks by the one that it asks', async () => {
    const replicas = await level(2)
    const group = await start(replicas)
    group.replica.copyFrom(replicas.alice as FakeReplica, ({ sequence }: LogEntry) => sequence <= 500)
    const pulled = await group.pull('alice')
    expect(pulled.from).toEqual({ alice: NODES - 500 })
  })
})

describe('a peer that serves', () => {
  test.each(['alice', 'bob'])('and goes leaves its part to the others: %s', async (name) => {
    const replicas = await level(3)
    const group = await start(replicas)
    let stopping: Promise<void> | undefined
    group.onBlock = (count) => {
      if (count === 1000) stopping = group.exchanges.get(name)?.stop()
    }
    const pulled = await group.pull('alice')
    await stopping
    expect(pulled).toMatchObject({ error: undefined, early: 0, duplicates: 0 })
    expect(group.replica.ids()).toEqual(replicas.alice?.ids())
  })

  test.each(['alice', 'bob'])(
    'and stalls holds nobody up for longer than before another is asked: %s',
    async (name) => {
      const replicas = await level(3)
      const group = await start(replicas)
      group.onBlock = (count) => {
        if (count === 1000) group.network.link(name, 'joiner').cut()
      }
      const pulled = await group.pull('alice')
      expect(pulled).toMatchObject({ error: undefined, early: 0, duplicates: 0 })
      const alone = (NODES * (VALUE_BYTES + 70)) / BYTES_PER_MS
      expect(pulled.tookMs).toBeLessThan(alone)
    }
  )

  test('and was started anew meanwhile is asked by its new generation, and sends nothing twice', async () => {
    const replicas = await level(2)
    const group = await start(replicas)
    let restarting: Promise<void> | undefined
    group.onBlock = (count) => {
      if (count !== 1000) return
      const bob = replicas.bob as FakeReplica
      restarting = group.exchanges
        .get('bob')
        ?.stop()
        .then(() => {
          bob.generation = 'another'
          return group.exchanges.get('bob')?.start(bob)
        })
    }
    const pulled = await group.pull('alice')
    await restarting
    expect(pulled).toMatchObject({ error: undefined, early: 0, duplicates: 0 })
    expect(group.replica.ids()).toEqual(replicas.alice?.ids())
  })

  test('and has the same nodes in nearly the same order loses none of them', async () => {
    const alice = new FakeReplica()
    // Three writers at the same time.
    for (let index = 0; index < NODES; index++) {
      const links = index < 3 ? [] : [alice.log[index - 3]?.id ?? '']
      await alice.write(`key ${index}`, { links, size: VALUE_BYTES })
    }
    const bob = new FakeReplica()
    for (let index = 0; index < NODES; index += 3) {
      for (const { bytes } of alice.log.slice(index, index + 3).reverse()) await bob.apply(bytes)
    }
    const group = await start({ alice, bob })
    const pulled = await group.pull('alice')
    expect(pulled).toMatchObject({ error: undefined, early: 0 })
    expect(pulled.from.bob).toBeGreaterThan(NODES / 3)
    expect(alice.ids().every((id) => group.replica.has(id))).toBe(true)
  })

  test('and has branches the other way round is left, and nothing of it is taken that does not fit', async () => {
    const [left, right] = [await history('left', NODES / 2), await history('right', NODES / 2)]
    const alice = copyOf(left, right)
    const group = await start({ alice, bob: copyOf(right, left) })
    const pulled = await group.pull('alice')
    expect(pulled).toMatchObject({ error: undefined, early: 0 })
    expect(group.replica.ids()).toEqual(alice.ids())
  })

  test('and claims a history that is not its own is left before any of it is taken', async () => {
    const group = await start({ alice: await history(), bob: await history('other') })
    const pulled = await group.pull('alice')
    expect(pulled.from).toEqual({ alice: NODES })
    // And no more is read of it than one share.
    expect(group.bytesFrom('bob')).toBeLessThan(LIMITS.syncAheadBytesMax)
  })

  test('and claims more than it has is asked for no more', async () => {
    const replicas = await level(2)
    const bob = new FakeReplica()
    bob.copyFrom(replicas.alice as FakeReplica, ({ sequence }) => sequence <= 1200)
    const snapshot = bob.snapshot.bind(bob)
    let isLying = true
    bob.snapshot = () => ({ ...snapshot(), sequence: isLying ? NODES : 1200 })
    const group = await start({ alice: replicas.alice as FakeReplica, bob })
    isLying = false
    const pulled = await group.pull('alice')
    expect(pulled).toMatchObject({ error: undefined, early: 0 })
    expect(group.replica.ids()).toEqual(replicas.alice?.ids())
  })

  test('and sends more blocks than there are rows is dropped at once', async () => {
    const replicas = await level(2)
    const bob = replicas.bob as FakeReplica
    bob.readLog = async function* (from) {
      for (;;) yield { ...(this.log[from - 1] as LogEntry), sequence: from }
    }
    const group = await start(replicas)
    const pulled = await group.pull('alice')
    expect(pulled).toMatchObject({ error: undefined, early: 0, from: { alice: NODES } })
    expect(group.joiner.counters).toMatchObject({ invalidFrames: 1, droppedStreams: 1 })
  })

  test('goes on with nothing that nobody reads: what waits is bounded', async () => {
    const group = await start(await level(3))
    const gate = Promise.withResolvers<void>()
    // The consumer stands still where the history has been divided.
    group.onBlock = (count) => (count === 1500 ? gate.promise : undefined)
    const pulling = group.pull('alice')
    await group.clock.advance(5000)
    const bytes = ['alice', 'bob', 'carol'].map((name) => group.bytesFrom(name))
    const read = group.joiner.counters.bytesIn
    gate.resolve()
    await pulling
    // What was handed on, what may wait, and a frame for each lane.
    const handedOn = 1500 * (VALUE_BYTES + 90)
    expect(bytes.every((each) => each > 0)).toBe(true)
    expect(read).toBeLessThan(handedOn + LIMITS.syncAheadBytesMax + 4 * LIMITS.syncFrameBytes)
  })
})
