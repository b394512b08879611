// The local path: what is written here becomes the nodes that Go would write, reads back at once, and never loses to
// what was known when it was written.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { decodeDagPb } from '../../src/codec/dag-pb.ts'
import { decodeNode } from '../../src/codec/node.ts'
import type { Delta, Operation } from '../../src/crdt/delta.ts'
import { PRIORITY_MAX } from '../../src/crdt/merkle-clock.ts'
import { type CrdtDatastore, createCrdtDatastore } from '../../src/index.ts'
import { Layout } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { blockCid, blockId } from '../../src/testkit/oracle/oracle.ts'
import { type GoldenOperation, goldenSequences, inBase64 } from '../codec/golden.ts'
import { type Bytes, block, dagName, priority, put, tombstone, utf8 } from '../codec/wire-bytes.ts'
import { permutations } from './dags.ts'
import { DraftReplica } from './draft-replica.ts'
import { expectEqual, expectedOf } from './expected.ts'

const putting = (key: string, value: string): Operation => ({ type: 'put', key, value: utf8(value) })
const deleting = (key: string): Operation => ({ type: 'delete', key })

function deltaOf(bytes: Uint8Array): Delta {
  return decodeNode(blockId(bytes), bytes).delta
}

/** Every block in the log of a store, in the order of its commits. */
async function blocksIn(datastore: MemoryDatastore): Promise<Uint8Array[]> {
  const rows = rowStoreOver(datastore, { durability: 'process' })
  const log = new LogStore(rows, new Layout('/crdt'))
  const blocks: Uint8Array[] = []
  for (let sequence = 1; ; sequence++) {
    const entry = await log.at(sequence)
    if (entry === undefined) return blocks
    blocks.push(entry.bytes)
  }
}

async function make(store: CrdtDatastore, operations: GoldenOperation[], batched: boolean): Promise<void> {
  const batch = store.batch()
  for (const operation of operations) {
    const key = new Key(operation.key)
    if (operation.op === 'put')
      await (batched ? batch.put(key, operation.value) : store.put(key, operation.value))
    else await (batched ? batch.delete(key) : store.delete(key))
  }
  if (batched) await batch.commit()
}

