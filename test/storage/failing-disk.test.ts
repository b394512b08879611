// A disk that fails: the caller is told by name, nothing changes, and it works again when the disk does. What fails
// after a commit was decided makes the store refuse everything until it is opened again, which finishes the commit.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { FaultyDatastore } from './faulty-datastore.ts'
import { ManualClock } from './manual-clock.ts'
import { openStore } from './open-store.ts'
import { RemotePeer, remoteNode } from './remote-peer.ts'
import { checkStore, contentOf } from './store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

describe.each([
  ['one write at a time', false],
  ['atomic batches', true]
])('a disk with %s that is full', (_name, atomic) => {
  test('gives CommitFailedError, changes nothing, and takes writes again when it has room', async () => {
    const datastore = new FaultyDatastore({ atomic })
    const store = await openStore({ datastore, atomicBatch: atomic })
    await store.put(key('/k'), encode('before'))
    const rows = datastore.rows()
    const before = { heads: await store.heads(), digest: await store.digest() }
    datastore.breakDisk()
    for (const attempt of [
      store.put(key('/k'), encode('1')),
      store.delete(key('/k')),
      store.put(key('/l'), encode('1'), { dagName: 'other' })
    ]) {
      await expect(attempt).rejects.toMatchObject({
        name: 'CommitFailedError',
        message: expect.stringContaining('no space left on device'),
        cause: { name: 'DiskError' }
      })
    }
    expect(datastore.rows()).toEqual(rows)
    expect({ heads: await store.heads(), digest: await store.digest() }).toEqual(before)
    expect((await store.stats()).counters.failedCommits).toBeGreaterThan(0)
    datastore.mendDisk()
    await store.put(key('/k'), encode('after'))
    expect(await contentOf(store)).toEqual({ '/k': 'after' })
    await checkStore(store, datastore)
  })

  test('lets a store be read and closed', async () => {
    const datastore = new FaultyDatastore({ atomic })
    const store = await openStore({ datastore, atomicBatch: atomic })
    await store.put(key('/k'), encode('1'))
    datastore.breakDisk()
    expect(await contentOf(store)).toEqual({ '/k': '1' })
    await store.close()
    datastore.mendDisk()
    expect(await contentOf(await openStore({ datastore, atomicBatch: atomic }))).toEqual({ '/k': '1' })
  })

  test('is no reason to lose remote nodes: they are merged when it has room again', async () => {
    const clock = new ManualClock()
    const peer = new RemotePeer()
    const datastore = new FaultyDatastore({ atomic })
    const store = await openStore({ datastore, atomicBatch: atomic, clock, broadcaster: peer, topic: 't' })
    datastore.breakDisk()
    const failed = datastore.nextWrite()
    peer.say(await remoteNode({ priority: 3n, elements: [{ key: '/k', value: encode('remote') }] }))
    await failed
    // The writer takes local writes in between, so that this one comes after the failure.
    await expect(store.put(key('/l'), encode('1'))).rejects.toMatchObject({ name: 'CommitFailedError' })
    datastore.mendDisk()
    const synced = store.waitForSync()
    clock.advance(2 * 60_000)
    await synced
    expect(await contentOf(store)).toEqual({ '/k': 'remote' })
    await checkStore(store, datastore)
  })
})

/** Awaits a write; what it was rejected with, if it was. */
async function outcomeOf(write: Promise<unknown>): Promise<string> {
  return await write.then(
    () => 'acknowledged',
    (error: Error) => error.name
  )
}

interface Write {
  name: string
  write: (store: CrdtDatastore) => Promise<unknown>
  after: Record<string, string>
}

const WRITES: Write[] = [
  { name: 'a put', write: (store) => store.put(key('/a'), encode('2')), after: { '/a': '2', '/b': '1' } },
  { name: 'a delete', write: (store) => store.delete(key('/b')), after: { '/a': '1' } },
  {
    name: 'a batch',
    write: async (store) => {
      const batch = store.batch()
      for (const name of ['/x', '/y', '/z']) batch.put(key(name), encode('1'))
      batch.delete(key('/a'))
      await batch.commit()
    },
    after: { '/b': '1', '/x': '1', '/y': '1', '/z': '1' }
  }
]

