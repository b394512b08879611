// What a store tells of its DAG and its peers: heads, synchronisations, gaps, bad blocks, and peers that claim what
// cannot be. The peers live in a simulated network with a clock of its own.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import type { CrdtDatastore, CrdtDatastoreEvents, Head, PeerClaim } from '../src/index.ts'
import { below } from './replica/clock.ts'
import { type Forged, forge, forgeBytes, forgeChain, forgeMissing } from './replica/forge.ts'
import { type Outsider, type Peer, type PeerInit, utf8, World } from './replica/world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

const NEVER_AGAIN = { rebroadcastIntervalMs: 86_400_000 }
const LARGE = 'x'.repeat(20_000)

type EventName = keyof CrdtDatastoreEvents

/** Every event of these kinds from now on. */
function listen(store: CrdtDatastore, ...names: EventName[]): Array<{ type: EventName; detail: unknown }> {
  const events: Array<{ type: EventName; detail: unknown }> = []
  for (const name of names) {
    store.addEventListener(name, ({ detail }: CustomEvent) => void events.push({ type: name, detail }))
  }
  return events
}

function details<K extends EventName>(
  store: CrdtDatastore,
  name: K
): Array<CrdtDatastoreEvents[K]['detail']> {
  const details: Array<CrdtDatastoreEvents[K]['detail']> = []
  store.addEventListener(name, (event) => void details.push((event as CrdtDatastoreEvents[K]).detail))
  return details
}

const SYNC: EventName[] = ['sync:start', 'sync:progress', 'sync:end']

/** The kinds of sync events, in short. */
const kinds = (events: ReadonlyArray<{ type: EventName }>): string =>
  events
    .map(({ type }) => ({ 'sync:start': 's', 'sync:progress': 'p', 'sync:end': 'e' })[type as string])
    .join('')

/** A replica whose listeners are there before it starts. */
async function startedWith<T>(peer: Peer, listenTo: (store: CrdtDatastore) => T): Promise<T> {
  await world.clock.during(peer.store.stop())
  const listened = listenTo(peer.store)
  await world.clock.during(peer.store.start())
  return listened
}

