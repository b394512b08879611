// A sound store verifies, whatever its shape and wherever it is kept, and a check leaves no trace in it.
import { MemoryDatastore } from 'datastore-core'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../../src/index.ts'
import { DATASTORES, openLevel, openStore, temporaryFolder } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { differing, type Rows } from './damage.ts'
import { MemoryBlocks, SHAPES, shapedStore, TOPIC } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differences: [], differenceCount: 0, mendedCount: 0 }

async function expectSound(store: CrdtDatastore, rows: () => Promise<Rows>): Promise<void> {
  const before = await rows()
  expect(await store.verify()).toMatchObject(CLEAN)
  expect(await store.repair({ dryRun: true })).toMatchObject(CLEAN)
  expect(differing(await rows(), before)).toEqual([])
  expect(await store.repair()).toMatchObject(CLEAN)
  expect(differing(await rows(), before)).toEqual([])
}

describe.each(DATASTORES)('a sound store over a $name', ({ open }) => {
  test.each([...Object.keys(SHAPES), 'all of these'])(
    'of shape %s verifies while it runs, stopped, and started again',
    async (shape) => {
      const shapes = shape in SHAPES ? [shape] : Object.keys(SHAPES)
      const datastore = await open()
      let store = await shapedStore(datastore, shapes)
      const rows = (): Promise<Rows> => rawRows(datastore)
      await expectSound(store, rows)
      await store.close()
      store = await openStore({ datastore, topic: TOPIC, start: false })
      await expectSound(store, rows)
      expect(store.isStarted()).toBe(false)
      await store.start()
      await expectSound(store, rows)
    }
  )
})

describe('a sound store', () => {
  test('with its blocks in a blockstore verifies', async () => {
    const datastore = new MemoryDatastore()
    const blockstore = new MemoryBlocks()
    let store = await shapedStore(datastore, Object.keys(SHAPES), { blockstore })
    const rows = (): Promise<Rows> => rawRows(datastore)
    await expectSound(store, rows)
    await store.close()
    store = await openStore({ datastore, blockstore, start: false })
    await expectSound(store, rows)
  })

  test('that nobody ever started verifies, and stays empty', async () => {
    const datastore = await openLevel()
    const store = await openStore({ datastore, start: false })
    await expectSound(store, () => rawRows(datastore))
    expect(await rawRows(datastore)).toEqual(new Map())
  })

  test('of another namespace is checked by itself', async () => {
    const datastore = await openLevel()
    const one = await shapedStore(datastore, ['deleted keys'], { namespace: '/one' })
    const two = await shapedStore(datastore, ['named DAGs'], { namespace: '/two' })
    await expectSound(one, () => rawRows(datastore, '/'))
    await expectSound(two, () => rawRows(datastore, '/'))
  })

  test('survives many restarts, and each of its checks', async () => {
    const folder = temporaryFolder()
    const datastore = await openLevel(folder)
    for (const shape of Object.keys(SHAPES)) {
      const store = await shapedStore(datastore, [shape])
      expect(await store.verify()).toMatchObject(CLEAN)
      await store.close()
    }
  })
})
