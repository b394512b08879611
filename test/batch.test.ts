// Batches: private until they are committed, then whole, here and in the DAG.
import { MemoryDatastore } from 'datastore-core'
import { type Batch, Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { CrdtBatch } from '../src/batch.ts'
import { decodeNode } from '../src/codec/node.ts'
import type { Operation } from '../src/crdt/delta.ts'
import { blockId } from '../src/testkit/oracle/oracle.ts'
import { FaultyDatastore } from './storage/faulty-datastore.ts'
import { openStore } from './storage/open-store.ts'
import { checkStore, contentOf, loggedBlocks } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

/** The nodes of the log, decoded, oldest first. */
async function loggedNodes(datastore: MemoryDatastore): Promise<ReturnType<typeof decodeNode>[]> {
  return (await loggedBlocks(datastore)).map((block) => decodeNode(blockId(block), block))
}

describe('the list of a batch', () => {
  test('holds checked operations in the order of the calls, and is empty after its commit', async () => {
    const commits: Array<readonly Operation[]> = []
    const batch = new CrdtBatch({
      check: (operation) =>
        operation.type === 'put'
          ? { type: 'put', key: `/checked${operation.key.toString()}`, value: operation.value }
          : { type: 'delete', key: `/checked${operation.key.toString()}` },
      commit: async (operations) => void commits.push(operations)
    })
    batch.put(key('/a'), encode('1'))
    batch.delete(key('/b'))
    await batch.commit()
    await batch.commit()
    expect(commits).toEqual([
      [
        { type: 'put', key: '/checked/a', value: encode('1') },
        { type: 'delete', key: '/checked/b' }
      ],
      []
    ])
  })

  test('takes back its operations, before those added meanwhile, when its commit fails', async () => {
    const commits: string[][] = []
    const outcome = Promise.withResolvers<void>()
    const batch = new CrdtBatch({
      check: (operation) => ({ type: 'delete', key: operation.key.toString() }),
      commit: async (operations) => {
        commits.push(operations.map((operation) => operation.key))
        if (commits.length === 1) await outcome.promise
      }
    })
    batch.delete(key('/first'))
    const committing = batch.commit()
    batch.delete(key('/meanwhile'))
    outcome.reject(new RangeError('no'))
    await expect(committing).rejects.toThrow('no')
    await batch.commit()
    expect(commits).toEqual([['/first'], ['/first', '/meanwhile']])
  })
})

describe('a batch', () => {
  test('is invisible before its commit and one node after it', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    await store.put(key('/gone'), encode('0'))
    const batch = store.batch()
    batch.put(key('/a'), encode('1'))
    batch.put(key('/b'), encode('2'))
    batch.delete(key('/gone'))
    expect(await contentOf(store)).toEqual({ '/gone': '0' })
    await batch.commit()
    expect(await contentOf(store)).toEqual({ '/a': '1', '/b': '2' })
    expect((await store.stats()).nodes).toBe(2)
    await checkStore(store, datastore)
  })

  test('that only puts is published (the older JavaScript port lost it whole)', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    const batch = store.batch()
    batch.put(key('/a'), encode('1'))
    await batch.commit()
    const [node] = await loggedNodes(datastore)
    expect(node?.delta).toMatchObject({
      elements: [{ key: '/a', value: encode('1') }],
      tombstones: [],
      priority: 1n
    })
  })

  test('that is dropped leaves nothing', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    store.batch().put(key('/a'), encode('1'))
    await store.put(key('/b'), encode('2'))
    expect(await contentOf(store)).toEqual({ '/b': '2' })
    await checkStore(store, datastore)
  })

  test('without operations, or with deletes of nothing, writes no node', async () => {
    const store = await openStore()
    const batch = store.batch()
    await batch.commit()
    batch.delete(key('/nothing'))
    await batch.commit()
    batch.put(key('/never'), encode('1'))
    batch.delete(key('/never'))
    await batch.commit()
    expect((await store.stats()).nodes).toBe(0)
    expect(await store.heads()).toEqual([])
  })

  test('can be used again after its commit', async () => {
    const store = await openStore()
    const batch = store.batch()
    batch.put(key('/a'), encode('1'))
    await batch.commit()
    batch.put(key('/b'), encode('2'))
    await batch.commit()
    expect((await store.stats()).counters).toMatchObject({ localNodes: 2 })
    expect((await store.stats()).elements).toBe(2)
  })

  test('outlives a stop and start of its store', async () => {
    const store = await openStore()
    const batch = store.batch()
    batch.put(key('/a'), encode('1'))
    await store.stop()
    await expect(batch.commit()).rejects.toMatchObject({ name: 'NotStartedError' })
    await store.start()
    await batch.commit()
    expect(await contentOf(store)).toEqual({ '/a': '1' })
    await store.close()
    await expect(batch.commit()).rejects.toMatchObject({ name: 'ClosedError' })
  })
})

