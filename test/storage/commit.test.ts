// Change sets and the two ways in which they become durable, over rows that fail on command.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommitFailedError, StoreFailedError } from '../../src/errors.ts'
import { atomicCommitter, ChangeSet, journaledCommitter, replayJournal } from '../../src/storage/commit.ts'
import { type RowStore, rowStoreOver } from '../../src/storage/row-store.ts'
import { DiskError, FaultyDatastore } from './faulty-datastore.ts'

const JOURNAL = '/crdt/j'
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

function faultyRows(atomic = false): { datastore: FaultyDatastore; rows: RowStore } {
  const datastore = new FaultyDatastore({ atomic })
  return { datastore, rows: rowStoreOver(datastore, { atomicBatch: atomic, durability: 'process' }) }
}

function changeSet(rows: Record<string, Uint8Array | null>): ChangeSet {
  const changes = new ChangeSet()
  for (const [row, value] of Object.entries(rows)) {
    if (value === null) changes.delete(row)
    else changes.put(row, value)
  }
  return changes
}

test('a row stands in a change set once, as it was changed last', () => {
  const changes = new ChangeSet()
  changes.put('/a', bytes(1))
  changes.delete('/a')
  changes.delete('/b')
  changes.put('/b', bytes(2))
  expect([...changes.rows]).toEqual([
    ['/a', null],
    ['/b', bytes(2)]
  ])
})

test('an atomic committer writes one batch and no journal', async () => {
  const { datastore, rows } = faultyRows(true)
  await rows.write(new Map([['/gone', bytes(0)]]))
  datastore.recordSnapshots()
  await atomicCommitter(rows).commit(changeSet({ '/a': bytes(1), '/b': bytes(2), '/gone': null }))
  expect(datastore.writes).toBe(1)
  expect([...datastore.rows().keys()].sort()).toEqual(['/a', '/b'])
})

test('an atomic committer that fails has written nothing and says why', async () => {
  const { datastore, rows } = faultyRows(true)
  datastore.breakDisk()
  const commit = atomicCommitter(rows).commit(changeSet({ '/a': bytes(1), '/b': bytes(2) }))
  await expect(commit).rejects.toThrow(CommitFailedError)
  await expect(commit).rejects.toMatchObject({ cause: expect.any(DiskError) })
  expect(datastore.rows().size).toBe(0)
})

test('a batch that failed after it was made is no failed commit, which the next one would write over', async () => {
  const { datastore, rows } = faultyRows(true)
  const committer = atomicCommitter(rows)
  await rows.write(new Map([['/gone', bytes(0)]]))
  datastore.failWrite = () => 'made'
  await expect(committer.commit(changeSet({ '/a': bytes(1), '/gone': null }))).rejects.toThrow(
    StoreFailedError
  )
  datastore.mendDisk()
  await expect(committer.commit(changeSet({ '/b': bytes(1) }))).rejects.toThrow(StoreFailedError)
  expect([...datastore.rows().keys()]).toEqual(['/a'])
})

test('where a batch failed and its rows cannot be read, the commit is undecided', async () => {
  const { datastore, rows } = faultyRows(true)
  datastore.breakDisk()
  datastore.failRead = () => true
  const commit = atomicCommitter(rows).commit(changeSet({ '/a': bytes(1) }))
  await expect(commit).rejects.toThrow(StoreFailedError)
})

test('a journaled committer puts the journal first and removes it last', async () => {
  const { datastore, rows } = faultyRows()
  await rows.write(new Map([['/gone', bytes(0)]]))
  datastore.recordSnapshots()
  await journaledCommitter(rows, JOURNAL, 0).commit(
    changeSet({ '/a': bytes(1), '/gone': null, '/b': bytes(2) })
  )
  const held = datastore.snapshots.map((snapshot) => snapshot.has(JOURNAL))
  expect(held).toEqual([false, true, true, true, true, false])
  expect([...datastore.rows().keys()].sort()).toEqual(['/a', '/b'])
})

test('a journaled committer tries again as often as it may, and no more', async () => {
  for (const failures of [0, 1, 3, 4]) {
    const { datastore, rows } = faultyRows()
    let left = failures
    datastore.failWrite = (number) => (number > 1 && left-- > 0 ? 'not made' : undefined)
    const commit = journaledCommitter(rows, JOURNAL, 3).commit(changeSet({ '/a': bytes(1), '/b': bytes(2) }))
    if (failures <= 3) await commit
    else await expect(commit).rejects.toThrow(StoreFailedError)
    expect(datastore.rows().has(JOURNAL)).toBe(failures > 3)
  }
})