describe.each(WRITES)('a failure at any write of $name', ({ write, after }) => {
  test.each([['not made'], ['made']] as const)(
    'that happens once and was %s is survived',
    async (failure) => {
      // Until it would be a write after the last one of the commit.
      for (let failing = 1, writes = 1; failing <= writes; failing++) {
        const datastore = new FaultyDatastore()
        const store = await openStore({ datastore })
        await store.put(key('/a'), encode('1'))
        await store.put(key('/b'), encode('1'))
        const first = datastore.writes
        datastore.failWrite = (number) => (number === first + failing ? failure : undefined)
        const outcome = await outcomeOf(write(store))
        writes = datastore.writes - first
        // The journal row decides: if its put failed nothing was made, later failures are tried again.
        expect(outcome).toBe(failing === 1 ? 'CommitFailedError' : 'acknowledged')
        expect(await contentOf(store)).toEqual(failing === 1 ? { '/a': '1', '/b': '1' } : after)
        await checkStore(store, datastore)
        await store.close()
        const reopened = await openStore({ datastore })
        expect(await contentOf(reopened)).toEqual(failing === 1 ? { '/a': '1', '/b': '1' } : after)
        await checkStore(reopened, datastore)
      }
    }
  )

  test('that lasts is a StoreFailedError for everything, until the store is opened again', async () => {
    // The put of the journal row, four rows, and the delete of the journal row.
    for (let failing = 2; failing <= 6; failing++) {
      const datastore = new FaultyDatastore()
      const store = await openStore({ datastore })
      await store.put(key('/a'), encode('1'))
      await store.put(key('/b'), encode('1'))
      const first = datastore.writes
      datastore.failWrite = (number) => (number >= first + failing ? 'not made' : undefined)
      expect(await outcomeOf(write(store))).toBe('StoreFailedError')
      await expectEverythingToFail(store)
      const { writes } = datastore
      datastore.mendDisk()
      await expectEverythingToFail(store)
      expect(datastore.writes, 'nothing is written any more').toBe(writes)
      await store.stop()
      await store.start()
      expect(await contentOf(store), `failing from write ${failing} on`).toEqual(after)
      await checkStore(store, datastore)
    }
  })
})

async function expectEverythingToFail(store: CrdtDatastore): Promise<void> {
  const calls: Record<string, () => unknown> = {
    get: () => store.get(key('/a')),
    has: () => store.has(key('/a')),
    put: () => store.put(key('/a'), encode('3')),
    delete: () => store.delete(key('/a')),
    batch: async () => store.batch(),
    query: () => contentOf(store),
    heads: () => store.heads(),
    digest: () => store.digest(),
    stats: () => store.stats(),
    waitForSync: () => store.waitForSync(),
    sync: () => store.sync(),
    peers: () => store.peers(),
    watch: async () => store.watch(),
    getAll: () => store.getAll(key('/a')).next(),
    history: () => store.history(key('/a')).next(),
    explain: () => store.explain(key('/a')),
    verify: () => store.verify(),
    traverse: () => store.dag.traverse().next(),
    publish: () => store.dag.publish({ elements: [{ key: key('/a'), value: encode('3') }] }),
    purge: () => store.dag.purge('side'),
    resume: () => store.dag.resume('side')
  }
  for (const [name, call] of Object.entries(calls)) {
    await expect(call(), name).rejects.toMatchObject({
      name: 'StoreFailedError',
      message: expect.stringContaining('no space left on device'),
      cause: { name: 'DiskError' }
    })
  }
}

