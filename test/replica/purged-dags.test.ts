// A DAG that was purged, in a network that goes on with it: nothing of it is taken, nothing else waits for it, and
// nobody is asked for it again and again.
import { Key, type Pair, type Query } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import { afterEach, describe, expect, test } from 'vitest'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import type { Change, CrdtDatastore } from '../../src/index.ts'
import { areLevel, expectLikeOracle, type Forged, forge, forgeMissing } from './forge.ts'
import { AtomicMemory } from './memory.ts'
import { type Outsider, type Peer, utf8, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

const HOUR = 3_600_000
const NAME = 'noise'

async function purge({ store }: Peer, dagName = NAME): Promise<number> {
  return await world.clock.during(store.dag.purge(dagName))
}

async function resume({ store }: Peer, dagName = NAME): Promise<void> {
  await world.clock.during(store.dag.resume(dagName))
}

/** Says heads with the name of their DAG, as everybody honest does. */
function say(from: Outsider, ...heads: Array<{ id: string; bytes?: Uint8Array; dagName?: string }>): void {
  from.say(
    encodeBroadcast(
      heads.map(({ id, bytes, dagName = NAME }) => ({ id, dagName, ...(bytes && { block: bytes }) }))
    )
  )
}

/** A replica that ignores the DAG, and somebody who knows it. */
async function cast(seed: number, init: Parameters<World['peer']>[1] = {}): Promise<[Peer, Outsider]> {
  world = new World(seed)
  const bob = await world.peer('bob', { goLike: true, ...init })
  await purge(bob)
  return [bob, world.outsider('mallory')]
}

async function ignoredBlocks({ store }: Peer): Promise<number> {
  return (await store.stats()).counters.ignoredBlocks
}

/** What is left to do when everything was taken that will be. */
async function leftOver({ store, datastore }: Peer): Promise<object> {
  const { pending, wanted } = await store.stats()
  return { pending, wanted, rows: [...datastore.rows('/crdt/p'), ...datastore.rows('/crdt/w')] }
}

const NOTHING = { pending: 0, wanted: 0, rows: [] }

function writesTo(store: CrdtDatastore, dagName: string): Array<() => Promise<unknown>> {
  const key = new Key('/k')
  return [
    async () => await store.put(key, utf8('1'), { dagName }),
    async () => await store.delete(key, { dagName }),
    async () => {
      const batch = store.batch({ dagName })
      batch.put(key, utf8('1'))
      await batch.commit()
    },
    async () => await store.dag.publish({ elements: [{ key, value: utf8('1') }] }, { dagName })
  ]
}

describe('a write to a purged DAG', () => {
  test.each([NAME, ''])('%j is refused by name, and nothing is written', async (dagName) => {
    world = new World(1)
    const bob = await world.peer('bob')
    await bob.put('/k', 'kept', 'other')
    await purge(bob, dagName)
    const { writes } = bob.datastore
    for (const write of writesTo(bob.store, dagName)) {
      await expect(write()).rejects.toMatchObject({ name: 'DagIgnoredError', dagName })
    }
    expect(bob.datastore.writes).toBe(writes)
    expect(await bob.store.heads(dagName)).toEqual([])
    await bob.put('/k', 'more', 'other')
    expect(await bob.get('/k')).toBe('more')
  })

  test('does not keep what writes nothing from resolving', async () => {
    world = new World(2)
    const bob = await world.peer('bob')
    await purge(bob, '')
    await world.clock.during(bob.store.sync())
    await bob.store.batch().commit()
  })

  test('that waits when the purge begins is made and dropped, or refused: nothing of it stays', async () => {
    for (let delay = 0; delay < 12; delay++) {
      world = new World(3)
      const bob = await world.peer('bob')
      await bob.put('/k', 'there', NAME)
      const purging = bob.store.dag.purge(NAME)
      for (let i = 0; i < delay; i++) await undefined
      const writes = writesTo(bob.store, NAME).map(async (write) => await write())
      const results = await world.clock.during(Promise.allSettled(writes))
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason.name).toBe('DagIgnoredError')
      }
      await world.clock.during(purging)
      expect(await bob.store.heads(), `after ${delay} turns`).toEqual([])
      expect(await bob.get('/k')).toBeUndefined()
      expect(await bob.blocks()).toEqual([])
      await world.close()
    }
  })
})

