// The versions of a key: those that are alive, the winner first; what was ever written to it; and why it has its value.
// What they tell is held against the oracle, which works it out from the blocks alone.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import { cidFromBlockId } from '../src/codec/block-id.ts'
import { decodeNode } from '../src/codec/node.ts'
import type { CrdtDatastore, HistoryEntry, KeyVersion } from '../src/index.ts'
import { type OracleState, oracle } from '../src/testkit/oracle/oracle.ts'
import { below } from './replica/clock.ts'
import { forge } from './replica/forge.ts'
import { type Peer, World } from './replica/world.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'
import { type RemoteNode, type RemoteNodeInit, RemotePeer, remoteNode } from './storage/remote-peer.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)
const key = new Key('/k')

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

interface Cast {
  store: CrdtDatastore
  /** Nodes of another replica; each is merged before this returns. */
  write(...nodes: RemoteNodeInit[]): Promise<RemoteNode[]>
}

async function cast(init: Parameters<typeof openStore>[0] = {}): Promise<Cast> {
  const peer = new RemotePeer()
  const store = await openStore({ ...init, broadcaster: peer, topic: 'test' })
  return {
    store,
    write: async (...inits) => {
      const nodes = await Promise.all(inits.map(remoteNode))
      for (const node of nodes) peer.say(node)
      await store.waitForSync()
      return nodes
    }
  }
}

/** A node that gives `/k` a value. */
const version = (priority: bigint, value: string, init: Partial<RemoteNodeInit> = {}): RemoteNodeInit => ({
  priority,
  elements: [{ key: '/k', value: encode(value) }],
  ...init
})

const values = (versions: ReadonlyArray<{ value?: Uint8Array }>): Array<string | undefined> =>
  versions.map(({ value }) => text(value))

describe.each(DATASTORES)('over $name', ({ open }) => {
  test('getAll gives the winner first and what each node says of itself', async () => {
    const { store, write } = await cast({ datastore: await open() })
    await store.put(key, encode('mine'))
    await write(version(7n, 'theirs', { dagName: 'named' }))
    const versions = await all(store.getAll(key))
    const [mine] = await store.heads('')
    const [theirs] = await store.heads('named')
    expect(versions.map((version) => ({ ...version, cid: `${version.cid}` }))).toEqual([
      {
        ...{ cid: `${theirs?.cid}`, priority: 7n, dagName: 'named', sequence: 2, origin: 'remote' },
        value: encode('theirs')
      },
      {
        ...{ cid: `${mine?.cid}`, priority: 1n, dagName: '', sequence: 1, origin: 'local' },
        value: encode('mine')
      }
    ])
    expect(versions[0]?.value).toEqual(await store.get(key))
    for (const { value } of versions) expect(value.constructor).toBe(Uint8Array)
  })

  test('history gives every node that touched the key, newest first', async () => {
    const { store, write } = await cast({ datastore: await open() })
    await store.put(key, encode('1'))
    await store.put(new Key('/other'), encode('x'))
    await store.delete(key)
    await store.put(key, encode('2'))
    const [node] = await write(version(9n, 'theirs', { dagName: 'named' }))
    const entries = await all(store.history(key))
    expect(
      entries.map(({ sequence, value, alive, origin, dagName }) => [
        sequence,
        text(value),
        alive,
        origin,
        dagName
      ])
    ).toEqual([
      [5, 'theirs', true, 'remote', 'named'],
      [4, '2', true, 'local', ''],
      [3, undefined, false, 'local', ''],
      [1, '1', false, 'local', '']
    ])
    expect(`${entries[0]?.cid}`).toBe(`${cidFromBlockId(node!.id)}`)
    expect(entries[2]).not.toHaveProperty('value')
    expect(entries.map(({ removed }) => removed.map(String))).toEqual([[], [], [`${entries[3]?.cid}`], []])
    for (const { value } of entries) if (value !== undefined) expect(value.constructor).toBe(Uint8Array)
  })
})

