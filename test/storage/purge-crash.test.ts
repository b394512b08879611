// Power lost, or a disk that fails, at any write of a purge: either nothing of it happened, or the next start ends it,
// and the disk holds row for row what an undisturbed purge leaves.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { BlockExchange, CrdtDatastore, CrdtDatastoreInit } from '../../src/index.ts'
import { FaultyDatastore, type Rows } from './faulty-datastore.ts'
import { openStore } from './open-store.ts'
import { RemotePeer, remoteNode } from './remote-peer.ts'
import { contentOf, rowKinds } from './store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

const NAME = 'noise'
/** So small that the purge takes several commits. */
const OPTIONS = { commitBytesMax: 1024, topic: 'test' }

/** A peer that has nothing. */
const EMPTY_HANDED: BlockExchange = {
  start: async () => {},
  stop: async () => {},
  async *fetch() {},
  peers: () => ['nobody']
}

/** Elements and tombstones within and across two DAGs, gaps both ways. */
async function fill(datastore: FaultyDatastore, atomic: boolean): Promise<void> {
  const peer = new RemotePeer()
  const store = await open(datastore, atomic, {
    ...{ broadcaster: peer, exchange: EMPTY_HANDED, gapPatienceMs: 10, retryIntervalMs: 1 }
  })
  const put = async (name: string, value: string, dagName?: string): Promise<unknown> =>
    await store.put(key(name), encode(value), dagName === undefined ? {} : { dagName })
  await put('/plain', '1')
  for (let i = 0; i < 5; i++) await put(`/noise/${i}`, 'x'.repeat(400), NAME)
  await put('/both', 'noise', NAME)
  await put('/both', 'plain')
  await put('/back', 'plain')
  await store.delete(key('/back'), { dagName: NAME })
  await put('/gone', 'noise', NAME)
  await store.delete(key('/gone'))
  const lost = await remoteNode({ priority: 1n, elements: [{ key: '/lost', value: encode('') }] })
  const noise = await remoteNode({ priority: 50n, dagName: NAME, links: [lost.id] })
  const above = await remoteNode({
    ...{ priority: 51n, links: [noise.id, lost.id] },
    elements: [{ key: '/above', value: encode('1') }]
  })
  peer.say(noise, above)
  await store.waitForSync()
  await store.close()
}

async function open(
  datastore: FaultyDatastore,
  atomic: boolean,
  network: Partial<CrdtDatastoreInit> = {}
): Promise<CrdtDatastore> {
  return await openStore({ ...OPTIONS, ...network, datastore, atomicBatch: atomic })
}

function plain(rows: Rows): Record<string, string> {
  return Object.fromEntries(
    [...rows].map(([row, value]): [string, string] => [row, Buffer.from(value).toString('hex')]).sort()
  )
}

interface Recorded {
  before: Rows
  after: Rows
  snapshots: readonly Rows[]
}

async function record(atomic: boolean): Promise<Recorded> {
  const datastore = new FaultyDatastore({ atomic })
  await fill(datastore, atomic)
  const before = datastore.rows()
  const store = await open(datastore, atomic)
  datastore.recordSnapshots()
  await store.dag.purge(NAME)
  const snapshots = [...datastore.snapshots]
  await store.close()
  return { before, after: datastore.rows(), snapshots }
}

describe.each([
  ['one write at a time', false],
  ['in atomic batches', true]
])('on a datastore that writes %s', (_name, atomic) => {
  test('a purge leaves what it should', async () => {
    const { after } = await record(atomic)
    const datastore = new FaultyDatastore({ rows: after, atomic })
    const store = await open(datastore, atomic)
    expect(await contentOf(store)).toEqual({
      '/plain': '1',
      '/both': 'plain',
      '/back': 'plain',
      '/above': '1'
    })
    // Of the tombstones, only that for what the purged DAG wrote is left.
    expect(await rowKinds(datastore)).toEqual({ a: 5, b: 5, g: 2, i: 1, k: 4, m: 1, s: 1, t: 1 })
    expect(await store.heads(NAME)).toEqual([])
    expect(await store.stats()).toMatchObject({ gaps: 2, tombstones: 1, keys: 4, elements: 4 })
  })

  test('a crash at every write of a purge is ended by the next start', async () => {
    const { before, after, snapshots } = await record(atomic)
    expect(snapshots.length).toBeGreaterThan(atomic ? 6 : 40)
    for (const [written, rows] of snapshots.entries()) {
      const datastore = new FaultyDatastore({ rows, atomic })
      const store = await open(datastore, atomic)
      const isBegun = (await rowKinds(datastore)).i === 1
      expect(isBegun).toBe(written > 0)
      await store.close()
      expect(plain(datastore.rows()), `after ${written} writes`).toEqual(plain(isBegun ? after : before))
    }
  })

  test('a crash at every write of that start is ended by the one after', async () => {
    const { after, snapshots } = await record(atomic)
    // In the middle of the commits of the purge.
    const datastore = new FaultyDatastore({ rows: snapshots[Math.floor(snapshots.length / 2)]!, atomic })
    datastore.recordSnapshots()
    const store = await open(datastore, atomic)
    await store.close()
    expect(datastore.snapshots.length).toBeGreaterThan(2)
    for (const [written, rows] of datastore.snapshots.entries()) {
      const again = new FaultyDatastore({ rows, atomic })
      const reopened = await open(again, atomic)
      await reopened.close()
      expect(plain(again.rows()), `after ${written} writes`).toEqual(plain(after))
    }
  })

  test('a disk that fails at a write of a purge fails the purge, which is ended by calling it again', async () => {
    const { before, after, snapshots } = await record(atomic)
    const names = new Set<string>()
    for (let failing = 1; failing < snapshots.length; failing += atomic ? 1 : 7) {
      const datastore = new FaultyDatastore({ rows: before, atomic })
      const store = await open(datastore, atomic)
      let broken = true
      const first = datastore.writes + failing
      // A journaled commit is tried again, so that it takes a disk that stays broken.
      datastore.failWrite = (write) => (broken && write >= first ? 'not made' : undefined)
      const error = await store.dag.purge(NAME).then(
        () => undefined,
        (reason) => reason
      )
      broken = false
      names.add(error.name)
      if (error.name === 'StoreFailedError') {
        // Half of a commit may show, until the store is opened again.
        await expect(store.get(key('/plain'))).rejects.toMatchObject({ name: 'StoreFailedError' })
        await store.close()
        const reopened = await open(datastore, atomic)
        await reopened.close()
      } else {
        expect(error.name).toBe('CommitFailedError')
        await store.put(key('/plain'), encode('again'))
        expect(await contentOf(store)).toMatchObject({ '/plain': 'again', '/above': '1' })
        await store.delete(key('/plain'))
        await store.dag.purge(NAME)
        expect(await contentOf(store)).toEqual({ '/both': 'plain', '/back': 'plain', '/above': '1' })
        await store.close()
        continue
      }
      expect(plain(datastore.rows()), `at write ${failing}`).toEqual(plain(after))
    }
    expect([...names].sort()).toEqual(
      atomic ? ['CommitFailedError'] : ['CommitFailedError', 'StoreFailedError']
    )
  })
})