describe('two batches open at once', () => {
  test('neither see nor commit each other (Go shares one delta for all)', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    const [one, other] = [store.batch(), store.batch()]
    one.put(key('/one'), encode('1'))
    other.put(key('/other'), encode('2'))
    await one.commit()
    expect(await contentOf(store)).toEqual({ '/one': '1' })
    await other.commit()
    expect(await contentOf(store)).toEqual({ '/one': '1', '/other': '2' })
    expect(
      (await loggedNodes(datastore)).map(({ delta }) => delta.elements.map((element) => element.key))
    ).toEqual([['/one'], ['/other']])
  })

  test('of the same key: the one that is committed last wins', async () => {
    const store = await openStore()
    const [one, other] = [store.batch(), store.batch()]
    one.put(key('/k'), encode('zzz'))
    other.put(key('/k'), encode('a'))
    await Promise.all([one.commit(), other.commit()])
    expect(await contentOf(store)).toEqual({ '/k': 'a' })
  })
})

describe('of one key in one batch the last call wins', () => {
  const cases: Record<string, { calls: (batch: Batch) => void; value: string | undefined }> = {
    'put, delete': {
      calls: (batch) => {
        batch.put(key('/k'), encode('new'))
        batch.delete(key('/k'))
      },
      value: undefined
    },
    'delete, put': {
      calls: (batch) => {
        batch.delete(key('/k'))
        batch.put(key('/k'), encode('new'))
      },
      value: 'new'
    },
    'put, put': {
      calls: (batch) => {
        batch.put(key('/k'), encode('zzz'))
        batch.put(key('/k'), encode('new'))
      },
      value: 'new'
    },
    'put, delete, put': {
      calls: (batch) => {
        batch.put(key('/k'), encode('zzz'))
        batch.delete(key('/k'))
        batch.put(key('/k'), encode('new'))
      },
      value: 'new'
    },
    'delete, put, delete': {
      calls: (batch) => {
        batch.delete(key('/k'))
        batch.put(key('/k'), encode('zzz'))
        batch.delete(key('/k'))
      },
      value: undefined
    }
  }

  test.each(Object.entries(cases))('%s', async (_name, { calls, value }) => {
    for (const versionsBefore of [0, 1, 3]) {
      const datastore = new MemoryDatastore()
      const store = await openStore({ datastore })
      for (let version = 0; version < versionsBefore; version++) await store.put(key('/k'), encode('old'))
      const batch = store.batch()
      calls(batch)
      await batch.commit()
      expect(await contentOf(store)).toEqual(value === undefined ? {} : { '/k': value })
      await checkStore(store, datastore)
      const keysOf = ({ elements }: { elements: Array<{ key: string }> }): string[] =>
        elements.map((e) => e.key)
      for (const { delta } of await loggedNodes(datastore))
        expect(keysOf(delta)).toEqual([...new Set(keysOf(delta))])
    }
  })
})

describe('a batch larger than the delta limit', () => {
  test('becomes several nodes of one commit, none over the limit, in order, one upon the other', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, deltaBytesMax: 1024 })
    const changed: string[] = []
    store.addEventListener('change', ({ detail }) =>
      changed.push(`${detail.sequence} ${detail.key.toString()}`)
    )
    const batch = store.batch()
    const keys = Array.from({ length: 40 }, (_, index) => `/${String(index).padStart(3, '0')}`)
    for (const [index, name] of keys.entries()) batch.put(key(name), new Uint8Array(20 + 7 * index))
    await batch.commit()
    const nodes = await loggedNodes(datastore)
    expect(nodes.length).toBeGreaterThan(4)
    expect(nodes.flatMap(({ delta }) => delta.elements.map((element) => element.key))).toEqual(keys)
    for (const [index, { bytes, links, delta }] of nodes.entries()) {
      // Each block is its delta, at most two bytes of dag-pb around it, and one link.
      expect(bytes.length).toBeLessThanOrEqual(1024 + 4 + 45)
      expect(links).toEqual(index === 0 ? [] : [nodes[index - 1]?.id])
      expect(delta.priority).toBe(BigInt(index + 1))
    }
    expect((await store.stats()).counters).toMatchObject({ localCommits: 1, localNodes: nodes.length })
    // A change has the sequence number of its node.
    const sequenceOf = (name: string): number =>
      nodes.findIndex(({ delta }) => delta.elements.some((element) => element.key === name)) + 1
    expect(changed).toEqual(keys.map((name) => `${sequenceOf(name)} ${name}`))
    expect(await store.heads()).toHaveLength(1)
    await checkStore(store, datastore)
  })

  test('fills its nodes: two neighbours would not fit into one', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, deltaBytesMax: 1024 })
    const batch = store.batch()
    for (let index = 0; index < 100; index++) batch.put(key(`/${index}`), new Uint8Array(30))
    await batch.commit()
    const sizes = (await loggedNodes(datastore)).slice(0, -1).map(({ delta }) => delta.elements.length)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(Math.max(...sizes) - 2)
    expect(Math.min(...sizes) * 42).toBeGreaterThan(900)
  })

  test('of deletes names every version of every key', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, deltaBytesMax: 1024, coalesce: false })
    const keys = Array.from({ length: 20 }, (_, index) => key(`/${index}`))
    await Promise.all(
      keys.flatMap((name) => [1, 2, 3].map((version) => store.put(name, encode(`${version}`))))
    )
    const batch = store.batch()
    for (const name of keys) batch.delete(name)
    batch.put(key('/19'), encode('back'))
    await batch.commit()
    expect(await contentOf(store)).toEqual({ '/19': 'back' })
    await checkStore(store, datastore)
  })

  test('fails as a whole', async () => {
    const datastore = new FaultyDatastore({ atomic: true })
    const store = await openStore({ datastore, atomicBatch: true, deltaBytesMax: 1024 })
    const batch = store.batch()
    for (let index = 0; index < 40; index++) batch.put(key(`/${index}`), new Uint8Array(100))
    datastore.breakDisk()
    await expect(batch.commit()).rejects.toMatchObject({ name: 'CommitFailedError' })
    expect(await contentOf(store)).toEqual({})
    expect(await store.heads()).toEqual([])
    await checkStore(store, datastore)
    datastore.mendDisk()
    await batch.commit()
    expect((await store.stats()).keys).toBe(40)
    await checkStore(store, datastore)
  })
})