describe('getAll', () => {
  test('of a key that was never written, or is gone, gives nothing', async () => {
    const store = await openStore()
    await store.put(key, encode('1'))
    await store.put(key, encode('2'))
    await store.delete(key)
    expect(await all(store.getAll(key))).toEqual([])
    expect(await all(store.getAll(new Key('/never')))).toEqual([])
  })

  test('ranks by priority, and among equals by the bytes of the value, and then by the id', async () => {
    const { store, write } = await cast()
    const low = [version(3n, 'z'), version(3n, '')]
    const tied = [version(5n, 'b'), version(5n, 'aa'), version(5n, 'a'), version(5n, ''), version(5n, 'ab')]
    const same = [
      version(4n, 's'),
      version(4n, 's', { dagName: 'one' }),
      version(4n, 's', { dagName: 'two' })
    ]
    const top = version(2n ** 64n - 1n, '')
    await write(...low, ...tied, top, ...same)
    const versions = await all(store.getAll(key))
    expect(values(versions)).toEqual(['', 'b', 'ab', 'aa', 'a', '', 's', 's', 's', 'z', ''])
    expect(versions.map(({ priority }) => priority)).toEqual([
      2n ** 64n - 1n,
      ...[5n, 5n, 5n, 5n, 5n],
      ...[4n, 4n, 4n],
      ...[3n, 3n]
    ])
    const ids = versions.slice(6, 9).map(({ cid }) => Buffer.from(cid.multihash.digest).toString('hex'))
    expect(ids).toEqual([...ids].sort().reverse())
  })

  test('gives many versions of one key, each once, in time that grows with their number', async () => {
    const { store, write } = await cast()
    const count = 1000
    await write(...Array.from({ length: count }, (_, i) => version(BigInt(1 + (i % 10)), `${i}`)))
    const versions = await all(store.getAll(key))
    expect(new Set(values(versions)).size).toBe(count)
    const ranks = versions.map(({ priority }) => Number(priority))
    expect(ranks).toEqual([...ranks].sort((a, b) => b - a))
    expect(versions[0]?.value).toEqual(await store.get(key))
  })

  test('hands over bytes that are the caller’s own', async () => {
    const blocks = new Map<string, Uint8Array>()
    const blockstore = {
      get: (cid: { toString(): string }) => blocks.get(cid.toString()) as Uint8Array,
      put: (cid: { toString(): string }, bytes: Uint8Array) => void blocks.set(cid.toString(), bytes)
    }
    for (const init of [{}, { blockstore }]) {
      const { store, write } = await cast(init)
      await write(version(1n, 'one'), version(1n, 'two'))
      for (const told of [() => store.getAll(key), () => store.history(key)]) {
        for (const { value } of (await all(told() as AsyncGenerator<KeyVersion>)).reverse()) value.fill(0)
        expect(values(await all(store.getAll(key)))).toEqual(['two', 'one'])
        expect(values(await all(store.history(key)))).toEqual(['two', 'one'])
      }
      expect(text(await store.get(key))).toBe('two')
    }
  })

  test('hands over a value, not the block that it came in', async () => {
    const { store, write } = await cast()
    const large = { key: '/large', value: new Uint8Array(100_000) }
    await write({ priority: 1n, elements: [large, { key: '/k', value: encode('1') }] })
    const [alive] = await all(store.getAll(key))
    const [entry] = await all(store.history(key))
    const [explained] = (await store.explain(key)).versions
    for (const told of [alive, entry, explained]) expect(told?.value?.buffer.byteLength).toBe(1)
  })

  test('takes a key in any spelling, and refuses what is none', async () => {
    const store = await openStore()
    await store.put(new Key('/a/b'), encode('1'))
    const odd = new Key('/a//b/', false)
    expect(values(await all(store.getAll(odd)))).toEqual(['1'])
    expect(values(await all(store.history(odd)))).toEqual(['1'])
    expect((await store.explain(odd)).key).toBe('/a/b')
    const root = new Key('/')
    await expect(all(store.getAll(root))).rejects.toMatchObject({ name: 'InvalidKeyError' })
    await expect(all(store.history(root))).rejects.toMatchObject({ name: 'InvalidKeyError' })
    await expect(store.explain(root)).rejects.toMatchObject({ name: 'InvalidKeyError' })
  })
})