describe('a node of a purged DAG', () => {
  test('that is announced whole is dropped and counted', async () => {
    const [bob, mallory] = await cast(10)
    const node = forge({ puts: { '/k': '1' }, dagName: NAME })
    say(mallory, node)
    await world.clock.advance(100)
    expect(await ignoredBlocks(bob)).toBe(1)
    // The name that it is announced under is no more than a hint.
    const other = forge({ puts: { '/k': '2' }, dagName: NAME })
    say(mallory, { ...other, dagName: '' })
    const kept = forge({ puts: { '/kept': '3' } })
    say(mallory, kept)
    await world.clock.advance(100)
    expect(await ignoredBlocks(bob)).toBe(2)
    expect(await bob.get('/kept')).toBe('3')
    await expectLikeOracle(bob)
  })

  test('that is announced by name is not fetched', async () => {
    const [bob, mallory] = await cast(11)
    const node = forge({ puts: { '/k': '1' }, dagName: NAME })
    mallory.has(node)
    say(mallory, { id: node.id })
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests).toEqual([])
  })

  test('that is announced under another name is fetched once, and never again', async () => {
    const [bob, mallory] = await cast(12)
    const node = forge({ puts: { '/k': '1' }, dagName: NAME })
    mallory.has(node)
    const ends: unknown[] = []
    bob.store.addEventListener('sync:end', ({ detail }) => void ends.push(detail))
    for (let i = 0; i < 5; i++) {
      mallory.say([{ id: node.id }])
      await world.clock.advance(1000)
    }
    expect(bob.exchange.requests).toHaveLength(1)
    expect(await ignoredBlocks(bob)).toBe(1)
    expect(ends).toHaveLength(1)
    await world.clock.during(bob.store.waitForSync())
    expect(await leftOver(bob)).toEqual(NOTHING)
  })

  test('that others link to holds them up no longer than it takes to see whose it is', async () => {
    const [bob, mallory] = await cast(13)
    const below = forge({ puts: { '/below': '' }, dagName: NAME })
    const noise = forge({ puts: { '/k': '' }, dagName: NAME, links: [below], priority: 2n })
    mallory.has(below, noise)
    const tops = [3n, 4n, 5n].map((priority) => forge({ puts: { '/top': '' }, links: [noise], priority }))
    for (const top of tops) {
      say(mallory, { ...top, dagName: '' })
      await world.clock.advance(1000)
    }
    expect(await bob.get('/top')).toBe('')
    expect(bob.exchange.requests.flatMap(({ ids }) => ids)).toEqual([noise.id])
    expect(await bob.store.stats()).toMatchObject({ gaps: 3, heads: 3, pending: 0, wanted: 0 })
    await expectLikeOracle(bob)
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests).toHaveLength(1)
    // Other gaps are asked for as ever.
    const lost = forgeMissing('lost')
    say(mallory, { ...forge({ puts: { '/lost': '' }, links: [lost] }), dagName: '' })
    await world.clock.advance(HOUR)
    expect(await bob.store.stats()).toMatchObject({ gaps: 4 })
    expect(new Set(bob.exchange.requests.slice(1).flatMap(({ ids }) => ids))).toEqual(new Set([lost.id]))
    await resume(bob)
    await world.clock.advance(2 * 60_000)
    expect(await bob.store.stats()).toMatchObject({ gaps: 1, nodes: 6 })
    await expectLikeOracle(bob)
  })

  test('that others link to is not asked for after the purge that opened the gap, and once after a restart', async () => {
    world = new World(14)
    let bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const noise = forge({ puts: { '/k': '' }, dagName: NAME })
    const top = forge({ puts: { '/top': '' }, links: [noise], priority: 2n })
    mallory.has(noise, top)
    say(mallory, noise, { ...top, dagName: '' })
    await world.clock.advance(100)
    expect(await bob.nodes()).toBe(2)
    await purge(bob)
    expect(await bob.store.stats()).toMatchObject({ gaps: 1, heads: 1 })
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests).toEqual([])
    bob = await bob.restart()
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests.map(({ ids }) => ids)).toEqual([[noise.id]])
    expect(await leftOver(bob)).toEqual(NOTHING)
  })

  test('that waits for an ancestor goes with the purge, and what waits for it goes on', async () => {
    world = new World(15)
    const bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const lost = forgeMissing('lost')
    const noise = forge({ puts: { '/k': '' }, dagName: NAME, links: [lost], priority: 2n })
    const above = forge({ puts: { '/k': '' }, dagName: NAME, links: [noise], priority: 3n })
    const top = forge({ puts: { '/top': '' }, links: [noise], priority: 4n })
    say(mallory, noise, above, { ...top, dagName: '' })
    await world.clock.advance(1000)
    expect(await bob.store.stats()).toMatchObject({ pending: 3, wanted: 1, nodes: 0 })
    await purge(bob)
    await world.clock.until(async () => (await bob.nodes()) === 1, 100)
    expect(await bob.get('/top')).toBe('')
    expect(await ignoredBlocks(bob)).toBe(2)
    await world.clock.during(bob.store.waitForSync())
    expect(await leftOver(bob)).toEqual(NOTHING)
    const requests = bob.exchange.requests.length
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests).toHaveLength(requests)
    await expectLikeOracle(bob)
  })

  test('that waited on disk when the store was closed is gone after the purge was ended by the next start', async () => {
    world = new World(16)
    let bob = await world.peer('bob', { goLike: true })
    const mallory = world.outsider('mallory')
    const noise = forge({ puts: { '/k': '' }, dagName: NAME, links: [forgeMissing('lost')] })
    say(mallory, noise)
    await world.clock.advance(1000)
    expect(bob.datastore.rows('/crdt/p')).toHaveLength(1)
    // The power fails right after the commit that begins the purge.
    bob.datastore.writesLeft = 1
    await expect(purge(bob)).rejects.toThrow()
    const datastore = bob.datastore.copy()
    expect(datastore.rows('/crdt/p')).toHaveLength(1)
    bob = await bob.restart({ datastore })
    await world.clock.advance(1000)
    expect(await leftOver(bob)).toEqual(NOTHING)
    await expect(bob.put('/k', '1', NAME)).rejects.toThrow('ignored')
  })

  test('that waits for its commit when the purge begins is dropped, and its row with it', async () => {
    world = new World(17)
    const bob = await world.peer('bob', { goLike: true, commitNodesMax: 1 })
    const mallory = world.outsider('mallory')
    const root = forge({ puts: { '/root': '' } })
    const first = forge({ puts: { '/first': '' }, dagName: NAME, links: [root], priority: 2n })
    const second = forge({ puts: { '/second': '' }, links: [first], priority: 3n })
    say(mallory, first)
    say(mallory, { ...second, dagName: '' })
    await world.clock.advance(100)
    expect(bob.datastore.rows('/crdt/p')).toHaveLength(2)
    const go = bob.datastore.hold()
    const putting = bob.store.put(new Key('/mine'), utf8(''))
    await world.clock.settle()
    const purging = bob.store.dag.purge(NAME)
    say(mallory, { ...root, dagName: '' })
    await world.clock.advance(100)
    go()
    await world.clock.during(Promise.all([putting, purging]))
    await world.clock.until(async () => (await bob.get('/second')) === '')
    expect(await bob.get('/first')).toBeUndefined()
    expect(await ignoredBlocks(bob)).toBe(1)
    await world.clock.during(bob.store.waitForSync())
    expect(await leftOver(bob)).toEqual(NOTHING)
    await expectLikeOracle(bob)
  })
})

