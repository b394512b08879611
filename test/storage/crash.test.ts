// Power lost at any write: whatever the disk holds then, the store opens, every acknowledged write is there, the one
// that was under way is whole or absent, heads are true tips, and nothing has to be repaired by hand.
import { Key } from 'interface-datastore'
import { describe, expect, test, vi } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { FaultyDatastore, type Rows } from './faulty-datastore.ts'
import { openStore } from './open-store.ts'
import { RemotePeer, remoteNode } from './remote-peer.ts'
import { checkStore, contentOf } from './store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

type Step = (store: CrdtDatastore, peer: RemotePeer) => Promise<unknown>

const put = (name: string, value: string, dagName?: string): Step => {
  return (store) => store.put(key(name), encode(value), dagName === undefined ? {} : { dagName })
}

/** Each step is one commit, so that it is one thing that must be whole or absent. */
const HISTORY: Step[] = [
  put('/a', '1'),
  put('/a', '2'),
  put('/a', '3', 'side'),
  (store) => store.delete(key('/a')),
  put('/a', 'back'),
  (store) => {
    const batch = store.batch()
    batch.put(key('/b'), encode('1'))
    batch.put(key('/鍵'), encode('2'))
    batch.delete(key('/a'))
    return batch.commit() as Promise<void>
  },
  // Several nodes in one commit.
  (store) => {
    const batch = store.batch()
    for (let index = 0; index < 4; index++) batch.put(key(`/large/${index}`), encode('x'.repeat(400)))
    batch.delete(key('/b'))
    return batch.commit() as Promise<void>
  },
  (store) =>
    Promise.all([
      store.put(key('/c'), encode('1')),
      store.delete(key('/large/0')),
      store.put(key('/c'), encode('2'))
    ]),
  async (store, peer) => {
    const elements = [
      { key: '/c', value: encode('remote') },
      { key: '/r', value: encode('remote') }
    ]
    peer.say(await remoteNode({ priority: 50n, elements }))
    await store.waitForSync()
  },
  (store) => store.delete(key('/c'), { dagName: 'side' }),
  put('/r', 'mine')
]

interface Recorded {
  /** What the disk held before the first write and after each. */
  snapshots: readonly Rows[]
  /** What a reader saw after each step, the empty store first. */
  contents: Array<Record<string, string>>
  /** How many writes had been made when a step was acknowledged. */
  acknowledgedAt: number[]
}

const JOURNAL = '/crdt/j'
const OPTIONS = { deltaBytesMax: 1024, topic: 'test' }

async function record(atomic: boolean): Promise<Recorded> {
  const datastore = new FaultyDatastore({ atomic })
  const peer = new RemotePeer()
  datastore.recordSnapshots()
  const store = await openStore({ ...OPTIONS, datastore, atomicBatch: atomic, broadcaster: peer })
  const contents = [await contentOf(store)]
  const acknowledgedAt = [datastore.writes]
  for (const step of HISTORY) {
    await step(store, peer)
    acknowledgedAt.push(datastore.writes)
    contents.push(await contentOf(store))
  }
  await store.close()
  return { snapshots: datastore.snapshots, contents, acknowledgedAt }
}

/** Opens what survived and holds it against what was acknowledged by then. */
async function checkSurvivor(
  datastore: FaultyDatastore,
  atomic: boolean,
  written: number,
  recorded: Recorded
): Promise<void> {
  const { contents, acknowledgedAt } = recorded
  const acknowledged = acknowledgedAt.findLastIndex((writes) => writes <= written)
  const store = await openStore({ ...OPTIONS, datastore, atomicBatch: atomic })
  await checkStore(store, datastore)
  const content = await contentOf(store)
  const possible = contents.slice(Math.max(acknowledged, 0), Math.max(acknowledged, 0) + 2)
  expect(possible, `after ${written} writes`).toContainEqual(content)
  await store.put(key('/after'), encode('the crash'))
  expect(await contentOf(store)).toEqual({ ...content, '/after': 'the crash' })
  expect(await store.heads(''), 'a new node joins all heads of its DAG').toHaveLength(1)
  await store.close()
}