describe('history', () => {
  async function ten(): Promise<CrdtDatastore> {
    const store = await openStore()
    for (let i = 1; i <= 10; i++) await store.put(i % 2 === 0 ? key : new Key('/other'), encode(`${i}`))
    return store
  }

  const sequences = (entries: HistoryEntry[]): number[] => entries.map(({ sequence }) => sequence)

  test('of a key that was never written gives nothing', async () => {
    const store = await ten()
    expect(await all(store.history(new Key('/never')))).toEqual([])
    expect(await all((await openStore()).history(key))).toEqual([])
  })

  test('gives no more entries than its limit', async () => {
    const store = await ten()
    expect(sequences(await all(store.history(key, { limit: 2 })))).toEqual([10, 8])
    expect(await all(store.history(key, { limit: 0 }))).toEqual([])
    expect(sequences(await all(store.history(key, { limit: Number.POSITIVE_INFINITY })))).toHaveLength(5)
  })

  test('goes on behind the last entry that was seen', async () => {
    const store = await ten()
    const seen: number[] = []
    for (;;) {
      const before = seen.at(-1)
      const page = await all(store.history(key, { limit: 2, ...(before === undefined ? {} : { before }) }))
      if (page.length === 0) break
      seen.push(...sequences(page))
    }
    expect(seen).toEqual([10, 8, 6, 4, 2])
    expect(sequences(await all(store.history(key, { before: 7 })))).toEqual([6, 4, 2])
    for (const before of [0, 1, 2]) expect(await all(store.history(key, { before }))).toEqual([])
  })

  test('before a number that is greater than any has everything, at once', async () => {
    const store = await ten()
    for (const before of [11, 12, 1e9, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
      expect(sequences(await all(store.history(key, { before })))).toEqual([10, 8, 6, 4, 2])
    }
  })

  test('with a limit or a number that cannot be is refused by name', async () => {
    const store = await ten()
    for (const value of [-1, 0.5, Number.NaN, '1', null]) {
      for (const option of ['limit', 'before']) {
        await expect(
          all(store.history(key, { [option]: value })),
          `${option} ${value}`
        ).rejects.toMatchObject({
          ...{ name: 'InvalidOptionError', option }
        })
      }
    }
  })

  test('tells of a put and a delete in one node, and of versions that a delete did not know', async () => {
    const { store, write } = await cast()
    const [one, two] = await write(version(1n, 'one'), version(1n, 'two'))
    const both = version(2n, 'three', { tombstones: [{ key: '/k', id: one!.id }], links: [one!.id] })
    await write(both)
    const [newest, ...older] = await all(store.history(key))
    expect(newest).toMatchObject({ value: encode('three'), alive: true, priority: 2n, sequence: 3 })
    expect(newest?.removed.map(String)).toEqual([`${cidFromBlockId(one!.id)}`])
    expect(older.map(({ cid, alive }) => [`${cid}`, alive])).toEqual([
      [`${cidFromBlockId(two!.id)}`, true],
      [`${cidFromBlockId(one!.id)}`, false]
    ])
  })

  test('does not mix up keys that begin alike', async () => {
    const store = await openStore()
    for (const name of ['/k', '/k/k', '/kk', '/k/']) await store.put(new Key(name, false), encode(name))
    expect(values(await all(store.history(key)))).toEqual(['/k/', '/k'])
    expect(values(await all(store.getAll(key)))).toEqual(['/k/', '/k'])
  })

  test('goes over more nodes than are read at once', async () => {
    const store = await openStore({ coalesce: false })
    await Promise.all(Array.from({ length: 300 }, (_, i) => store.put(key, encode(`${i}`))))
    expect(values(await all(store.history(key)))).toEqual(Array.from({ length: 300 }, (_, i) => `${299 - i}`))
  })

  test('that is left early reads no further', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, coalesce: false })
    await Promise.all(Array.from({ length: 1000 }, (_, i) => store.put(key, encode(`${i}`))))
    datastore.reads = 0
    for await (const _ of store.history(key)) break
    // The alive versions are looked up first; of the log one hand is read.
    expect(datastore.reads).toBeLessThan(100)
  })
})