describe('heads', () => {
  test('are told with each local write: the new one comes, the old one goes', async () => {
    world = new World(1)
    const alice = await world.peer('alice')
    const told = details(alice.store, 'heads')
    await alice.put('/k', '1')
    await alice.put('/k', '2')
    await alice.put('/k', '3', 'named')
    expect(told.map(({ added, removed, sequence }) => [added.length, removed.length, sequence])).toEqual([
      [1, 0, 1],
      [1, 1, 2],
      [1, 0, 3]
    ])
    expect(told[1]?.removed).toEqual(told[0]?.added)
    expect(told[2]?.added).toEqual(await alice.store.heads('named'))
    expect(told[1]?.added[0]).toMatchObject({ priority: 2n, dagName: '' })
  })

  test('are told after the changes of their commit, when the store has them', async () => {
    world = new World(2)
    const alice = await world.peer('alice')
    const events = listen(alice.store, 'heads', 'change')
    const heads: Array<Promise<Head[]>> = []
    alice.store.addEventListener('heads', () => void heads.push(alice.store.heads()))
    await alice.put('/k', '1')
    expect(events.map(({ type }) => type)).toEqual(['change', 'heads'])
    expect(await heads[0]).toEqual(await alice.store.heads())
  })

  test('of writes without effect, and of commits that change none, are not told', async () => {
    world = new World(3)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 100 })
    const mallory = world.outsider('mallory')
    const [bottom, top] = forgeChain(2) as [Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    const told = details(bob.store, 'heads')
    await bob.delete('/nothing')
    await world.clock.during(bob.store.sync())
    mallory.say([{ id: bottom.id, block: bottom.bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 2)
    expect(told).toEqual([])
  })

  test('that were told add up to those that the store has, whoever writes', async () => {
    for (let seed = 10; seed < 16; seed++) {
      world = new World(seed, { loss: 0.3, jitterMs: 200 })
      const peers = await world.peers(['alice', 'bob', 'carol'], { rebroadcastIntervalMs: 3000 })
      const sums = peers.map(({ store }) => {
        const sum = new Map<string, Head>()
        store.addEventListener('heads', ({ detail }) => {
          for (const head of detail.removed)
            expect(sum.delete(`${head.cid}`), 'what goes was there').toBe(true)
          for (const head of detail.added) {
            expect(sum.has(`${head.cid}`), 'what comes was not there').toBe(false)
            sum.set(`${head.cid}`, head)
          }
        })
        return sum
      })
      for (let i = 0; i < 20; i++) {
        const peer = peers[below(world.random, 3)] as Peer
        await peer.put(`/${i % 4}`, `${i}`, world.random() < 0.3 ? 'named' : '')
        if (world.random() < 0.3) world.partition(['alice', 'bob'])
        if (world.random() < 0.3) world.heal()
        await world.clock.advance(below(world.random, 300))
      }
      for (const [index, { store }] of peers.entries()) {
        const { counters } = await store.stats()
        expect(counters.listenerErrors, `seed ${seed}`).toBe(0)
        const heads = (await store.heads()).map(({ cid }) => `${cid}`).sort()
        expect([...sums[index]!.keys()].sort(), `seed ${seed}`).toEqual(heads)
      }
      await world.close()
    }
  })
})

describe('a synchronisation', () => {
  test('is told from hearing of a history to having it, with what was merged', async () => {
    world = new World(20)
    const alice = await world.peer('alice')
    await alice.history(300)
    const bob = await world.peer('bob')
    const events = listen(bob.store, ...SYNC, 'change')
    await world.clock.until(async () => (await bob.nodes()) === 300)
    await world.clock.advance(1000)
    const sync = events.filter(({ type }) => type !== 'change')
    expect(kinds(sync)).toMatch(/^sp+e$/)
    expect(sync[0]?.detail).toEqual({ from: 'alice' })
    const numbers = sync.slice(1).map(({ detail }) => detail as CrdtDatastoreEvents['sync:end']['detail'])
    const merged = numbers.map(({ nodes }) => nodes)
    expect(merged).toEqual([...merged].sort((a, b) => a - b))
    expect(merged[0]).toBeGreaterThan(0)
    const { elapsedMs, ...end } = numbers.at(-1)!
    expect(end).toEqual({ nodes: 300, pending: 0, wanted: 0, droppedHeads: 0 })
    expect(elapsedMs).toBeGreaterThan(0)
    expect(elapsedMs).toBeLessThan(1000)
    expect(merged.at(-2)).toBe(300)
    expect(events.at(-1)?.type).toBe('sync:end')
    const { nodes, wanted } = numbers[0]!
    expect(nodes < 300 && wanted > 0).toBe(true)
  })

  test('ends when everything that was heard of is readable and waitForSync resolves', async () => {
    world = new World(21)
    const alice = await world.peer('alice')
    await alice.history(100)
    const bob = await world.peer('bob')
    const { promise, resolve } = Promise.withResolvers<[Promise<string>, number]>()
    bob.store.addEventListener('sync:end', () => {
      void bob.nodes().then((nodes) => resolve([bob.store.digest(), nodes]))
      void bob.store.waitForSync()
    })
    const [digest, nodes] = await world.clock.during(promise)
    expect(nodes).toBe(100)
    expect(await digest).toBe(await alice.store.digest())
  })

  test('is none where heads come whole and can be merged at once', async () => {
    world = new World(22)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    const events = listen(bob.store, ...SYNC)
    for (let i = 0; i < 5; i++) {
      await alice.put('/k', `${i}`)
      await world.clock.advance(100)
    }
    expect(await bob.get('/k')).toBe('4')
    expect(events).toEqual([])
  })

  test('is one where a head has to be fetched, and one where its ancestors have to be', async () => {
    world = new World(23)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const events = listen(bob.store, ...SYNC)
    await alice.put('/large', LARGE)
    await world.clock.advance(1000)
    expect(kinds(events)).toBe('spe')
    world.partition()
    await alice.put('/a', '1')
    await alice.put('/a', '2')
    world.heal()
    await alice.put('/a', '3')
    await world.clock.advance(1000)
    expect(await bob.get('/a')).toBe('3')
    expect(kinds(events)).toMatch(/^spesp+e$/)
    expect(events.at(-1)?.detail).toMatchObject({ nodes: 3, pending: 0, wanted: 0 })
  })

  test('is one for all that is heard of while it lasts', async () => {
    world = new World(24)
    const bob = await world.peer('bob', { goLike: true })
    const events = listen(bob.store, ...SYNC)
    const outsiders = ['mallory', 'oscar', 'trudy'].map((name, index) => {
      const outsider = world.outsider(name)
      outsider.rules.delayMs = 300 * (index + 1)
      const chain = forgeChain(3, { name })
      outsider.has(...chain)
      outsider.say([{ id: chain[2]!.id }])
      return outsider
    })
    await world.clock.advance(10_000)
    expect(await bob.nodes()).toBe(3 * outsiders.length)
    expect(kinds(events)).toMatch(/^sp+e$/)
    expect(events[0]?.detail).toEqual({ from: 'mallory' })
  })

  test('ends when nobody has the head and it is dropped', async () => {
    world = new World(25)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const events = listen(bob.store, ...SYNC)
    mallory.say([forgeMissing('a'), forgeMissing('b')])
    await world.clock.advance(10_000)
    expect(kinds(events)).toBe('se')
    expect(events[0]?.detail).toEqual({ from: 'mallory' })
    const end = events[1]?.detail as CrdtDatastoreEvents['sync:end']['detail']
    expect(end).toMatchObject({ nodes: 0, pending: 0, wanted: 0, droppedHeads: 2 })
    expect(end.elapsedMs).toBeGreaterThanOrEqual(1000)
    // What is dropped before the next one begins is not counted twice.
    mallory.say([forgeMissing('c')])
    await world.clock.advance(10_000)
    expect(kinds(events)).toBe('sese')
    expect(events[3]?.detail).toMatchObject({ droppedHeads: 1 })
  })

  test('ends when an ancestor that nobody has was given up', async () => {
    world = new World(26)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const [, top] = forgeChain(2) as [Forged, Forged]
    const events = listen(bob.store, ...SYNC, 'gap')
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(60_000)
    expect(events.map(({ type }) => type)).toEqual(['sync:start', 'gap', 'sync:progress', 'sync:end'])
    expect(events.at(-1)?.detail).toMatchObject({ nodes: 1, pending: 0, wanted: 0, droppedHeads: 0 })
  })

  test('of a head that turned out to be of a DAG that is ignored ends', async () => {
    world = new World(27)
    const bob = await world.peer('bob', { goLike: true })
    await bob.put('/k', '1', 'named')
    await world.clock.during(bob.store.dag.purge('named'))
    const mallory = world.outsider('mallory')
    const ignored = forge({ puts: { '/ignored': '' }, dagName: 'named' })
    mallory.has(ignored)
    const events = listen(bob.store, ...SYNC)
    // The announcement does not tell of which DAG it is.
    mallory.say([{ id: ignored.id }])
    await world.clock.advance(10_000)
    expect(await bob.get('/ignored')).toBeUndefined()
    expect(kinds(events)).toBe('se')
  })

  test('of a head that was written here meanwhile ends', async () => {
    world = new World(28)
    const carol = await world.peer('carol', { goLike: true })
    await carol.put('/same', 'value')
    const [bytes] = await carol.blocks()
    await world.clock.during(carol.store.close())
    const bob = await world.peer('bob', { goLike: true, ...NEVER_AGAIN })
    const mallory = world.outsider('mallory')
    const same = forgeBytes(bytes!)
    mallory.has(same)
    mallory.rules.delayMs = 1000
    const events = listen(bob.store, ...SYNC)
    mallory.say([{ id: same.id }])
    await world.clock.advance(100)
    await bob.put('/same', 'value')
    expect(await bob.headIds()).toEqual([same.id])
    await world.clock.advance(10_000)
    expect(kinds(events).replaceAll('p', '')).toBe('se')
  })

  test('has one end for each start, in random worlds', async () => {
    for (let seed = 30; seed < 36; seed++) {
      world = new World(seed, { loss: 0.3, duplication: 0.2, jitterMs: 300 })
      const init: PeerInit = { goLike: seed % 2 === 0, rebroadcastIntervalMs: 3000, gapPatienceMs: 5000 }
      if (seed % 3 === 0) init.pendingBlocksPerPeerMax = 16
      const peers = await world.peers(['alice', 'bob', 'carol'], init)
      const told = peers.map(({ store }) => listen(store, ...SYNC))
      const mallory = world.outsider('mallory')
      for (let i = 0; i < 25; i++) {
        const peer = peers[below(world.random, 3)] as Peer
        if (world.random() < 0.2) await peer.history(20, `${i}`)
        else await peer.put(`/${i % 4}`, world.random() < 0.2 ? LARGE : `${i}`)
        if (world.random() < 0.1) mallory.say([forgeMissing(`${i}`)])
        if (world.random() < 0.3) world.partition(['alice', 'bob'], ['carol', 'mallory'])
        if (world.random() < 0.3) world.heal()
        await world.clock.advance(below(world.random, 300))
      }
      world.loss = 0
      world.heal()
      await world.clock.advance(120_000)
      for (const [index, { store, name }] of peers.entries()) {
        const { pending, wanted } = await store.stats()
        expect({ pending, wanted }).toEqual({ pending: 0, wanted: 0 })
        expect(kinds(told[index]!), `seed ${seed}, ${name}`).toMatch(/^(sp*e)+$/)
        for (const { type, detail } of told[index]!) {
          if (type === 'sync:end') expect(detail, `seed ${seed}, ${name}`).toMatchObject({ pending: 0 })
        }
      }
      await world.close()
    }
  }, 10_000)

  test('that was cut off by a stop begins again with the start', async () => {
    world = new World(41)
    const alice = await world.peer('alice', { goLike: true, ...NEVER_AGAIN })
    await alice.history(40)
    const bob = await world.peer('bob', { goLike: true, ...NEVER_AGAIN })
    const events = listen(bob.store, ...SYNC, 'change', 'heads')
    await alice.put('/last', 'one')
    await world.clock.until(async () => (await bob.store.stats()).pending >= 10)
    expect(kinds(events)).toBe('s')
    // A commit is under way.
    const writing = bob.store.put(new Key('/mine'), utf8('1'))
    await world.clock.during(Promise.allSettled([writing, bob.store.stop()]))
    const atStop = events.length
    expect(events.map(({ type }) => type)).not.toContain('sync:end')
    await world.clock.advance(10_000)
    expect(events).toHaveLength(atStop)
    await world.clock.during(bob.store.start())
    await world.clock.until(async () => (await bob.get('/last')) === 'one')
    await world.clock.advance(1000)
    const sync = events.slice(atStop).filter(({ type }) => type.startsWith('sync'))
    expect(kinds(sync)).toMatch(/^sp+e$/)
  })

  test('that is cut off by a stop in the middle of a commit is not said to have ended', async () => {
    world = new World(43)
    const bob = await world.peer('bob', { goLike: true, ...NEVER_AGAIN })
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    const events = listen(bob.store, ...SYNC, 'change')
    mallory.say([forgeMissing('head')])
    await world.clock.advance(100)
    const release = bob.datastore.hold()
    const writing = bob.store.put(new Key('/mine'), utf8('1'))
    await world.clock.settle()
    const stopping = bob.store.stop()
    release()
    await world.clock.during(Promise.all([writing, stopping]))
    expect(events.map(({ type }) => type)).toEqual(['sync:start', 'change'])
  })

  test('that goes on after a restart names who had what was missing, or nobody', async () => {
    world = new World(42)
    const bob = await world.peer('bob', { goLike: true, ...NEVER_AGAIN })
    const mallory = world.outsider('mallory')
    mallory.rules.mute = true
    mallory.say([forgeMissing('head')])
    await world.clock.advance(100)
    const told = await startedWith(bob, (store) => details(store, 'sync:start'))
    expect(told).toEqual([{ from: '' }])
    const carol = await world.peer('carol', { goLike: true, ...NEVER_AGAIN })
    const [, top] = forgeChain(2) as [Forged, Forged]
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.advance(100)
    expect(await startedWith(carol, (store) => details(store, 'sync:start'))).toEqual([{ from: 'mallory' }])
  })
})

describe('a gap', () => {
  test('is told when it opens, and when it closes', async () => {
    world = new World(50)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const [bottom, middle, top] = forgeChain(3) as [Forged, Forged, Forged]
    const told = details(bob.store, 'gap')
    const events = listen(bob.store, 'change', 'gap')
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
    expect(told.map(({ state, dagName }) => [state, dagName])).toEqual([['opened', '']])
    expect([`${told[0]?.missing}`, `${told[0]?.linkedBy}`]).toEqual([middle.cid, top.cid])
    expect(events.map(({ type }) => type)).toEqual(['change', 'gap'])
    mallory.has(bottom, middle)
    await world.clock.until(async () => (await bob.store.stats()).gaps === 0, 600_000)
    expect(told.map(({ state }) => state)).toEqual(['opened', 'closed'])
    expect({ ...told[1], missing: `${told[1]?.missing}`, linkedBy: `${told[1]?.linkedBy}` }).toEqual({
      ...{ state: 'closed', missing: middle.cid, linkedBy: top.cid, dagName: '' }
    })
  })

  test('is told for each link, and closed for all that link to what came', async () => {
    world = new World(51)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const missing = [forgeMissing('a'), forgeMissing('b')]
    const tops = [
      forge({ links: missing, dagName: 'named' }),
      forge({ links: missing.slice(1), puts: { '/k': '' } })
    ]
    const told = details(bob.store, 'gap')
    mallory.say(tops.map(({ id, bytes }) => ({ id, block: bytes })))
    await world.clock.until(async () => (await bob.store.stats()).gaps === 3)
    const names = told.map(({ linkedBy, missing, dagName }) => `${linkedBy} ${missing} ${dagName}`)
    expect(names.sort()).toEqual(
      [
        `${tops[0]?.cid} ${missing[0]?.cid} named`,
        `${tops[0]?.cid} ${missing[1]?.cid} named`,
        `${tops[1]?.cid} ${missing[1]?.cid} `
      ].sort()
    )
    mallory.say([{ id: missing[1]!.id, block: missing[1]!.bytes }])
    await world.clock.advance(1000)
    expect(told.slice(3).map(({ state, missing }) => `${state} ${missing}`)).toEqual([
      `closed ${missing[1]?.cid}`,
      `closed ${missing[1]?.cid}`
    ])
  })

  test('is none where the ancestor came in time', async () => {
    world = new World(52)
    const [alice, bob] = (await world.peers(['alice', 'bob'], { goLike: true })) as [Peer, Peer]
    const told = details(bob.store, 'gap')
    world.partition()
    await alice.history(5)
    world.heal()
    await alice.put('/k', '1')
    await world.clock.until(async () => (await bob.nodes()) === 6)
    expect(told).toEqual([])
  })
})

describe('a block that is bad', () => {
  const notDagPb = forgeBytes(new TextEncoder().encode('these bytes are no dag-pb'))

  function invalidDelta(index = 0): Forged {
    const bytes = forge({ puts: { [`/lost/${index}/x`]: 'value' } }).bytes.slice()
    bytes[bytes.length - 1 - 'value'.length - 4] = 0xff
    return forgeBytes(bytes)
  }

  async function cast(seed: number, init: PeerInit = {}): Promise<{ bob: Peer; mallory: Outsider }> {
    world = new World(seed)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000, ...init })
    return { bob, mallory: world.outsider('mallory') }
  }

  test('because it is no dag-pb is told with its id', async () => {
    const { bob, mallory } = await cast(60)
    const told = details(bob.store, 'invalid-block')
    mallory.say([{ id: notDagPb.id, block: notDagPb.bytes }])
    await world.clock.advance(100)
    expect(told.map(({ cid, ...fault }) => ({ ...fault, cid: `${cid}` }))).toEqual([
      { from: 'mallory', fault: 'not-dag-pb', cid: notDagPb.cid }
    ])
  })

  test('because its delta does not decode is told with its id', async () => {
    const { bob, mallory } = await cast(61)
    const told = details(bob.store, 'invalid-block')
    const bad = invalidDelta()
    mallory.has(bad)
    mallory.say([{ id: bad.id }])
    await world.clock.advance(100)
    expect(told.map(({ cid, ...fault }) => ({ ...fault, cid: `${cid}` }))).toEqual([
      { from: 'mallory', fault: 'invalid-delta', cid: bad.cid }
    ])
    expect((await bob.store.stats()).counters.oddBlocks).toBe(1)
  })

  test('because it is too large is told without an id', async () => {
    const { bob, mallory } = await cast(62, { blockBytesMax: 64 * 1024 })
    const told = details(bob.store, 'invalid-block')
    const huge = forge({ puts: { '/huge': 'x'.repeat(100_000) } })
    mallory.has(huge)
    mallory.say([{ id: huge.id }])
    await world.clock.until(() => told.length > 0)
    expect(told[0]).toEqual({ from: 'mallory', fault: 'too-large' })
    expect((await bob.store.stats()).counters.oversizedBlocks).toBe(told.length)
  })

  test('because it is another than was asked for is told without an id', async () => {
    const { bob, mallory } = await cast(63)
    const told = details(bob.store, 'invalid-block')
    const [asked, other] = [forge({ puts: { '/asked': '' } }), forge({ puts: { '/other': '' } })]
    mallory.say([{ id: asked.id, block: other.bytes }])
    await world.clock.until(() => told.length > 0)
    expect(told[0]).toEqual({ from: 'mallory', fault: 'mismatched' })
    expect((await bob.store.stats()).counters.mismatchedBlocks).toBe(told.length)
  })

  test('is logged once for each peer and fault, and told and counted every time', async () => {
    const { bob, mallory } = await cast(64)
    const oscar = world.outsider('oscar')
    const told = details(bob.store, 'invalid-block')
    for (let i = 0; i < 20; i++) {
      const bad = invalidDelta(i)
      const sender = i % 2 === 0 ? mallory : oscar
      sender.say([{ id: bad.id, block: bad.bytes }])
    }
    mallory.say([{ id: notDagPb.id, block: notDagPb.bytes }])
    // Outsiders do not expect such messages of each other.
    await world.clock.advance(100)
    oscar.online = false
    for (let i = 0; i < 20; i++) mallory.say(Uint8Array.of(0xff, i))
    await world.clock.advance(1000)
    expect(told).toHaveLength(21)
    const { counters } = await bob.store.stats()
    expect(counters).toMatchObject({ oddBlocks: 21, invalidBroadcasts: 20 })
    const lines = (...words: string[]): number =>
      bob.lines.filter((line) => words.every((word) => line.includes(word))).length
    expect(lines('mallory', 'invalid-delta')).toBe(1)
    expect(lines('oscar', 'invalid-delta')).toBe(1)
    expect(lines('mallory', 'not-dag-pb')).toBe(1)
    expect(lines('mallory', 'broadcast')).toBe(1)
    expect(lines('logged once')).toBe(4)
  })

  test('that is known already is not told again', async () => {
    const { bob, mallory } = await cast(65)
    const told = details(bob.store, 'invalid-block')
    for (let i = 0; i < 3; i++) {
      mallory.say([{ id: notDagPb.id, block: notDagPb.bytes }])
      await world.clock.advance(100)
    }
    expect(told).toHaveLength(1)
  })
})

