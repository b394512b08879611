// Opening a store: what it refuses before it touches anything, damaged rows by name, and locks.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type CrdtDatastoreInit, createCrdtDatastore } from '../../src/index.ts'
import { encodeMeta } from '../../src/storage/rows.ts'
import { FaultyDatastore } from './faulty-datastore.ts'
import { openLevel, openStore, temporaryFolder } from './open-store.ts'
import { RemotePeer, remoteNode } from './remote-peer.ts'
import { checkStore, contentOf, rawRows } from './store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = (name: string): Key => new Key(name)

/** A store with a row of every kind that two writers can bring about, closed. */
async function closedStore(): Promise<FaultyDatastore> {
  const datastore = new FaultyDatastore()
  const peer = new RemotePeer()
  const store = await openStore({ datastore, broadcaster: peer, topic: 'test' })
  await store.put(key('/k'), encode('1'))
  await store.put(key('/k'), encode('2'))
  const missing = await remoteNode({ priority: 1n, elements: [{ key: '/m', value: encode('1') }] })
  peer.say(
    await remoteNode({ priority: 2n, links: [missing.id] }),
    await remoteNode({ priority: 2n, tombstones: [{ key: '/m', id: missing.id }] })
  )
  // As many heads as have rows of their own.
  for (let side = 0; side < 16; side++) await store.put(key('/l'), encode('1'), { dagName: `side ${side}` })
  await store.put(key('/l'), encode('2'))
  await store.close()
  return datastore
}

describe('a newer layout', () => {
  test('is refused by name and nothing is written', async () => {
    const datastore = await closedStore()
    await datastore.put(key('/crdt/m'), encodeMeta({ layout: 3, leastReader: 2, topic: 'test' }))
    const rows = datastore.rows()
    const { writes } = datastore
    const opening = createCrdtDatastore({ datastore })
    await expect(opening).rejects.toMatchObject({ name: 'LayoutTooNewError' })
    await expect(opening).rejects.toThrow(/layout 3 .* up to 1/)
    expect(datastore.writes).toBe(writes)
    expect(datastore.rows()).toEqual(rows)
  })

  test('that this version may read is read, and stays what it is', async () => {
    const datastore = await closedStore()
    const meta = encodeMeta({ layout: 3, leastReader: 1, topic: 'test' })
    await datastore.put(key('/crdt/m'), meta)
    const store = await openStore({ datastore, topic: 'test' })
    expect(await contentOf(store)).toMatchObject({ '/k': '2' })
    expect((await rawRows(datastore)).get('/crdt/m')).toEqual(meta)
  })
})

describe('reopening', () => {
  test('shows everything as it was', async () => {
    const datastore = await closedStore()
    const store = await openStore({ datastore })
    expect(await contentOf(store)).toEqual({ '/k': '2', '/l': '2' })
    await checkStore(store, datastore)
  })

  test('on disk shows everything as it was', async () => {
    const folder = temporaryFolder()
    let before: unknown
    for (let round = 0; round < 2; round++) {
      const datastore = new LevelDatastore(folder)
      await datastore.open()
      const store = await createCrdtDatastore({ datastore })
      if (round === 0) {
        for (const name of ['/a', '/鍵', '/a']) await store.put(key(name), encode(name))
        await store.delete(key('/鍵'))
      }
      await checkStore(store, datastore)
      const now = {
        content: await contentOf(store),
        heads: await store.heads(),
        digest: await store.digest()
      }
      if (round === 1) expect(now).toEqual(before)
      before = now
      await store.close()
      await datastore.close()
    }
  })

  test('writes nothing where there is nothing to do', async () => {
    const datastore = await closedStore()
    const { writes } = datastore
    const store = await openStore({ datastore, topic: 'test' })
    await store.close()
    expect(datastore.writes).toBe(writes)
  })
})