describe('replicas of which one purged a DAG', () => {
  async function pair(seed: number, goLike = false): Promise<[Peer, Peer, string[]]> {
    world = new World(seed)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike })) as [Peer, Peer]
    const diverged: string[] = []
    for (const { name, store } of [alice, bob])
      store.addEventListener('divergence', () => diverged.push(name))
    await alice.put('/shared', 'a')
    await alice.put('/noise/1', 'n', NAME)
    await bob.put('/noise/2', 'n', NAME)
    await world.clock.until(() => areLevel([alice, bob]))
    await purge(bob)
    return [alice, bob, diverged]
  }

  test('go on with the others, and neither calls the other broken', async () => {
    const [alice, bob, diverged] = await pair(20)
    await alice.put('/noise/3', 'n', NAME)
    await alice.put('/shared', 'b')
    await bob.put('/mine', 'c')
    await world.clock.until(
      async () => (await alice.get('/mine')) === 'c' && (await bob.get('/shared')) === 'b'
    )
    world.partition(['alice'], ['bob'])
    await alice.history(100, 'later')
    await alice.put('/noise/4', 'n', NAME)
    world.heal()
    await world.clock.until(async () => (await bob.get('/later/99')) === '99')
    await world.clock.advance(HOUR)
    expect(await alice.store.heads('')).toEqual(await bob.store.heads(''))
    expect(await bob.store.heads(NAME)).toEqual([])
    expect(diverged).toEqual([])
    await expectLikeOracle(bob, 2)
    await expectLikeOracle(alice)
    expect(await leftOver(bob)).toEqual(NOTHING)
    const [peer] = await alice.store.peers()
    expect(peer?.claim).toMatchObject({ ignoredDags: [NAME], level: false })
  })

  test('do not ask for it again and again, though it is said every minute', async () => {
    const [alice, bob] = await pair(21)
    for (let i = 0; i < 20; i++) await alice.put('/noise/large', 'x'.repeat(20_000 + i), NAME)
    await world.clock.advance(HOUR)
    expect(bob.exchange.requests.filter(({ at }) => at > world.clock.now() - HOUR + 1000)).toEqual([])
  })

  test.each([false, true])(
    'are level again after it is taken up, of peers that only gossip: %j',
    async (goLike) => {
      const [alice, bob] = await pair(22, goLike)
      // Written after the last hello: only gossip told of it.
      for (let i = 0; i < 5; i++) await alice.put('/noise/large', 'x'.repeat(20_000 + i), NAME)
      await world.clock.advance(1000)
      expect(await bob.get('/noise/large')).toBeUndefined()
      await resume(bob)
      await world.clock.until(() => areLevel([alice, bob]), 1000)
      expect(await bob.store.digest()).toBe(await alice.store.digest())
      await expectLikeOracle(bob, 2)
      await bob.put('/noise/1', 'again', NAME)
      await world.clock.until(async () => (await alice.get('/noise/1')) === 'again')
    }
  )

  test('that ignores it from the start takes the rest of a long history, and ends its synchronisation', async () => {
    world = new World(23)
    const alice = await world.peer('alice')
    for (let i = 0; i < 300; i++) await alice.store.put(new Key(`/noise/${i}`), utf8('n'), { dagName: NAME })
    await alice.history(50)
    let bob = await world.peer('bob')
    await world.clock.until(() => areLevel([alice, bob]))
    await purge(bob)
    await alice.put('/noise/later', '1', NAME)
    bob = await bob.restart()
    const ends: unknown[] = []
    bob.store.addEventListener('sync:end', ({ detail }) => void ends.push(detail))
    await alice.put('/k/large', 'x'.repeat(20_000))
    await world.clock.until(async () => (await bob.get('/k/large')) !== undefined)
    await world.clock.advance(10_000)
    expect(await leftOver(bob)).toEqual(NOTHING)
    expect(ends).not.toEqual([])
    expect(bob.exchange.requests.length).toBeLessThan(10)
    await expectLikeOracle(bob, 300)
  })

  test('keep what one of them ignores after a restart, the unnamed DAG as well', async () => {
    world = new World(24)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    await alice.put('/k', '1')
    await alice.put('/named', '1', 'named')
    await world.clock.until(() => areLevel([alice, bob]))
    await purge(bob, '')
    await purge(bob, 'never seen')
    const again = await bob.restart()
    await alice.put('/k', '2')
    await alice.put('/named', '2', 'named')
    await world.clock.until(async () => (await again.get('/named')) === '2')
    expect(await again.get('/k')).toBeUndefined()
    await expect(again.put('/k', '3')).rejects.toThrow('ignored')
    await expect(again.put('/k', '3', 'never seen')).rejects.toThrow('ignored')
    await resume(again, '')
    await world.clock.until(async () => (await again.get('/k')) === '2', 1000)
  })
})

