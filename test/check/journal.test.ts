// A check of a store whose last commit was cut off by a crash, or whose journal is damaged.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { FaultyDatastore } from '../storage/faulty-datastore.ts'
import { openStore } from '../storage/open-store.ts'
import { contentOf, rawRows } from '../storage/store-check.ts'
import { differing, type Rows, writeRows } from './damage.ts'
import { encode, key, shapedStore, shownBy } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

describe('a journal', () => {
  async function crashes(): Promise<Rows[]> {
    const datastore = new FaultyDatastore()
    const store = await shapedStore(datastore, ['named DAGs', 'concurrent versions'])
    datastore.recordSnapshots()
    await store.put(key('/shared'), encode('last'))
    await store.delete(key('/c'))
    return [...datastore.snapshots]
  }

  /** The first and the last moment of each commit at which its journal is there. */
  async function withJournal(): Promise<Array<{ rows: Rows; journal: Uint8Array }>> {
    const moments: Array<{ rows: Rows; journal: Uint8Array }> = []
    for (const [index, rows] of (await crashes()).entries()) {
      const journal = rows.get('/crdt/j')
      if (journal === undefined) continue
      if (index > 0 && moments.at(-1)?.journal === journal) moments[moments.length - 1] = { rows, journal }
      else moments.push({ rows, journal }, { rows, journal })
    }
    return moments
  }

  test('of a commit that a crash cut off is finished by a check, as by a start', async () => {
    const snapshots = await crashes()
    expect(snapshots.some((rows) => rows.has('/crdt/j'))).toBe(true)
    for (const rows of snapshots) {
      const started = await openStore({ datastore: new FaultyDatastore({ rows }) })
      const store = await openStore({ datastore: new FaultyDatastore({ rows }), start: false })
      expect(await store.verify()).toMatchObject(CLEAN)
      await store.start()
      expect(await shownBy(store)).toEqual(await shownBy(started))
    }
  })

  test('that cannot be read is named, and goes; its commit is there or not', async () => {
    const moments = await withJournal()
    expect(moments).toHaveLength(4)
    for (const { rows, journal } of moments) {
      for (const damaged of [
        journal.slice(0, -1),
        journal.slice(0, journal.length >> 1),
        Uint8Array.of(255)
      ]) {
        const datastore = new MemoryDatastore()
        await writeRows(datastore, new Map(rows).set('/crdt/j', damaged))
        const before = await rawRows(datastore)
        const store = await openStore({ datastore, start: false })
        const row = { kind: 'journal', row: '/crdt/j' }
        expect((await store.verify()).differences).toContainEqual(expect.objectContaining(row))
        expect((await store.repair({ dryRun: true })).differences).toContainEqual(
          expect.objectContaining(row)
        )
        expect(differing(await rawRows(datastore), before)).toEqual([])
        expect(await store.repair({ forgetLostBlocks: true })).toMatchObject({ ok: true, complete: true })
        expect(await store.verify()).toMatchObject(CLEAN)
        await store.start()
        const { '/shared': shared } = await contentOf(store)
        expect(['last', undefined]).toContain(shared)
      }
    }
  })

  test('that could not be applied because the disk failed stays', async () => {
    const snapshots = await crashes()
    const rows = snapshots.find((snapshot) => snapshot.has('/crdt/j')) as Rows
    const datastore = new FaultyDatastore({ rows })
    const store = await openStore({ datastore, start: false })
    datastore.breakDisk()
    await expect(store.repair()).rejects.toThrow('no space left')
    datastore.mendDisk()
    expect(datastore.rows().has('/crdt/j')).toBe(true)
    expect(await store.repair()).toMatchObject(CLEAN)
    expect(datastore.rows().has('/crdt/j')).toBe(false)
    await store.start()
    expect((await contentOf(store))['/shared']).toBe('last')
  })

  test('under a store that runs is one too many', async () => {
    const datastore = new FaultyDatastore()
    const store = await shapedStore(datastore, ['named DAGs'])
    await datastore.put(new Key('/crdt/j', false), Uint8Array.of(255))
    expect((await store.verify()).differences).toMatchObject([{ kind: 'journal', row: '/crdt/j' }])
    expect(await store.repair()).toMatchObject({ ok: true, mendedCount: 1 })
    expect(datastore.rows().has('/crdt/j')).toBe(false)
  })
})
