// A purge that ends before its end is no damage.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { openStore } from '../storage/open-store.ts'
import { contentOf, rawRows } from '../storage/store-check.ts'
import { encode, key, TOPIC } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

describe('a purge that was cut off', () => {
  test('is no damage, and ends at the next start', async () => {
    const datastore = new MemoryDatastore()
    let store = await openStore({ datastore, topic: TOPIC, coalesce: false })
    await Promise.all(
      Array.from({ length: 600 }, (_, i) => store.put(key(`/long/${i}`), encode('1'), { dagName: 'long' }))
    )
    await store.put(key('/k'), encode('1'))
    const controller = new AbortController()
    const reason = new Error('enough')
    store.addEventListener('change', () => controller.abort(reason), { once: true })
    await expect(store.dag.purge('long', { signal: controller.signal })).rejects.toBe(reason)
    expect(await store.verify()).toMatchObject(CLEAN)
    const left = (await rawRows(datastore, '/crdt/a/')).size
    expect(left).toBeGreaterThan(1)
    expect(left).toBeLessThan(601)
    await store.close()
    store = await openStore({ datastore, topic: TOPIC, start: false })
    expect(await store.verify()).toMatchObject(CLEAN)
    // Damage beside it is mended all the same.
    await datastore.delete(new Key('/crdt/s', false))
    expect(await store.repair()).toMatchObject({ ok: true, complete: true })
    expect(await store.verify()).toMatchObject(CLEAN)
    await store.start()
    expect(await contentOf(store)).toEqual({ '/k': '1' })
    expect((await rawRows(datastore, '/crdt/a/')).size).toBe(1)
    expect(await store.verify()).toMatchObject(CLEAN)
  })
})
