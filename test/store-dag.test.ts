// `store.dag`: walking the nodes of a store, asking for one, and writing one that says exactly what it is told to.
import { Key } from 'interface-datastore'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { afterEach, describe, expect, test } from 'vitest'
import type { CrdtDatastore, DagNodeView, DeltaToPublish } from '../src/index.ts'
import { areLevel, expectConverged, expectLikeOracle, forge, forgeMissing } from './replica/forge.ts'
import { type Peer, text, utf8, World } from './replica/world.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { checkStore, contentOf } from './storage/store-check.ts'

const key = (name: string): Key => new Key(name)
const K = key('/k')

/** CIDs that no node can have: raw bytes, and another hash. */
const RAW = CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32)))
const SHA_512 = CID.createV1(0x70, Digest.create(0x13, new Uint8Array(64)))
const UNKNOWN = CID.parse(forgeMissing('unknown').cid)

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

async function headOf(store: CrdtDatastore, dagName = ''): Promise<CID> {
  return (await store.heads(dagName))[0]!.cid
}

function firstKeys(nodes: readonly DagNodeView[]): string[] {
  return nodes.map(({ elements }) => elements[0]!.key.toString())
}

/** A store with one node a key, each on top of the one before, and one beside them. */
async function storeOf(...keys: string[]): Promise<CrdtDatastore> {
  const store = await openStore()
  for (const name of keys) await store.put(key(name), utf8(name))
  await store.put(key('/beside'), utf8(''), { dagName: 'other' })
  return store
}

describe('a walk', () => {
  test('begins at the heads of all DAGs, and tells everything of a node', async () => {
    const store = await storeOf('/a', '/b')
    const head = await headOf(store)
    await store.delete(key('/a'))
    const nodes = await collect(store.dag.traverse())
    expect(nodes).toHaveLength(4)
    const [top, beside, second, first] = nodes as [DagNodeView, DagNodeView, DagNodeView, DagNodeView]
    expect(top).toMatchObject({ priority: 4n, dagName: '', sequence: 4, elements: [] })
    expect(top.cid.equals(await headOf(store))).toBe(true)
    expect(top.links.map(String)).toEqual([String(head)])
    expect(top.tombstones).toEqual([{ key: key('/a'), cid: first.cid }])
    expect(beside).toMatchObject({ dagName: 'other', links: [], sequence: 3, tombstones: [] })
    expect(second.elements).toEqual([{ key: key('/b'), value: utf8('/b') }])
    expect(firstKeys([second, first])).toEqual(['/b', '/a'])
    expect(forge({ puts: { '/a': '/a' } }).bytes).toEqual(first.bytes)
  })

  test('begins at one node or at several, and passes over those that are not applied', async () => {
    const store = await storeOf('/a', '/b', '/c')
    const [c, b, a] = (await collect(store.dag.traverse({ from: await headOf(store) }))) as [
      DagNodeView,
      DagNodeView,
      DagNodeView
    ]
    expect(firstKeys([c, b, a])).toEqual(['/c', '/b', '/a'])
    expect(firstKeys(await collect(store.dag.traverse({ from: b.cid })))).toEqual(['/b', '/a'])
    const from = new Set([a.cid, UNKNOWN, b.cid, await headOf(store, 'other'), a.cid])
    expect(firstKeys(await collect(store.dag.traverse({ from })))).toEqual(['/beside', '/b', '/a'])
    expect(await collect(store.dag.traverse({ from: UNKNOWN }))).toEqual([])
    expect(await collect(store.dag.traverse({ from: [] }))).toEqual([])
    // Of version 0 it is the same node.
    const v0 = CID.createV0(b.cid.multihash as Digest.Digest<0x12, 32>)
    expect(firstKeys(await collect(store.dag.traverse({ from: v0 })))).toEqual(['/b', '/a'])
  })

  test('of an empty store is over at once', async () => {
    expect(await collect((await openStore()).dag.traverse())).toEqual([])
  })

  test.each([RAW, SHA_512])('from what cannot be a node is refused by name: %s', async (cid) => {
    const store = await storeOf('/a')
    const refusal = { name: 'InvalidCidError', cid: cid.toString() }
    await expect(collect(store.dag.traverse({ from: cid }))).rejects.toMatchObject(refusal)
    await expect(collect(store.dag.traverse({ from: [UNKNOWN, cid] }))).rejects.toMatchObject(refusal)
    await expect(collect(store.dag.print({ from: cid }))).rejects.toMatchObject(refusal)
    await expect(collect(store.dag.dot({ from: cid }))).rejects.toMatchObject(refusal)
    await expect(store.dag.isApplied(cid)).rejects.toMatchObject(refusal)
  })

  test('ends when its signal is aborted, even where the disk hangs', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    for (let i = 0; i < 3; i++) await store.put(key(`/${i}`), utf8(''))
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(collect(store.dag.traverse({ signal }))).rejects.toThrow('enough')
    const controller = new AbortController()
    const walk = store.dag.traverse({ signal: controller.signal })
    await walk.next()
    const release = datastore.holdReads()
    const next = walk.next()
    controller.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    release()
    expect(await walk.next()).toMatchObject({ done: true })
  })

  test('leaves out what is written while it goes on', async () => {
    const store = await storeOf('/a', '/b')
    const walk = store.dag.traverse()
    await walk.next()
    await store.put(key('/late'), utf8(''))
    expect(firstKeys(await collect(walk))).toEqual(['/b', '/a'])
  })

  test('draws lines, of as many nodes as are asked for', async () => {
    const store = await storeOf('/a', '/b')
    expect((await collect(store.dag.print())).join('\n')).toContain('/b')
    expect((await collect(store.dag.dot()))[0]).toMatch(/^digraph/)
    const from = await headOf(store)
    expect((await collect(store.dag.print({ from }))).join('\n')).not.toContain('/beside')
    expect((await collect(store.dag.print({ limit: 1 }))).length).toBeLessThan(
      (await collect(store.dag.print())).length
    )
  })

  test('and everything else needs a store that is started', async () => {
    const store = await openStore({ start: false })
    const { dag } = store
    for (const call of [
      async () => await collect(dag.traverse()),
      async () => await dag.isApplied(UNKNOWN),
      async () => await dag.publish({ elements: [{ key: K, value: utf8('') }] }),
      async () => await dag.purge('x'),
      async () => await dag.resume('x')
    ]) {
      await expect(call()).rejects.toMatchObject({ name: 'NotStartedError' })
    }
    await store.start()
    expect(await collect(dag.traverse())).toEqual([])
    await store.close()
    await expect(dag.isApplied(UNKNOWN)).rejects.toMatchObject({ name: 'ClosedError' })
  })
})