describe('a purge', () => {
  test('tells what it did to the keys: events, watches, heads', async () => {
    world = new World(30)
    const bob = await world.peer('bob')
    await bob.put('/only', 'noise', NAME)
    await bob.put('/both', 'plain')
    await bob.put('/both', 'noise', NAME)
    await bob.put('/back', 'plain')
    await bob.delete('/back', NAME)
    await bob.put('/plain', 'plain')
    const [head] = await bob.store.heads(NAME)
    bob.changes.splice(0)
    const heads: unknown[] = []
    bob.store.addEventListener('heads', ({ detail }) => void heads.push(detail))
    const watched: Change[] = []
    const watching = (async () => {
      for await (const change of bob.store.watch()) watched.push(change)
    })()
    await purge(bob)
    const told = bob.changes.map(({ key, value, previous }) => [
      key.toString(),
      previous === undefined ? undefined : new TextDecoder().decode(previous),
      value === undefined ? undefined : new TextDecoder().decode(value)
    ])
    expect(told.sort()).toEqual([
      ['/back', undefined, 'plain'],
      ['/both', 'noise', 'plain'],
      ['/only', 'noise', undefined]
    ])
    expect(heads).toMatchObject([{ added: [], removed: [head] }])
    expect(watched.map(({ key }) => key.toString()).sort()).toEqual(['/back', '/both', '/only'])
    await world.clock.during(bob.store.close())
    await watching
  })

  test('of thousands of nodes drops some at a time, and reads and writes go on meanwhile', async () => {
    world = new World(31)
    const bob = await world.peer('bob')
    for (let i = 0; i < 3000; i++)
      await bob.store.put(new Key(`/k/${i % 100}`), utf8(`${i}`), { dagName: NAME })
    await bob.put('/k/7', 'plain')
    const { writes } = bob.datastore
    const purging = bob.store.dag.purge(NAME)
    await bob.put('/meanwhile', '1')
    expect(await world.clock.during(purging)).toBe(3000)
    // The beginning, twelve parts, the end, and the write that came between.
    expect(bob.datastore.writes - writes).toBe(1 + Math.ceil(3000 / 256) + 1 + 1)
    await expectLikeOracle(bob, 3000)
    expect(await bob.get('/k/7')).toBe('plain')
    expect(bob.datastore.rows('/crdt/a').length).toBe(2)
  })

  test('of large nodes takes no more of them at a time than a commit may have bytes', async () => {
    world = new World(32)
    const bob = await world.peer('bob', { commitBytesMax: 64 * 1024 })
    for (let i = 0; i < 10; i++) await bob.put(`/large/${i}`, 'x'.repeat(40_000), NAME)
    const { writes } = bob.datastore
    expect(await purge(bob)).toBe(10)
    expect(bob.datastore.writes - writes).toBe(2 + 5)
  })

  test('of what was never seen is remembered; a second one finds nothing, also at the same time', async () => {
    world = new World(33)
    const bob = await world.peer('bob')
    expect(await purge(bob, 'unknown')).toBe(0)
    await bob.put('/k', '1', NAME)
    await bob.put('/k', '2', 'other')
    const both = [purge(bob), purge(bob), purge(bob, 'other')]
    expect(await Promise.all(both)).toEqual([1, 0, 1])
    expect(await purge(bob)).toBe(0)
    expect(await bob.get('/k')).toBeUndefined()
    expect(bob.datastore.rows('/crdt/i')).toHaveLength(3)
    await resume(bob, 'unknown')
    await resume(bob, 'unknown')
    await resume(bob)
    await bob.put('/k', '3', NAME)
    expect(await purge(bob)).toBe(1)
  })

  test('takes the names that only others write', async () => {
    world = new World(34)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory')
    for (const dagName of ['a/b', '.', '/', 'ä:%', 'x'.repeat(300)]) {
      const node = forge({ puts: { '/k': dagName }, dagName })
      say(mallory, { ...node, dagName })
      await world.clock.until(async () => (await bob.get('/k')) !== undefined)
      expect(await purge(bob, dagName)).toBe(1)
      expect(await bob.get('/k')).toBeUndefined()
    }
    const again = await bob.restart()
    for (const dagName of ['a/b', '.', '/', 'ä:%', 'x'.repeat(300)]) {
      say(mallory, { ...forge({ puts: { '/k': 'again' }, dagName }), dagName })
    }
    await world.clock.advance(1000)
    expect(await ignoredBlocks(again)).toBe(5)
    await expect(purge(again, '\uD800')).rejects.toMatchObject({ name: 'InvalidDagNameError' })
  })

  test('that is aborted stops at once, and is ended by calling it again', async () => {
    world = new World(35)
    const bob = await world.peer('bob')
    for (let i = 0; i < 600; i++) await bob.store.put(new Key(`/k/${i}`), utf8('1'), { dagName: NAME })
    await expect(bob.store.dag.purge(NAME, { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
    expect(bob.datastore.rows('/crdt/i')).toEqual([])
    const controller = new AbortController()
    const go = bob.datastore.hold()
    const purging = bob.store.dag.purge(NAME, { signal: controller.signal })
    await world.clock.settle()
    controller.abort()
    // The datastore has not answered yet.
    await expect(purging).rejects.toThrow('aborted')
    go()
    await world.clock.settle()
    expect(await bob.store.heads(NAME)).toEqual([])
    expect(bob.datastore.rows('/crdt/a').length).toBeGreaterThan(0)
    await expect(bob.put('/k', '1', NAME)).rejects.toThrow('ignored')
    expect(await purge(bob)).toBe(600)
    await expectLikeOracle(bob, 600)
  })

  test('that is cut off is ended by taking the DAG up again', async () => {
    world = new World(36)
    const bob = await world.peer('bob')
    for (let i = 0; i < 600; i++) await bob.store.put(new Key(`/k/${i}`), utf8('1'), { dagName: NAME })
    const controller = new AbortController()
    bob.store.addEventListener('change', () => controller.abort(), { once: true })
    await expect(bob.store.dag.purge(NAME, { signal: controller.signal })).rejects.toThrow('aborted')
    await world.clock.settle()
    await resume(bob)
    expect(bob.datastore.rows('/crdt/a')).toEqual([])
    await bob.put('/k', '1', NAME)
    await expectLikeOracle(bob, 600)
  })

  test('does not hold up a close, which leaves nothing of it running', async () => {
    world = new World(37)
    const bob = await world.peer('bob')
    for (let i = 0; i < 600; i++) await bob.store.put(new Key(`/k/${i}`), utf8('1'), { dagName: NAME })
    await bob.put('/plain', '1')
    const purged = expect(bob.store.dag.purge(NAME)).rejects.toMatchObject({ name: 'ClosedError' })
    const waiting = expect(bob.store.dag.purge('other')).rejects.toMatchObject({ name: 'ClosedError' })
    const closed = Promise.withResolvers<void>()
    bob.store.addEventListener('change', () => closed.resolve(bob.store.close()), { once: true })
    await closed.promise
    const { reads, writes } = bob.datastore
    expect(bob.datastore.rows('/crdt/a').length).toBeGreaterThan(1)
    await Promise.all([purged, waiting])
    await world.clock.settle()
    expect([bob.datastore.reads, bob.datastore.writes]).toEqual([reads, writes])
    const again = await bob.restart()
    expect(again.datastore.rows('/crdt/a')).toHaveLength(1)
    await expectLikeOracle(again, 600)
    await again.put('/k', '1', 'other')
  })

  test('finds every node, also where a datastore passes over rows while others are deleted', async () => {
    class Forgetful extends AtomicMemory {
      override async *query(query: Query): AsyncGenerator<Pair> {
        let count = 0
        for await (const pair of super.query(query)) {
          if (!query.prefix?.startsWith('/crdt/a') || ++count % 2 === 1) yield pair
        }
      }
    }
    world = new World(39)
    const bob = await world.peer('bob', { datastore: new Forgetful() })
    for (let i = 0; i < 20; i++) await bob.put(`/k/${i}`, '', NAME)
    expect(await purge(bob)).toBe(20)
    expect(bob.datastore.rows('/crdt/a')).toEqual([])
    await expectLikeOracle(bob, 20)
  })

  test('leaves the blocks in a blockstore, and ends when one that was lost there is back', async () => {
    const blocks = new Map<string, Uint8Array>()
    const blockstore = {
      get: async (cid: CID) => {
        const bytes = blocks.get(cid.toString())
        if (bytes === undefined) throw Object.assign(new Error('gone'), { name: 'NotFoundError' })
        return bytes
      },
      put: async (cid: CID, bytes: Uint8Array) => void blocks.set(cid.toString(), bytes)
    }
    world = new World(41)
    const init = { blockstore }
    const bob = await world.peer('bob', init)
    await bob.put('/back', 'plain')
    await bob.delete('/back', NAME)
    const cid = (await bob.store.heads(NAME))[0]!.cid.toString()
    const lost = blocks.get(cid)!
    blocks.delete(cid)
    await expect(purge(bob)).rejects.toMatchObject({ name: 'CorruptRowError' })
    // It keeps nobody from the rest of the store.
    const again = await bob.restart(init)
    expect(again.lines.join()).toContain('could not be ended')
    await again.put('/k', '1')
    await expect(again.put('/k', '1', NAME)).rejects.toThrow('ignored')
    blocks.set(cid, lost)
    expect(await purge(again)).toBe(1)
    expect(await again.get('/back')).toBe('plain')
    expect(blocks.size).toBe(3)
    expect(again.datastore.rows('/crdt/a')).toHaveLength(2)
  })

  test('drops what waits to be said of it', async () => {
    world = new World(38)
    const bob = await world.peer('bob', { broadcastDelayMs: 1000 })
    const mallory = world.outsider('mallory')
    await bob.put('/k', 'x'.repeat(20_000), NAME)
    await bob.put('/k', 'plain')
    await purge(bob)
    await world.clock.advance(5000)
    expect(mallory.heard.map(({ dagName }) => dagName)).toEqual([''])
  })
})

test('what is read of a node while it is purged is not remembered after', async () => {
  world = new World(40)
  const bob = await world.peer('bob', { goLike: true })
  const mallory = world.outsider('mallory')
  const noise: Forged = forge({ puts: { '/k': '1' }, dagName: NAME })
  mallory.has(noise)
  say(mallory, noise)
  await world.clock.until(async () => (await bob.get('/k')) === '1')
  const again = await bob.restart()
  const get = again.datastore.get.bind(again.datastore)
  const held = Promise.withResolvers<void>()
  again.datastore.get = async (key) => {
    const value = get(key)
    if (key.toString() === `/crdt/a${noise.id}`) await held.promise
    return await value
  }
  const applied = again.store.dag.isApplied((await again.store.heads(NAME))[0]!.cid)
  await purge(again)
  held.resolve()
  expect(await applied).toBe(true)
  await resume(again)
  say(mallory, noise)
  await world.clock.until(async () => (await again.get('/k')) === '1')
})