test('a watch that waits when the disk fails for good rejects, after what was committed', async () => {
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore })
  const changes = store.watch()
  await store.put(key('/a'), encode('1'))
  const first = datastore.writes
  datastore.failWrite = (number) => (number >= first + 2 ? 'not made' : undefined)
  await expect(store.put(key('/a'), encode('2'))).rejects.toMatchObject({ name: 'StoreFailedError' })
  expect((await changes.next()).value).toMatchObject({ value: encode('1') })
  await expect(changes.next()).rejects.toMatchObject({ name: 'StoreFailedError' })
})

describe('while a commit is applied row by row', () => {
  test('nobody sees half of it, also between two attempts', async () => {
    for (let failing = 2; failing <= 9; failing++) {
      const datastore = new FaultyDatastore()
      const store = await openStore({ datastore })
      await store.put(key('/a'), encode('old'))
      await store.put(key('/b'), encode('old'))
      const first = datastore.writes
      let reads: Promise<unknown> | undefined
      const readBoth = async (): Promise<void> => {
        const [a, b] = [await store.get(key('/a')), await store.get(key('/b'))]
        expect([a, b], `at write ${failing}`).not.toEqual([encode('new'), encode('old')])
        expect([
          { '/a': 'old', '/b': 'old' },
          { '/a': 'new', '/b': 'new' }
        ]).toContainEqual(await contentOf(store))
      }
      datastore.failWrite = (number) => {
        if (number !== first + failing) return undefined
        reads = readBoth()
        return 'not made'
      }
      const batch = store.batch()
      batch.put(key('/a'), encode('new'))
      batch.put(key('/b'), encode('new'))
      await batch.commit()
      await reads
      expect(reads).toBeDefined()
    }
  })

  test('a read that waits is told when it fails for good', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, journalRetriesMax: 0 })
    await store.put(key('/a'), encode('old'))
    const first = datastore.writes
    let read: Promise<unknown> | undefined
    datastore.failWrite = (number) => {
      if (number < first + 3) return undefined
      read = store.get(key('/a'))
      read.catch(() => {})
      return 'not made'
    }
    await expect(store.put(key('/a'), encode('new'))).rejects.toMatchObject({ name: 'StoreFailedError' })
    await expect(read).rejects.toMatchObject({ name: 'StoreFailedError' })
  })
})

describe('a disk that cannot be read', () => {
  test('refuses writes by name, and works again', async () => {
    const datastore = new FaultyDatastore()
    const store = await openStore({ datastore, readCacheBytesMax: 0 })
    await store.put(key('/k'), encode('1'))
    datastore.failRead = () => true
    await expect(store.get(key('/k'))).rejects.toMatchObject({ name: 'DiskError' })
    await expect(store.put(key('/k'), encode('2'))).rejects.toMatchObject({
      name: 'CommitFailedError',
      cause: { name: 'DiskError' }
    })
    datastore.mendDisk()
    await store.put(key('/k'), encode('3'))
    expect(await contentOf(store)).toEqual({ '/k': '3' })
    await checkStore(store, datastore)
  })
})

test('a journal row that may have been put, on a disk that deletes nothing, leaves the store undecided', async () => {
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore })
  await store.put(key('/k'), encode('1'))
  const first = datastore.writes
  datastore.failWrite = (number) => (number === first + 1 ? 'made' : 'not made')
  await expect(store.put(key('/k'), encode('2'))).rejects.toMatchObject({ name: 'StoreFailedError' })
  datastore.mendDisk()
  await store.stop()
  await store.start()
  expect(await contentOf(store)).toEqual({ '/k': '2' })
  await checkStore(store, datastore)
})

test('whoever waits for remote nodes is told when the store fails', async () => {
  const clock = new ManualClock()
  const peer = new RemotePeer()
  const datastore = new FaultyDatastore()
  const store = await openStore({ datastore, clock, broadcaster: peer, topic: 't' })
  const first = datastore.writes
  datastore.failWrite = (number) => (number > first + 1 ? 'not made' : undefined)
  peer.say(await remoteNode({ priority: 3n, elements: [{ key: '/k', value: encode('remote') }] }))
  await expect(store.waitForSync()).rejects.toMatchObject({ name: 'StoreFailedError' })
})
