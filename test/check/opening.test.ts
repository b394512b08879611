// Stores that start refuses, or must not touch: what the error says mends them, and newer ones are left alone.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { encodeMeta } from '../../src/storage/rows.ts'
import { openStore } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { differing, flipped, someOf } from './damage.ts'
import { encode, key, SHAPES, shapedStore, shownBy, TOPIC } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }
const REFUSED = {
  name: 'CorruptRowError',
  message: expect.stringMatching(/repair\(\) mends it.*start: false/)
}

async function refusedAndMended(datastore: MemoryDatastore, row: string, shown: unknown): Promise<void> {
  const before = await rawRows(datastore)
  const store = await openStore({ datastore, topic: TOPIC, start: false })
  await expect(store.start()).rejects.toMatchObject(REFUSED)
  await expect(store.start()).rejects.toThrow(row)
  expect(differing(await rawRows(datastore), before)).toEqual([])
  await expect(createCrdtDatastore({ datastore })).rejects.toMatchObject(REFUSED)
  expect(await store.verify()).toMatchObject({ ok: false, complete: true })
  expect(await store.repair()).toMatchObject({ ok: true, complete: true })
  await store.start()
  expect(await shownBy(store)).toEqual(shown)
  await store.put(key('/after'), encode('1'))
  expect(await store.verify()).toMatchObject(CLEAN)
}

describe('a store that start refuses', () => {
  test('because its state row is gone', async () => {
    const datastore = new MemoryDatastore()
    const store = await shapedStore(datastore, Object.keys(SHAPES))
    const shown = await shownBy(store)
    await store.close()
    await datastore.delete(new Key('/crdt/s', false))
    await refusedAndMended(datastore, '/crdt/s', shown)
  })

  test('because its state row is gone, though its first nodes were purged', async () => {
    const datastore = new MemoryDatastore()
    const store = await openStore({ datastore, topic: TOPIC })
    for (let i = 0; i < 3; i++) await store.put(key(`/first/${i}`), encode('1'), { dagName: 'first' })
    await store.put(key('/k'), encode('1'))
    await store.dag.purge('first')
    const shown = await shownBy(store)
    await store.close()
    await datastore.delete(new Key('/crdt/s', false))
    await refusedAndMended(datastore, '/crdt/s', shown)
  })

  test('because its state row is of an earlier commit', async () => {
    const datastore = new MemoryDatastore()
    const store = await shapedStore(datastore, ['concurrent versions', 'more heads than the state row holds'])
    const stale = await datastore.get(new Key('/crdt/s', false))
    await store.put(key('/later'), encode('1'))
    await store.delete(key('/later'))
    await store.put(key('/later'), encode('2'))
    const shown = await shownBy(store)
    await store.close()
    await datastore.put(new Key('/crdt/s', false), stale)
    await refusedAndMended(datastore, '/crdt/s', shown)
  })

  test('because a block that waits is not what it was', async () => {
    const datastore = new MemoryDatastore()
    const store = await shapedStore(datastore, ['blocks that wait'])
    const shown = await shownBy(store)
    await store.close()
    const rows = await rawRows(datastore)
    const [row] = someOf(rows, 'p', 1) as [string]
    const value = rows.get(row) as Uint8Array
    await datastore.put(new Key(row, false), flipped(value, value.length - 3))
    await refusedAndMended(datastore, row, shown)
  })

  test('keeps the clock of the blocks that wait when its state row is made anew', async () => {
    const datastore = new MemoryDatastore()
    const store = await shapedStore(datastore, ['blocks that wait'])
    await store.close()
    await datastore.delete(new Key('/crdt/s', false))
    const again = await openStore({ datastore, start: false })
    await again.repair()
    await again.start()
    await again.put(key('/after'), encode('1'))
    expect((await again.heads())[0]?.priority).toBeGreaterThan(40n)
  })

  test('loses nothing by a repair with another version of the layout', async () => {
    for (const meta of [
      { layout: 3, leastReader: 2, topic: 'test' },
      { layout: 3, leastReader: 1, topic: 'test' }
    ]) {
      const datastore = new MemoryDatastore()
      const first = await shapedStore(datastore, ['named DAGs'])
      await first.close()
      await datastore.put(new Key('/crdt/m', false), encodeMeta(meta))
      await datastore.delete(new Key('/crdt/k/shared', false))
      const before = await rawRows(datastore)
      const store = await openStore({ datastore, start: false })
      if (meta.leastReader > 1) {
        await expect(store.verify()).rejects.toMatchObject({ name: 'LayoutTooNewError' })
        await expect(store.repair()).rejects.toMatchObject({ name: 'LayoutTooNewError' })
        expect(differing(await rawRows(datastore), before)).toEqual([])
      } else {
        expect(await store.repair()).toMatchObject({ ok: true })
        expect(await datastore.get(new Key('/crdt/m', false))).toEqual(encodeMeta(meta))
      }
    }
  })

  test('is given its topic again where its meta row is gone', async () => {
    const datastore = new MemoryDatastore()
    const first = await shapedStore(datastore, ['one key'])
    await first.close()
    const meta = await datastore.get(new Key('/crdt/m', false))
    await datastore.delete(new Key('/crdt/m', false))
    const store = await openStore({ datastore, topic: TOPIC, start: false })
    expect((await store.repair()).differences).toMatchObject([
      { kind: 'meta', problem: 'missing', mended: true }
    ])
    expect(await datastore.get(new Key('/crdt/m', false))).toEqual(meta)
  })
})