describe('explain', () => {
  test('a key without a value', async () => {
    const store = await openStore()
    await store.put(key, encode('1'))
    await store.delete(key)
    const explained = await store.explain(key)
    expect(explained).toEqual({
      ...{ key: '/k', rule: 'no-version', versions: [], versionCount: 0 },
      text: '"/k" has no value: no version of it is alive here.'
    })
    expect(explained).not.toHaveProperty('value')
  })

  test('a key with one version', async () => {
    const store = await openStore()
    await store.put(key, encode('one'))
    const { versions, ...explained } = await store.explain(key)
    const [{ cid }] = versions as [KeyVersion]
    expect(explained).toEqual({
      ...{ key: '/k', value: encode('one'), rule: 'only-version', versionCount: 1 },
      text: `"/k" has the value of ${cid}, its only alive version.\n* ${cid}  priority 1, 3 bytes, written here`
    })
  })

  test('a key whose winner has the greatest priority', async () => {
    const { store, write } = await cast()
    await store.put(key, encode('mine'))
    await write(version(7n, 'theirs', { dagName: 'named' }))
    const { versions, ...explained } = await store.explain(key)
    const [theirs, mine] = versions.map(({ cid }) => `${cid}`)
    expect(explained).toEqual({
      ...{ key: '/k', value: encode('theirs'), rule: 'priority', versionCount: 2 },
      text: [
        `"/k" has the value of ${theirs}, whose priority 7 is greater than 1, the next.`,
        `* ${theirs}  priority 7, 6 bytes, written elsewhere, DAG "named"`,
        `  ${mine}  priority 1, 4 bytes, written here`
      ].join('\n')
    })
  })

  test('a key whose winner has the greatest bytes', async () => {
    const { store, write } = await cast()
    await write(version(1n, 'aa'), version(1n, 'b'))
    const { versions, rule, text, value } = await store.explain(key)
    const [b, aa] = versions.map(({ cid }) => `${cid}`)
    expect({ rule, value }).toEqual({ rule: 'value', value: encode('b') })
    expect(text).toBe(
      [
        `"/k" has the value of ${b}: priority 1 ties with ${aa}, and of the two values its bytes are greater.`,
        `* ${b}  priority 1, 1 bytes, written elsewhere`,
        `  ${aa}  priority 1, 2 bytes, written elsewhere`
      ].join('\n')
    )
  })

  test('a key that was given the same value twice', async () => {
    const { store, write } = await cast()
    await write(version(1n, 'same'), version(1n, 'same', { dagName: 'named' }))
    const { versions, rule, text } = await store.explain(key)
    const [one, other] = versions
    const where = ({ dagName }: KeyVersion): string => (dagName === '' ? '' : `, DAG "${dagName}"`)
    expect(rule).toBe('id')
    expect(text).toBe(
      [
        `"/k" has the value of ${one?.cid}: priority 1 ties with ${other?.cid}, and so do the values, ` +
          'so that nothing is decided but whose node is named.',
        `* ${one?.cid}  priority 1, 4 bytes, written elsewhere${where(one!)}`,
        `  ${other?.cid}  priority 1, 4 bytes, written elsewhere${where(other!)}`
      ].join('\n')
    )
  })

  test('names no more versions than its limit, and counts them all', async () => {
    const { store, write } = await cast()
    await write(...Array.from({ length: 150 }, (_, i) => version(BigInt(i + 1), `${i}`)))
    const byDefault = await store.explain(key)
    expect(byDefault).toMatchObject({ rule: 'priority', versionCount: 150, value: encode('149') })
    expect(byDefault.versions).toHaveLength(100)
    expect(byDefault.text.split('\n').at(-1)).toBe('  and 50 more')
    for (const limit of [0, 1, 2, 3, 150, 1000]) {
      const { versions, text, rule, value, versionCount } = await store.explain(key, { limit })
      expect(versions).toEqual(byDefault.versions.concat(versions.slice(100)).slice(0, limit))
      // The reason is the same however many are listed.
      expect(text.split('\n')[0]).toBe(byDefault.text.split('\n')[0])
      expect({ rule, value, versionCount }).toEqual({
        rule: 'priority',
        value: encode('149'),
        versionCount: 150
      })
      expect(text.split('\n').length).toBe(1 + Math.min(limit, 150) + (limit < 150 ? 1 : 0))
    }
  })

  test('with a limit that cannot be is refused by name', async () => {
    const store = await openStore()
    for (const limit of [-1, 0.5, Number.NaN, '1', null]) {
      await expect(store.explain(key, { limit: limit as number }), `${limit}`).rejects.toMatchObject({
        ...{ name: 'InvalidOptionError', option: 'limit' }
      })
    }
  })
})