describe('golden sequences', () => {
  for (const { name, steps, state } of goldenSequences) {
    test(`${name}: the same calls give the same head after every step, and the same blocks`, async () => {
      const datastore = new MemoryDatastore()
      const store = await createCrdtDatastore({ datastore })
      const expected: Uint8Array[] = []
      for (const { operations, batched, block, head } of steps) {
        await make(store, operations, batched)
        if (block !== undefined) expected.push(block)
        const heads = await store.heads()
        expect(heads.map(({ cid }) => cid.toString())).toEqual(head === undefined ? [] : [head])
        expect(heads.map(({ priority }) => priority)).toEqual(
          expected.slice(-1).map((each) => deltaOf(each).priority)
        )
      }
      expect(await blocksIn(datastore)).toEqual(expected)
      const shown = new Map<string, Uint8Array>()
      for await (const { key, value } of store.query({})) shown.set(key.toString(), value)
      expect(inBase64(shown)).toEqual(
        inBase64(Object.entries(state).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
      )
      await store.close()
    })
  }
})

describe('a history of one replica', () => {
  for (const coalesce of [true, false]) {
    test(`is not forked into many heads by concurrent puts, coalesce: ${coalesce}`, async () => {
      const datastore = new MemoryDatastore()
      const store = await createCrdtDatastore({ datastore, coalesce })
      const keys = Array.from({ length: 100 }, (_, index) => new Key(`/k${index % 40}`))
      await Promise.all(keys.map((key, index) => store.put(key, utf8(`${index}`))))
      expect(await store.heads()).toHaveLength(1)
      for (const [index, key] of keys.entries())
        if (index >= 60) expect(await store.get(key)).toEqual(utf8(`${index}`))
      let parents: string[] = []
      const blocks = await blocksIn(datastore)
      for (const bytes of blocks) {
        const { links, delta } = decodeNode(blockId(bytes), bytes)
        expect(links).toEqual(parents)
        expect(new Set(delta.elements.map(({ key }) => key)).size).toBe(delta.elements.length)
        parents = [blockId(bytes)]
      }
      if (!coalesce) expect(blocks).toHaveLength(100)
      expect([...expectedOf(blocks).heads['']!]).toEqual(
        (await store.heads()).map(({ cid }) => cid.toString())
      )
      await store.close()
    })
  }

  test('gets no node from deleting what is not there, nor from an empty batch', async () => {
    const store = await createCrdtDatastore({ datastore: new MemoryDatastore() })
    await store.delete(new Key('/nothing'))
    await store.batch().commit()
    expect(await store.heads()).toEqual([])
    await store.close()
  })
})

describe('a put', () => {
  const EDGES = [0n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n]

  test('after a block of any priority reads back what was put', async () => {
    for (const edge of [...EDGES, PRIORITY_MAX - 1n, PRIORITY_MAX]) {
      const replica = await DraftReplica.open()
      const remote = block([put('/k', 'zzz'), priority(edge)])
      await replica.merge([remote])
      const [first] = await replica.write([putting('/k', 'b')])
      expect(await replica.value('/k')).toEqual(utf8('b'))
      expect(deltaOf(first!).priority).toBe(edge === PRIORITY_MAX ? edge : edge + 1n)
      const [second] = await replica.write([putting('/k', 'a')])
      expect(await replica.value('/k')).toEqual(utf8('a'))
      // Whoever merges the three in another order shows the same.
      const other = await DraftReplica.open()
      for (const each of [second!, remote, first!]) await other.merge([each])
      expect(await other.shown()).toEqual(await replica.shown())
      await expectEqual(other, expectedOf([remote, first!, second!]))
    }
  })

  test('after a block that claims no more than its parents reads back what was put, in every order', async () => {
    const parent = block([put('/k', 'parent'), priority(9)])
    const child = block([put('/other', 'child'), priority(9)], [parent])
    const grandchild = block([put('/other', 'grandchild'), priority(3)], [child])
    for (const order of permutations([parent, child, grandchild])) {
      let replica = await DraftReplica.open()
      for (const each of order) await replica.merge([each])
      // The only head has a lesser priority than what is below it, also for one that has just been opened.
      expect(replica.heads()).toEqual([blockCid(grandchild)])
      replica = await replica.reopened()
      const [bytes] = await replica.write([putting('/k', 'a')])
      expect(await replica.value('/k')).toEqual(utf8('a'))
      expect(deltaOf(bytes!).priority).toBe(10n)
      await expectEqual(replica, expectedOf([parent, child, grandchild, bytes!]))
    }
  })

  test('at the end of the clock removes what it cannot outrank, and no version that it can', async () => {
    const replica = await DraftReplica.open()
    const last = block([put('/k', 'z'), priority(PRIORITY_MAX)])
    const older = block([put('/k', 'older'), priority(5)])
    await replica.merge([last, older])
    const [bytes] = await replica.write([putting('/k', 'a'), putting('/new', 'n')])
    expect(deltaOf(bytes!)).toMatchObject({
      elements: [{ key: '/k' }, { key: '/new' }],
      tombstones: [{ key: '/k', id: blockId(last) }],
      priority: PRIORITY_MAX
    })
    await replica.write([deleting('/k')])
    expect(await replica.value('/k')).toBeUndefined()
  })

  test('at the end of the clock removes every version there that it would lose to, not only the winner', async () => {
    const replica = await DraftReplica.open()
    const last = ['y', 'z', 'x'].map((value) => block([put('/k', value), priority(PRIORITY_MAX)]))
    await replica.merge(last)
    const restarted = await replica.reopened()
    const [bytes] = await restarted.write([putting('/k', 'a')])
    expect(await restarted.value('/k')).toEqual(utf8('a'))
    expect(
      deltaOf(bytes!)
        .tombstones.map(({ id }) => id)
        .sort()
    ).toEqual(last.map(blockId).sort())
  })

  test('reads back at the end of the clock also when units have a node each', async () => {
    for (const clock of [PRIORITY_MAX - 1n, PRIORITY_MAX]) {
      const replica = await DraftReplica.open()
      await replica.merge([block([put('/k', 'zz'), priority(clock)])])
      const units = ['z', 'y', 'x'].map((value) => ({ operations: [putting('/k', value)], dagName: '' }))
      const blocks = await replica.writeUnits(units, { share: false })
      expect(blocks).toHaveLength(3)
      expect(await replica.value('/k')).toEqual(utf8('x'))
      await expectEqual(replica, expectedOf(await replica.blocks()))
    }
  })

  test('in one DAG after puts of the same key in another reads back what was put', async () => {
    const replica = await DraftReplica.open()
    for (const value of ['1', '2', '3']) await replica.write([putting('/k', value)], { dagName: 'red' })
    await replica.write([putting('/k', '0')], { dagName: 'blue' })
    expect(await replica.value('/k')).toEqual(utf8('0'))
    await replica.write([putting('/k', '!')])
    expect(await replica.value('/k')).toEqual(utf8('!'))
    expect(replica.heads('red')).toHaveLength(1)
    await expectEqual(replica, expectedOf(await replica.blocks()))
  })

  test('of a joiner that has not caught up does not lose to what it had heard of', async () => {
    const established = await DraftReplica.open()
    const history: Uint8Array[] = []
    for (let index = 0; index < 20; index++)
      history.push(...(await established.write([putting('/k', `z${index}`)])))
    const joiner = await DraftReplica.open()
    await joiner.hear(history.at(-1)!)
    const written = await joiner.write([putting('/k', 'a')])
    expect(await joiner.value('/k')).toEqual(utf8('a'))
    // What was heard of outlives a restart with the write that it raised.
    const restarted = await joiner.reopened()
    await restarted.merge(history)
    expect(await restarted.value('/k')).toEqual(utf8('a'))
    await established.merge(written)
    expect(await established.shown()).toEqual(await restarted.shown())
  })

  test('links to all heads of its own DAG, and to no other', async () => {
    const replica = await DraftReplica.open()
    const [a, b] = [block([put('/a'), priority(3)]), block([put('/b'), priority(7)])]
    const red = block([put('/r'), priority(9), dagName('red')])
    await replica.merge([a, b, red])
    const [bytes] = await replica.write([putting('/c', 'c')])
    expect(decodeNode(blockId(bytes!), bytes!).links).toEqual([blockId(b), blockId(a)])
    expect(replica.heads('')).toEqual([blockCid(bytes!)])
    expect(replica.heads('red')).toEqual([blockCid(red)])
  })

  test('links to the heads of greatest priority where there are too many, and the others stay heads', async () => {
    const replica = await DraftReplica.open()
    const flood = Array.from({ length: 10 }, (_, index) => block([put(`/${index}`), priority(index)]))
    await replica.merge(flood)
    const [bytes] = await replica.write([putting('/k', 'v')], { limits: { linksMax: 4 } })
    const { links } = decodeNode(blockId(bytes!), bytes!)
    expect(links).toEqual(flood.slice(6).reverse().map(blockId))
    expect(replica.heads()).toEqual([...flood.slice(0, 6).map(blockCid), blockCid(bytes!)].sort())
    await expectEqual(replica, expectedOf([...flood, bytes!]))
  })
})

describe('a delete', () => {
  const VERSIONS = 1000
  const versions = Array.from({ length: VERSIONS }, (_, index) => block([put('/k', `${index}`), priority(1)]))

  test('of a key with 1,000 versions names each of them, once, and leaves no row behind', async () => {
    const replica = await DraftReplica.open()
    await replica.merge(versions)
    expect(replica.state.committed.elements).toBe(VERSIONS)
    const [bytes] = await replica.write([deleting('/k')])
    const { tombstones, elements } = deltaOf(bytes!)
    expect(tombstones.map(({ id }) => id).sort()).toEqual(versions.map(blockId).sort())
    expect(elements).toEqual([])
    expect(await replica.shown()).toMatchObject({ state: {}, alive: [], keys: 0, elements: 0 })
    expect((await replica.shown()).digest).toBe('0'.repeat(64))
    expect(await replica.tombstones()).toEqual([])
  })

  test('of a key with versions on both sides of a partition removes those of its own side', async () => {
    const [left, right] = [await DraftReplica.open(), await DraftReplica.open()]
    await left.merge(versions.slice(0, 60))
    await right.merge(versions.slice(40, 100))
    const deleted = await left.write([deleting('/k')])
    const onRight = [
      ...(await right.write([putting('/k', 'new')])),
      ...(await right.write([deleting('/other')]))
    ]
    await right.merge([...deleted, ...versions.slice(0, 40)])
    await left.merge([...onRight, ...versions.slice(60, 100)])
    expect(await left.shown()).toEqual(await right.shown())
    await expectEqual(left, expectedOf([...versions.slice(0, 100), ...deleted, ...onRight]))
    expect(await left.value('/k')).toEqual(utf8('new'))
    expect(left.state.committed.elements).toBe(41)
  })

  test('of /hello names no version of /hello/bye, nor the reverse, however many versions there are', async () => {
    const keys = ['/hello', '/hello/bye', '/hello:', '/hell', '/hello/']
    const [hello, bye, colon, hell, slash] = keys.map((key) =>
      ['1', '2', '3'].map((value) => block([put(key, value), priority(1)]))
    ) as [Bytes[], Bytes[], Bytes[], Bytes[], Bytes[]]
    const before = [...hello, ...bye, ...colon, ...hell, ...slash]
    for (const [key, versions] of [
      ['/hello', [...hello, ...slash]],
      ['/hello/bye', bye],
      ['/hello:', colon],
      ['/hell', hell]
    ] as const) {
      const replica = await DraftReplica.open()
      await replica.merge(before)
      const [bytes] = await replica.write([deleting(key)])
      const named = deltaOf(bytes!).tombstones
      expect(new Set(named.map((tombstone) => tombstone.key))).toEqual(new Set([key]))
      expect(named.map(({ id }) => id).sort()).toEqual(versions.map(blockId).sort())
      await expectEqual(replica, expectedOf([...before, bytes!]))
    }
  })

  test('of a key whose winner alone was named by others shows nothing, for it names the rest', async () => {
    const replica = await DraftReplica.open()
    const [a, b] = [block([put('/k', 'a'), priority(1)]), block([put('/k', 'b'), priority(2)])]
    await replica.merge([a, b, block([tombstone('/k', blockId(b)), priority(3)])])
    expect(await replica.value('/k')).toEqual(utf8('a'))
    await replica.write([deleting('/k')])
    expect(await replica.value('/k')).toBeUndefined()
  })

  test('and a put of one key that share a delta come out as the last call said', async () => {
    const replica = await DraftReplica.open()
    await replica.write([putting('/k', 'old')])
    const unit = (operation: Operation) => ({ operations: [operation], dagName: '' })
    const [replaced] = await replica.writeUnits([unit(deleting('/k')), unit(putting('/k', 'new'))])
    expect(deltaOf(replaced!)).toMatchObject({
      tombstones: [{ key: '/k' }],
      elements: [{ value: utf8('new') }]
    })
    expect(await replica.value('/k')).toEqual(utf8('new'))
    await replica.writeUnits([unit(putting('/k', 'newer')), unit(deleting('/k'))])
    expect(await replica.value('/k')).toBeUndefined()
  })
})

describe('a batch', () => {
  test('larger than a delta becomes nodes in order, none over the limit, each on top of the one before', async () => {
    const replica = await DraftReplica.open()
    const operations = Array.from({ length: 60 }, (_, index) => putting(`/k${index}`, 'v'.repeat(index * 3)))
    const blocks = await replica.write(operations, { limits: { deltaBytesMax: 400 } })
    expect(blocks.length).toBeGreaterThan(10)
    let parents: string[] = []
    for (const bytes of blocks) {
      expect(decodeDagPb(bytes)!.data.length).toBeLessThanOrEqual(400)
      expect(decodeNode(blockId(bytes), bytes).links).toEqual(parents)
      parents = [blockId(bytes)]
    }
    const written = blocks.flatMap((bytes) => deltaOf(bytes).elements.map(({ key }) => key))
    expect(written).toEqual(operations.map(({ key }) => key))
    expect(blocks.map((bytes) => deltaOf(bytes).priority)).toEqual(
      blocks.map((_, index) => BigInt(index + 1))
    )
    await expectEqual(replica, expectedOf(blocks))
  })

  test('of deletes larger than a delta is divided as well', async () => {
    const replica = await DraftReplica.open()
    await replica.merge(Array.from({ length: 50 }, (_, index) => block([put('/k', `${index}`), priority(1)])))
    const blocks = await replica.write([deleting('/k'), putting('/k', 'v')], {
      limits: { deltaBytesMax: 1024 }
    })
    expect(blocks.length).toBeGreaterThan(2)
    for (const bytes of blocks) expect(decodeDagPb(bytes)!.data.length).toBeLessThanOrEqual(1024)
    expect(await replica.value('/k')).toEqual(utf8('v'))
    await expectEqual(replica, expectedOf(await replica.blocks()))
  })
})