describe.each([
  ['one write at a time', false],
  ['in atomic batches', true]
])('a crash at every write of a datastore that writes %s', (_name, atomic) => {
  test('loses nothing that was acknowledged and shows no half of anything', async () => {
    const recorded = await record(atomic)
    expect(recorded.snapshots.length).toBeGreaterThan(atomic ? HISTORY.length : 80)
    for (const [written, rows] of recorded.snapshots.entries()) {
      await checkSurvivor(new FaultyDatastore({ rows, atomic }), atomic, written, recorded)
    }
  })
})

test('a crash at every write of the opening after a crash loses nothing either', async () => {
  const recorded = await record(false)
  let openings = 0
  for (const [written, rows] of recorded.snapshots.entries()) {
    // An opening finishes the whole commit of the journal, however much of it was done, so one crash of each will do.
    if (!rows.has(JOURNAL) || recorded.snapshots[written - 1]?.has(JOURNAL) === true) continue
    const datastore = new FaultyDatastore({ rows })
    datastore.recordSnapshots()
    const store = await openStore({ ...OPTIONS, datastore })
    await store.close()
    for (const [again, survivors] of datastore.snapshots.entries()) {
      // Nothing was written by then, so it is as it was, and that is checked above.
      if (again === 0) continue
      openings += 1
      await checkSurvivor(new FaultyDatastore({ rows: survivors }), false, written, recorded)
    }
  }
  expect(openings).toBeGreaterThan(50)
})

test('a block that waits for its ancestor survives, and is merged when that comes', async () => {
  const datastore = new FaultyDatastore()
  const peer = new RemotePeer()
  const parent = await remoteNode({ priority: 4n, elements: [{ key: '/k', value: encode('parent') }] })
  const child = await remoteNode({
    priority: 5n,
    elements: [{ key: '/k', value: encode('child') }],
    links: [parent.id]
  })
  const store = await openStore({ datastore, broadcaster: peer, topic: 'test' })
  peer.say(child)
  await vi.waitUntil(async () => (await store.stats()).pending === 1)
  // A local write comes after the block in the writer's turns, so the block is durable when it resolves.
  await store.put(key('/other'), encode('1'))
  await store.put(key('/other'), encode('2'))
  const survivor = new FaultyDatastore({ rows: datastore.rows() })
  const again = new RemotePeer()
  const reopened = await openStore({ datastore: survivor, broadcaster: again, topic: 'test' })
  expect((await reopened.stats()).pending).toBe(1)
  expect(await reopened.has(key('/k'))).toBe(false)
  await reopened.put(key('/late'), encode('1'))
  expect((await reopened.heads())[0]?.priority, 'later than what was received').toBeGreaterThan(5n)
  again.say(parent)
  await reopened.waitForSync()
  expect(await contentOf(reopened)).toEqual({ '/k': 'child', '/other': '2', '/late': '1' })
  await checkStore(reopened, survivor)
})

test('a block that is ready when the store is closed is merged after the next start', async () => {
  const datastore = new FaultyDatastore()
  const peer = new RemotePeer()
  const store = await openStore({ datastore, broadcaster: peer, topic: 'test' })
  const release = datastore.holdWrites()
  const asked = datastore.nextWrite()
  const first = await remoteNode({ priority: 4n, elements: [{ key: '/a', value: encode('1') }] })
  const second = await remoteNode({
    priority: 5n,
    elements: [{ key: '/b', value: encode('1') }],
    links: [first.id]
  })
  peer.say(first)
  await asked
  peer.say(second)
  // Nothing but the disk takes longer than a turn.
  await new Promise((resolve) => setImmediate(resolve))
  expect((await store.stats()).counters.receivedBlocks).toBe(2)
  const closing = store.close()
  release()
  await closing
  const reopened = await openStore({ datastore, broadcaster: new RemotePeer(), topic: 'test' })
  await reopened.waitForSync()
  expect(await contentOf(reopened)).toEqual({ '/a': '1', '/b': '1' })
  await checkStore(reopened, datastore)
})