describe('an abort signal', () => {
  const CALLS: Record<string, (store: CrdtDatastore, signal: AbortSignal) => Promise<unknown>> = {
    getAll: (store, signal) => all(store.getAll(key, { signal })),
    history: (store, signal) => all(store.history(key, { signal })),
    explain: (store, signal) => store.explain(key, { signal })
  }
  const reason = new RangeError('enough')

  test.each(Object.entries(CALLS))(
    'ends %s at once, aborted before or while the disk hangs',
    async (_name, call) => {
      const datastore = new FaultyDatastore()
      const store = await openStore({ datastore })
      await store.put(key, encode('1'))
      await expect(call(store, AbortSignal.abort(reason))).rejects.toBe(reason)
      const controller = new AbortController()
      const release = datastore.holdReads()
      const called = call(store, controller.signal)
      controller.abort(reason)
      await expect(called).rejects.toBe(reason)
      release()
      expect(text(await store.get(key))).toBe('1')
    }
  )

  test('ends getAll and history between two that they give', async () => {
    const { store, write } = await cast()
    await write(version(1n, 'one'), version(2n, 'two'), version(3n, 'three'))
    for (const told of [store.getAll.bind(store), store.history.bind(store)]) {
      const controller = new AbortController()
      const entries = told(key, { signal: controller.signal })
      expect(text((await entries.next()).value?.value)).toBe('three')
      controller.abort(reason)
      await expect(entries.next()).rejects.toBe(reason)
    }
  })

  test.each(Object.keys(CALLS))('or none, %s needs a store that is started', async (name) => {
    const store = await openStore({ start: false })
    const { signal } = new AbortController()
    await expect(CALLS[name]!(store, signal)).rejects.toMatchObject({ name: 'NotStartedError' })
    await store.close()
    await expect(CALLS[name]!(store, signal)).rejects.toMatchObject({ name: 'ClosedError' })
  })
})