describe('divergence', () => {
  const DIGEST = new Uint8Array(32).fill(7)
  const DIGEST_HEX = '07'.repeat(32)

  interface Meeting {
    bob: Peer
    mallory: Outsider
    told: Array<CrdtDatastoreEvents['divergence']['detail']>
    /** Says hello with the heads that bob has, and another digest. */
    claim(init?: Partial<PeerClaim>): Promise<void>
  }

  async function meeting(seed: number, init: PeerInit = {}): Promise<Meeting> {
    world = new World(seed)
    const bob = await world.peer('bob', init)
    const mallory = world.outsider('mallory', { streams: true })
    await bob.put('/k', '1')
    await bob.put('/k', '2', 'named')
    const told = details(bob.store, 'divergence')
    const claim = async (init: Partial<PeerClaim> = {}): Promise<void> => {
      const heads = await bob.headIds()
      bob.greeted('mallory', { ...mallory.claim(heads), digest: DIGEST, ...init })
      await world.clock.advance(1)
    }
    return { bob, mallory, told, claim }
  }

  test('is told where a peer has the same heads and claims another digest', async () => {
    const { bob, told, claim } = await meeting(70)
    await claim()
    expect(told).toEqual([{ peer: 'mallory', ours: await bob.store.digest(), theirs: DIGEST_HEX }])
    expect((await bob.store.stats()).counters.divergences).toBe(1)
    expect(bob.lines.filter((line) => line.includes('mallory') && line.includes('verify'))).toHaveLength(1)
  })

  test('is told of one peer no more often than divergenceIntervalMs', async () => {
    const { bob, told, claim } = await meeting(71, { divergenceIntervalMs: 10_000 })
    for (let i = 0; i < 50; i++) {
      await claim()
      await world.clock.advance(999)
    }
    expect(told).toHaveLength(5)
    expect((await bob.store.stats()).counters.divergences).toBe(5)
    bob.greeted('oscar', { ...world.outsider('oscar').claim(await bob.headIds()), digest: DIGEST })
    expect(told.map(({ peer }) => peer).slice(-1)).toEqual(['oscar'])
  })

  test('is told once this replica has caught up with what the peer claimed', async () => {
    const { bob, mallory, told } = await meeting(72)
    const top = forge({
      puts: { '/top': '' },
      links: (await bob.headIds()).slice(1).map((id) => ({ id })),
      priority: 9n
    })
    mallory.has(top)
    const heads = [...(await bob.headIds()).slice(0, 1), top.id]
    bob.greeted('mallory', { ...mallory.claim(heads), digest: DIGEST })
    expect(told).toEqual([])
    await world.clock.advance(1000)
    expect((await bob.headIds()).sort()).toEqual(heads.sort())
    expect(told).toEqual([{ peer: 'mallory', ours: await bob.store.digest(), theirs: DIGEST_HEX }])
  })

  const INCOMPARABLE: Record<string, (meeting: Meeting) => Promise<unknown>> = {
    'the digests are equal': async ({ bob, claim }) => claim({ digest: bob.claim().digest! }),
    'the peer computes its digest in another way': async ({ bob, mallory }) =>
      bob.greeted('mallory', mallory.claim(await bob.headIds())),
    'the peer has fewer heads': async ({ bob, claim }) => claim({ heads: bob.claim().heads.slice(1) }),
    'the peer has other heads': async ({ bob, claim }) =>
      claim({ heads: [bob.claim().heads[0]!, { id: forgeMissing('other').id, dagName: '' }] }),
    'the peer has gaps': async ({ claim }) => claim({ gaps: 1 }),
    'the peer has deferred nodes': async ({ claim }) => claim({ deferred: 1 }),
    'the peer ignores a DAG': async ({ claim }) => claim({ ignoredDags: ['other'] }),
    'the peer left heads out': async ({ claim }) => claim({ headsLeftOut: 1 }),
    'there are gaps here': async ({ bob, mallory, claim }) => {
      const [, top] = forgeChain(2) as [Forged, Forged]
      mallory.say([{ id: top.id, block: top.bytes }])
      await world.clock.until(async () => (await bob.store.stats()).gaps === 1)
      await claim()
    },
    'there are deferred nodes here': async ({ bob, mallory, claim }) => {
      const later = forge({ puts: { '/later': '' }, requires: [9] })
      mallory.say([{ id: later.id, block: later.bytes }])
      await world.clock.until(async () => (await bob.store.stats()).deferred === 1)
      await claim()
    },
    'a DAG is ignored here': async ({ bob, claim }) => {
      await world.clock.during(bob.store.dag.purge('named'))
      await claim()
    }
  }
  test.each(Object.entries(INCOMPARABLE))('is not told where %s', async (_name, happen) => {
    const everything = await meeting(73, { gapPatienceMs: 100 })
    await happen(everything)
    await world.clock.advance(100)
    expect(everything.told).toEqual([])
  })

  test('is never told among honest replicas', async () => {
    for (let seed = 80; seed < 85; seed++) {
      world = new World(seed, { loss: 0.3, jitterMs: 300 })
      const peers = await world.peers(['alice', 'bob', 'carol'], {
        rebroadcastIntervalMs: 3000,
        gapPatienceMs: 2000
      })
      const told = peers.map(({ store }) => details(store, 'divergence'))
      for (let i = 0; i < 20; i++) {
        await (peers[below(world.random, 3)] as Peer).put(`/${i % 4}`, `${i}`)
        if (i % 4 === 0) world.partition(['alice', 'bob'])
        if (i % 4 === 2) world.heal()
        await world.clock.advance(below(world.random, 300))
      }
      expect(told.flat(), `seed ${seed}`).toEqual([])
      await world.close()
    }
  })
})

describe('after stop', () => {
  test('nothing is told, whatever peers say', async () => {
    world = new World(90)
    const bob = await world.peer('bob', { goLike: true, gapPatienceMs: 1000 })
    const mallory = world.outsider('mallory')
    const chain = forgeChain(5)
    mallory.has(...chain)
    mallory.rules.delayMs = 500
    const events = listen(bob.store, 'change', 'heads', 'gap', 'invalid-block', 'divergence', ...SYNC)
    mallory.say([{ id: chain[4]!.id }])
    await world.clock.advance(1200)
    await world.clock.during(bob.store.stop())
    const before = events.length
    mallory.say([{ id: chain[0]!.id, block: chain[0]!.bytes }])
    await world.clock.advance(600_000)
    expect(events).toHaveLength(before)
  })
})