test('after it failed for good a journaled committer commits nothing more', async () => {
  const { datastore, rows } = faultyRows()
  const committer = journaledCommitter(rows, JOURNAL, 0)
  datastore.failWrite = (number) => (number > 1 ? 'not made' : undefined)
  await expect(committer.commit(changeSet({ '/a': bytes(1) }))).rejects.toThrow(StoreFailedError)
  datastore.mendDisk()
  const before = datastore.rows()
  await expect(committer.commit(changeSet({ '/b': bytes(1) }))).rejects.toThrow(StoreFailedError)
  expect(datastore.rows()).toEqual(before)
})

test('a journal row that was put although its put failed does not come to life later', async () => {
  const { datastore, rows } = faultyRows()
  datastore.failWrite = (number) => (number === 1 ? 'made' : undefined)
  const commit = journaledCommitter(rows, JOURNAL, 0).commit(changeSet({ '/a': bytes(1) }))
  await expect(commit).rejects.toThrow(CommitFailedError)
  await replayJournal(rows, JOURNAL)
  expect(datastore.rows().size).toBe(0)
})

test('where a journal row can neither be deleted nor be looked for, the commit is undecided', async () => {
  const { datastore, rows } = faultyRows()
  datastore.breakDisk()
  datastore.failRead = () => true
  const commit = journaledCommitter(rows, JOURNAL, 0).commit(changeSet({ '/a': bytes(1) }))
  await expect(commit).rejects.toThrow(StoreFailedError)
})

test('replaying finishes any change set, as often as it is done', async () => {
  const row = fc.string({ minLength: 1, maxLength: 5 }).map((text) => `/crdt/k/${encodeURIComponent(text)}`)
  const value = fc.option(fc.uint8Array({ maxLength: 200 }))
  await fc.assert(
    fc.asyncProperty(fc.dictionary(row, value, { maxKeys: 8, noNullPrototype: true }), async (wanted) => {
      const { datastore, rows } = faultyRows()
      for (const name of Object.keys(wanted)) await rows.write(new Map([[name, bytes(9)]]))
      datastore.writes = 0
      // The journal is durable, and then nothing works any more.
      datastore.failWrite = (number) => (number > 1 ? 'not made' : undefined)
      await journaledCommitter(rows, JOURNAL, 0)
        .commit(changeSet(wanted))
        .catch(() => {})
      datastore.mendDisk()
      const journal = datastore.rows().get(JOURNAL)
      expect(journal).toBeDefined()
      await replayJournal(rows, JOURNAL)
      await rows.write(new Map([[JOURNAL, journal ?? null]]))
      await replayJournal(rows, JOURNAL)
      const left = Object.entries(wanted).filter(([, bytesWanted]) => bytesWanted !== null)
      expect(new Map(datastore.rows())).toEqual(new Map(left as Array<[string, Uint8Array]>))
    }),
    { numRuns: 100 }
  )
})

test('without a journal there is nothing to replay', async () => {
  const { datastore, rows } = faultyRows()
  await replayJournal(rows, JOURNAL)
  expect(datastore.writes).toBe(0)
})

test('a journal that is damaged is named, and nothing of it is applied', async () => {
  const { datastore, rows } = faultyRows()
  await rows.write(new Map([[JOURNAL, bytes(1, 2, 47, 97, 200)]]))
  await expect(replayJournal(rows, JOURNAL)).rejects.toMatchObject({
    name: 'CorruptRowError',
    message: expect.stringContaining(JOURNAL)
  })
  expect([...datastore.rows().keys()]).toEqual([JOURNAL])
})

test.each<[string, Uint8Array]>([
  ['says neither to put nor to delete', journalBytes(3, '/crdt/k/a')],
  ["names a row that is not the store's", journalBytes(0, '/other')],
  ['names all rows of the store', journalBytes(1, '/crdt/')],
  ['names what is no row', journalBytes(0, 'crdt/k/a')],
  ['names no row', journalBytes(0, '')]
])('a journal that %s is damaged, and nothing of it is applied', async (_name, journal) => {
  const { datastore, rows } = faultyRows()
  for (const row of ['/crdt/k/a', '/other']) await rows.write(new Map([[row, bytes(1)]]))
  await rows.write(new Map([[JOURNAL, bytes(...journalBytes(0, '/crdt/k/a'), ...journal)]]))
  await expect(replayJournal(rows, JOURNAL)).rejects.toMatchObject({ name: 'CorruptRowError' })
  expect([...datastore.rows().keys()].sort()).toEqual(['/crdt/j', '/crdt/k/a', '/other'])
})

function journalBytes(type: number, row: string): Uint8Array {
  return bytes(type, row.length, ...new TextEncoder().encode(row), ...(type === 1 ? [1, 1] : []))
}