describe('a commit that failed', () => {
  test.each([[true], [false]])('leaves nothing and can be retried (atomic: %s)', async (atomic) => {
    const datastore = new FaultyDatastore({ atomic })
    const store = await openStore({ datastore, atomicBatch: atomic })
    await store.put(key('/gone'), encode('0'))
    const before = {
      content: await contentOf(store),
      digest: await store.digest(),
      heads: await store.heads()
    }
    const batch = store.batch()
    batch.put(key('/a'), encode('1'))
    batch.delete(key('/gone'))
    datastore.breakDisk()
    await expect(batch.commit()).rejects.toMatchObject({ name: 'CommitFailedError' })
    await expect(batch.commit()).rejects.toMatchObject({ name: 'CommitFailedError' })
    expect({
      content: await contentOf(store),
      digest: await store.digest(),
      heads: await store.heads()
    }).toEqual(before)
    datastore.mendDisk()
    await batch.commit()
    expect(await contentOf(store)).toEqual({ '/a': '1' })
    expect((await store.stats()).nodes).toBe(2)
    await checkStore(store, datastore)
  })
})

describe('writes that are not awaited one by one', () => {
  test('do not fork their own history into N heads', async () => {
    for (const coalesce of [true, false]) {
      const datastore = new MemoryDatastore()
      const store = await openStore({ datastore, coalesce })
      await Promise.all(Array.from({ length: 100 }, (_, index) => store.put(key(`/${index}`), encode('1'))))
      expect(await store.heads()).toHaveLength(1)
      expect((await store.stats()).keys).toBe(100)
      await checkStore(store, datastore)
    }
  })

  test('share a node, and with coalesce: false they have one each', async () => {
    for (const [coalesce, nodes] of [
      [true, 1],
      [false, 50]
    ] as const) {
      const store = await openStore({ coalesce })
      await Promise.all(Array.from({ length: 50 }, (_, index) => store.put(key(`/${index}`), encode('1'))))
      expect((await store.stats()).counters).toMatchObject({ localNodes: nodes, localCommits: 1 })
    }
  })

  test('are one node each where they are awaited one by one', async () => {
    const store = await openStore()
    for (let index = 0; index < 10; index++) await store.put(key(`/${index}`), encode('1'))
    expect((await store.stats()).nodes).toBe(10)
  })

  test('of one key: the last call wins', async () => {
    for (const coalesce of [true, false]) {
      const datastore = new MemoryDatastore()
      const store = await openStore({ datastore, coalesce })
      await Promise.all(['c', 'z', 'b', 'a'].map((value) => store.put(key('/k'), encode(value))))
      expect(await contentOf(store)).toEqual({ '/k': 'a' })
      await Promise.all([store.put(key('/k'), encode('zzz')), store.delete(key('/k'))])
      expect(await contentOf(store)).toEqual({})
      await Promise.all([store.delete(key('/k')), store.put(key('/k'), encode('back'))])
      expect(await contentOf(store)).toEqual({ '/k': 'back' })
      await checkStore(store, datastore)
    }
  })

  test('of different DAGs are different nodes, in the order of the calls', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore })
    const dags = ['', '', 'x', 'x', '', 'y']
    await Promise.all(dags.map((dagName, index) => store.put(key('/k'), encode(`${index}`), { dagName })))
    expect((await loggedNodes(datastore)).map(({ delta }) => delta.dagName)).toEqual(['', 'x', '', 'y'])
    expect(await contentOf(store)).toEqual({ '/k': '5' })
    await checkStore(store, datastore)
  })

  test('of more operations than one commit takes are several commits', async () => {
    const store = await openStore({ commitOperationsMax: 10 })
    await Promise.all(Array.from({ length: 35 }, (_, index) => store.put(key(`/${index}`), encode('1'))))
    expect((await store.stats()).counters).toMatchObject({ localCommits: 4, localNodes: 4 })
  })
})