describe('random worlds', () => {
  let world: World

  afterEach(async () => {
    await world.close()
  })

  async function act(peer: Peer): Promise<void> {
    const { random } = world
    const name = new Key(`/${below(random, 4)}`)
    const dagName = random() < 0.3 ? 'named' : ''
    const value = encode('x'.repeat(below(random, 3)) + below(random, 3))
    const kind = random()
    if (kind < 0.6) await peer.store.put(name, value, { dagName })
    else if (kind < 0.85) await peer.store.delete(name, { dagName })
    else {
      const batch = peer.store.batch({ dagName })
      batch.delete(name)
      batch.put(name, value)
      batch.put(new Key('/0'), value)
      await batch.commit()
    }
  }

  const versionsOf = (versions: OracleState['alive'], name: string): unknown[] =>
    (versions.get(name) ?? []).map(({ id, priority, value }) => [
      `${cidFromBlockId(id)}`,
      priority,
      text(value)
    ])

  /** Fails unless the store tells what its blocks say. */
  async function expectTold(peer: Peer): Promise<void> {
    const blocks: Array<{ id: string; bytes: Uint8Array; sequence: number }> = []
    for await (const entry of peer.log()) blocks.push(entry)
    const { alive } = oracle(blocks.map(({ bytes }) => bytes))
    for (const name of ['/0', '/1', '/2', '/3', '/4']) {
      const key = new Key(name)
      const told = await all(peer.store.getAll(key))
      expect(told.map(({ cid, priority, value }) => [`${cid}`, priority, text(value)])).toEqual(
        versionsOf(alive, name)
      )
      const entries = await all(peer.store.history(key))
      const expected = blocks.toReversed().flatMap(({ id, bytes, sequence }) => {
        const { elements, tombstones, priority, dagName } = decodeNode(id, bytes).delta
        const element = elements.find((one) => one.key === name)
        const removed = tombstones.filter((one) => one.key === name).map((one) => `${cidFromBlockId(one.id)}`)
        if (element === undefined && removed.length === 0) return []
        const isAlive = (alive.get(name) ?? []).some((one) => one.id === id)
        const given = element === undefined ? {} : { value: text(element.value) }
        return [
          { cid: `${cidFromBlockId(id)}`, priority, dagName, sequence, alive: isAlive, removed, ...given }
        ]
      })
      expect(
        entries.map(({ cid, removed, value, origin: _, ...entry }) => ({
          ...entry,
          ...{ cid: `${cid}`, removed: removed.map(String) },
          ...(value === undefined ? {} : { value: text(value) })
        }))
      ).toEqual(expected)
      const { versionCount, rule, versions } = await peer.store.explain(key)
      expect(versionCount).toBe(told.length)
      expect(versions).toEqual(told)
      const [winner, second] = told
      if (winner === undefined || second === undefined)
        expect(rule).toBe(winner ? 'only-version' : 'no-version')
      else if (winner.priority > second.priority) expect(rule).toBe('priority')
      else expect(rule).toBe(text(winner.value) === text(second.value) ? 'id' : 'value')
    }
  }

  test('getAll, history and explain tell what the blocks say', async () => {
    for (let seed = 1; seed <= 15; seed++) {
      // The seed of a failure is in the message of the error.
      try {
        world = new World(seed, { loss: 0.3, duplication: 0.2, jitterMs: 300 })
        const peers = await world.peers(['alice', 'bob'], {
          rebroadcastIntervalMs: 3000,
          goLike: seed % 2 === 0
        })
        for (let i = 0; i < 25; i++) {
          await world.clock.during(act(peers[below(world.random, 2)] as Peer))
          if (world.random() < 0.2) world.partition()
          if (world.random() < 0.3) world.heal()
          if (world.random() < 0.5) await world.clock.advance(below(world.random, 300))
        }
        for (const peer of peers) await expectTold(peer)
        world.heal()
        world.loss = 0
        await world.clock.advance(60_000)
        for (const peer of peers) await expectTold(peer)
        await world.close()
      } catch (error) {
        throw new Error(`Seed ${seed} fails`, { cause: error })
      }
    }
  })

  test('a node whose effects wait for an upgrade is in the history, and not alive', async () => {
    world = new World(100)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory')
    const later = forge({ puts: { '/k': 'later' }, requires: [9] })
    mallory.say([{ id: later.id, block: later.bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 1)
    expect(await all(bob.store.getAll(key))).toEqual([])
    expect(await all(bob.store.history(key))).toMatchObject([{ value: encode('later'), alive: false }])
    expect(await bob.store.explain(key)).toMatchObject({ rule: 'no-version' })
  })
})