describe('a damaged row', () => {
  test.each([['m'], ['s'], ['h'], ['p']])('of kind %s is named when the store is opened', async (kind) => {
    const datastore = await closedStore()
    const row = [...datastore.rows().keys()].find((name) => name.startsWith(`/crdt/${kind}`))
    expect(row).toBeDefined()
    await datastore.put(key(row as string), Uint8Array.of(255))
    const rows = datastore.rows()
    const opening = createCrdtDatastore({ datastore })
    await expect(opening).rejects.toMatchObject({ name: 'CorruptRowError' })
    await expect(opening).rejects.toThrow(row)
    expect(datastore.rows()).toEqual(rows)
  })

  test('of a journal is named, and the journal stays', async () => {
    const datastore = await closedStore()
    await datastore.put(key('/crdt/j'), Uint8Array.of(255))
    await expect(createCrdtDatastore({ datastore })).rejects.toMatchObject({ name: 'CorruptRowError' })
    expect(datastore.rows().has('/crdt/j')).toBe(true)
  })

  test('of a key is named when the key is read or written, and others can be', async () => {
    const datastore = await closedStore()
    await datastore.put(key('/crdt/k/k'), Uint8Array.of(255))
    const store = await openStore({ datastore })
    const damaged = { name: 'CorruptRowError', message: expect.stringContaining('/crdt/k/k') }
    await expect(store.get(key('/k'))).rejects.toMatchObject(damaged)
    await expect(store.put(key('/k'), encode('3'))).rejects.toMatchObject(damaged)
    await expect(contentOf(store)).rejects.toMatchObject(damaged)
    await store.put(key('/l'), encode('3'))
    expect(await store.get(key('/l'))).toEqual(encode('3'))
  })

  test('of the log is named when a value has to be read from it', async () => {
    const datastore = new FaultyDatastore()
    const peer = new RemotePeer()
    const store = await openStore({ datastore, broadcaster: peer, topic: 'test' })
    await store.put(key('/k'), encode('older'))
    const newer = await remoteNode({ priority: 2n, elements: [{ key: '/k', value: encode('newer') }] })
    peer.say(newer)
    await store.waitForSync()
    await datastore.put(key(`/crdt/b/${'1'.padStart(14, '0')}`), Uint8Array.of(1))
    const { failedCommits } = (await store.stats()).counters
    peer.say(await remoteNode({ priority: 3n, links: [newer.id], tombstones: [{ key: '/k', id: newer.id }] }))
    await expect(store.put(key('/other'), encode('1'))).resolves.toBeDefined()
    await store.put(key('/other'), encode('2'))
    expect((await store.stats()).counters.failedCommits).toBeGreaterThan(failedCommits)
    expect(await contentOf(store)).toEqual({ '/k': 'newer', '/other': '2' })
  })
})

describe('a datastore that cannot be read', () => {
  test('is a DatastoreOpenError with the cause', async () => {
    const datastore = new FaultyDatastore()
    datastore.failRead = () => true
    await expect(createCrdtDatastore({ datastore })).rejects.toMatchObject({
      name: 'DatastoreOpenError',
      message: expect.stringContaining('input/output error'),
      cause: { name: 'DiskError' }
    })
  })

  test('names its folder where it tells it', async () => {
    const datastore = Object.assign(new FaultyDatastore(), { path: '/where/it/is' })
    datastore.failRead = () => true
    await expect(createCrdtDatastore({ datastore })).rejects.toThrow('"/where/it/is"')
  })
})

describe('a folder that is locked', () => {
  function lockedError(folder: string): Record<string, unknown> {
    return {
      name: 'DatastoreLockedError',
      location: folder,
      message: expect.stringMatching(/is locked: another process .*Stop that process/),
      cause: expect.any(Error)
    }
  }

  async function expectLocked(init: CrdtDatastoreInit, folder: string): Promise<void> {
    const opening = createCrdtDatastore(init)
    await expect(opening).rejects.toMatchObject(lockedError(folder))
    await expect(opening).rejects.toThrow(folder)
  }

  test('by another datastore of this process is named', async () => {
    const folder = temporaryFolder()
    const store = await openStore({ datastore: await openLevel(folder) })
    await store.put(key('/k'), encode('1'))
    await expectLocked({ datastore: new LevelDatastore(folder) }, folder)
    expect(await contentOf(store)).toEqual({ '/k': '1' })
  })

  test('by another process is named, and can be opened once that is gone', async () => {
    const folder = temporaryFolder()
    const script = `
      import { LevelDatastore } from 'datastore-level'
      const datastore = new LevelDatastore(process.argv[1])
      await datastore.open()
      process.stdout.write('open')
      process.stdin.on('end', () => datastore.close()).resume()`
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', script, folder], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    onTestFinished(() => void holder.kill())
    const exited = once(holder, 'exit')
    await once(holder.stdout, 'data')
    const datastore = new LevelDatastore(folder)
    await expectLocked({ datastore }, folder)
    holder.stdin.end()
    await exited
    const store = await openStore({ datastore })
    onTestFinished(() => datastore.close())
    await store.put(key('/k'), encode('1'))
    expect(await contentOf(store)).toEqual({ '/k': '1' })
    await store.close()
  })
})