test('a node is applied from its commit on, also after a restart', async () => {
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore })
  expect(await store.dag.isApplied(UNKNOWN)).toBe(false)
  await store.put(K, utf8('1'))
  const head = await headOf(store)
  expect(await store.dag.isApplied(head)).toBe(true)
  await store.close()
  const again = await openStore({ datastore })
  expect(await again.dag.isApplied(head)).toBe(true)
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(again.dag.isApplied(head, { signal })).rejects.toThrow('enough')
})

describe('a delta that is published', () => {
  let world: World

  afterEach(async () => {
    await world.close()
  })

  async function publish(
    { store }: Peer,
    delta: DeltaToPublish,
    options: { dagName?: string } = {}
  ): Promise<CID> {
    return await world.clock.during(store.dag.publish(delta, options))
  }

  test('becomes one node on top of the heads of its DAG, with the next priority', async () => {
    world = new World(1)
    const alice = await world.peer('alice')
    const mallory = world.outsider('mallory')
    const heads = [forge({ puts: { '/1': '' }, priority: 7n }), forge({ puts: { '/2': '' }, priority: 9n })]
    mallory.say(heads.map(({ id, bytes }) => ({ id, block: bytes })))
    await world.clock.until(async () => (await alice.nodes()) === 2)
    await alice.put('/named', '1', 'named')
    const elements = [
      { key: key('/a'), value: utf8('1') },
      { key: key('//b/../c'), value: utf8('') }
    ]
    const cid = await publish(alice, { elements })
    const [node] = await collect(alice.store.dag.traverse({ from: cid }))
    expect(node).toMatchObject({ priority: 11n, dagName: '', sequence: 4, tombstones: [] })
    expect(node!.links.map(String).sort()).toEqual(heads.map(({ cid }) => cid).sort())
    expect(node!.elements.map(({ key }) => key.toString())).toEqual(['/a', '/c'])
    expect((await alice.store.heads('')).map(({ cid }) => String(cid))).toEqual([String(cid)])
    expect(await alice.get('/c')).toBe('')
    const named = await publish(alice, { elements }, { dagName: 'named' })
    expect((await alice.store.heads('named'))[0]).toMatchObject({ priority: 12n })
    expect(String((await alice.store.heads('named'))[0]!.cid)).toBe(String(named))
    await expectLikeOracle(alice)
  })

  test('removes the versions that its tombstones name, as a delete does, here and elsewhere', async () => {
    world = new World(2)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    world.partition(['alice'], ['bob'])
    await alice.put('/k', 'a')
    await bob.put('/k', 'b')
    world.heal()
    await world.clock.until(() => areLevel([alice, bob]))
    expect(await alice.get('/k')).toBe('b')
    const [winner] = await collect(alice.store.getAll(K))
    alice.changes.splice(0)
    await publish(alice, { tombstones: [{ key: K, cid: winner!.cid }] })
    expect(await alice.get('/k')).toBe('a')
    expect(alice.changes).toMatchObject([{ origin: 'local' }])
    expect(text(alice.changes[0]!.value!)).toBe('a')
    await world.clock.until(() => areLevel([alice, bob]))
    expect(await bob.get('/k')).toBe('a')
    // A tombstone and an element of one key: what was there goes, what is given stays.
    const [last] = await collect(bob.store.getAll(K))
    await publish(bob, {
      elements: [{ key: K, value: utf8('new') }],
      tombstones: [{ key: K, cid: last!.cid }]
    })
    await world.clock.until(async () => (await alice.get('/k')) === 'new')
    expect(await collect(alice.store.getAll(K))).toHaveLength(1)
    await expectConverged([alice, bob])
  })

  test('may remove what has not come yet, and then it never shows', async () => {
    world = new World(3)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    const late = forge({ puts: { '/k': 'late' } })
    await publish(alice, { tombstones: [{ key: K, cid: CID.parse(late.cid) }] })
    expect(await alice.store.stats()).toMatchObject({ tombstones: 1 })
    world.outsider('mallory').say([{ id: late.id, block: late.bytes }])
    await world.clock.until(async () => (await alice.nodes()) === 2 && (await bob.nodes()) === 2)
    expect(await alice.get('/k')).toBeUndefined()
    expect(await bob.get('/k')).toBeUndefined()
    await expectConverged([alice, bob])
  })

  test('is a local commit, and is announced with its block', async () => {
    world = new World(4)
    const [alice, bob] = (await world.peers(['alice', 'bob'])) as [Peer, Peer]
    const heads: unknown[] = []
    alice.store.addEventListener('heads', ({ detail }) => void heads.push(detail))
    const cid = await publish(alice, { elements: [{ key: K, value: utf8('1') }] })
    expect((await alice.store.stats()).counters).toMatchObject({ localCommits: 1, localNodes: 1 })
    expect(heads).toMatchObject([{ added: [{ priority: 1n }], sequence: 1 }])
    await world.clock.until(async () => (await bob.get('/k')) === '1', 100)
    expect(
      world.messages.map(({ from, heads }) => [from, heads.length, heads[0]?.block !== undefined])
    ).toEqual([['alice', 1, true]])
    expect(await bob.store.dag.isApplied(cid)).toBe(true)
    expect(bob.exchange.requests).toEqual([])
  })

  test('takes its turn with other writes, which each get their own priority', async () => {
    world = new World(5)
    const alice = await world.peer('alice')
    const writes = Array.from({ length: 20 }, async (_, i) =>
      i % 2 === 0
        ? await alice.store.put(key(`/${i}`), utf8(''))
        : await alice.store.dag.publish({ elements: [{ key: key(`/${i}`), value: utf8('') }] })
    )
    await world.clock.during(Promise.all(writes))
    const nodes = await collect(alice.store.dag.traverse())
    expect(nodes.map(({ priority }) => Number(priority))).toEqual(
      Array.from({ length: 20 }, (_, i) => 20 - i)
    )
    expect(await alice.store.heads()).toHaveLength(1)
    await expectLikeOracle(alice)
  })

  const one = { key: K, value: utf8('') }
  const refused: Array<[string, DeltaToPublish, string, string?]> = [
    ['nothing', {}, 'InvalidDeltaError'],
    ['nothing, in empty lists', { elements: [], tombstones: [] }, 'InvalidDeltaError'],
    ['a key twice', { elements: [one, one] }, 'InvalidDeltaError'],
    [
      'a key twice, spelled otherwise',
      { elements: [one, { ...one, key: key('/x/../k') }] },
      'InvalidDeltaError'
    ],
    [
      'more than fits',
      { elements: ['/a', '/b', '/c'].map((name) => ({ key: key(name), value: new Uint8Array(500) })) },
      'InvalidDeltaError'
    ],
    [
      'more tombstones than fit',
      { tombstones: Array.from({ length: 20 }, (_, i) => ({ key: key(`/${i}`), cid: UNKNOWN })) },
      'InvalidDeltaError'
    ],
    ['too large a value', { elements: [{ key: K, value: new Uint8Array(2000) }] }, 'ValueTooLargeError'],
    ['no bytes', { elements: [{ key: K, value: 'text' as never }] }, 'InvalidValueError'],
    ['the root', { elements: [{ ...one, key: key('/') }] }, 'InvalidKeyError'],
    ['a key above the root', { tombstones: [{ key: key('/../x'), cid: UNKNOWN }] }, 'InvalidKeyError'],
    ['what is no node', { tombstones: [{ key: K, cid: RAW }] }, 'InvalidCidError'],
    ['a DAG that Go peers lose', { elements: [one] }, 'InvalidDagNameError', 'a/b']
  ]

  test.each(refused)(
    'with %s is refused, and nothing is written',
    async (_what, delta, name, dagName = '') => {
      world = new World(6)
      const alice = await world.peer('alice', { deltaBytesMax: 1024 })
      await alice.put('/k', 'there')
      const { writes } = alice.datastore
      const said = world.messages.length
      await expect(alice.store.dag.publish(delta, { dagName })).rejects.toMatchObject({ name })
      await world.clock.advance(100)
      expect(alice.datastore.writes).toBe(writes)
      expect(world.messages).toHaveLength(said)
      const { nodes, counters } = await alice.store.stats()
      expect({ nodes, failed: counters.failedCommits }).toEqual({ nodes: 1, failed: 0 })
      expect(await alice.get('/k')).toBe('there')
      await alice.put('/k', 'next')
      expect((await alice.store.heads())[0]?.priority).toBe(2n)
    }
  )

  test('that the disk refuses is refused by name, leaves nothing, and can be published again', async () => {
    world = new World(7)
    const alice = await world.peer('alice')
    await alice.put('/k', '1')
    alice.datastore.failures = 1
    const delta = { elements: [{ key: K, value: utf8('2') }] }
    await expect(publish(alice, delta)).rejects.toMatchObject({ name: 'CommitFailedError' })
    expect(await alice.get('/k')).toBe('1')
    expect((await alice.store.stats()).counters.failedCommits).toBe(1)
    await publish(alice, delta)
    expect(await alice.get('/k')).toBe('2')
    await expectLikeOracle(alice)
  })

  test('whose signal is aborted before is not written; aborted meanwhile, the wait ends at once', async () => {
    world = new World(8)
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore })
    const delta = { elements: [{ key: K, value: utf8('1') }] }
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(store.dag.publish(delta, { signal: aborted })).rejects.toThrow('enough')
    expect(await store.heads()).toEqual([])
    const controller = new AbortController()
    const release = datastore.holdWrites()
    const publishing = store.dag.publish(delta, { signal: controller.signal })
    await datastore.nextWrite()
    controller.abort(new Error('enough'))
    await expect(publishing).rejects.toThrow('enough')
    release()
    await store.put(key('/next'), utf8('1'))
    expect(await contentOf(store)).toEqual({ '/k': '1', '/next': '1' })
    await checkStore(store, datastore)
  })
})
