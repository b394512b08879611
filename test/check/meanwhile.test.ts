import { afterEach, describe, expect, test } from 'vitest'
import type { CheckReport } from '../../src/index.ts'
import { World } from '../replica/world.ts'
import { CountingDatastore } from '../storage/counting-datastore.ts'
import { openLevel, openStore } from '../storage/open-store.ts'
import { contentOf, rawRows } from '../storage/store-check.ts'
import { busyContent, writeDuring } from './busy.ts'
import { expectMeaning, expectSame } from './meaning.ts'
import { encode, key, SHAPES, scratchRows, shapedStore } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

let world: World | undefined

afterEach(async () => {
  await world?.close()
  world = undefined
})

describe('while a check runs', () => {
  test.each(['verify', 'repair'] as const)(
    'writes are no differences of %s, and are kept',
    async (method) => {
      for (const datastore of [new CountingDatastore(), await openLevel()]) {
        const store = await shapedStore(datastore, Object.keys(SHAPES))
        const checks = (async () => {
          const reports: CheckReport[] = []
          for (let i = 0; i < 3; i++) reports.push(await store[method]())
          return reports
        })()
        const expected = await writeDuring(store, checks)
        for (const report of await checks) {
          expect(report.differences).toEqual([])
          expect(report).toMatchObject(CLEAN)
        }
        expect(await busyContent(store)).toEqual(expected)
        expect(await store.verify()).toMatchObject(CLEAN)
        expect(scratchRows(await rawRows(datastore))).toEqual([])
        await store.close()
      }
    }
  )

  test('remote nodes are merged, and are no differences', async () => {
    world = new World(1)
    const alice = await world.peer('alice')
    await alice.history(300)
    const bob = await world.peer('bob')
    const reports: Array<Promise<CheckReport>> = []
    for (let i = 0; i < 12; i++) {
      reports.push(bob.store.verify())
      await world.clock.advance(5)
    }
    for (const report of reports) expect(await world.clock.during(report)).toMatchObject(CLEAN)
    await world.clock.until(async () => (await bob.nodes()) === 300)
    expect(await world.clock.during(bob.store.repair())).toMatchObject(CLEAN)
    await expectSame(alice.store, bob.store)
  })

  test('a purge waits for it, and neither sees the other half done', async () => {
    const datastore = await openLevel()
    const store = await shapedStore(datastore, Object.keys(SHAPES))
    for (let i = 0; i < 50; i++) await store.put(key(`/purged/${i}`), encode('1'), { dagName: 'purged' })
    const first = store.repair()
    const purge = store.dag.purge('purged')
    const second = store.repair()
    const resume = store.dag.resume('purged')
    const third = store.verify()
    for (const report of [await first, await second, await third]) expect(report).toMatchObject(CLEAN)
    expect(await purge).toBe(50)
    await resume
    expect(Object.keys(await contentOf(store)).some((name) => name.startsWith('/purged'))).toBe(false)
    await expectMeaning(store, datastore)
  })

  test('a listener may write', async () => {
    const store = await openStore()
    for (let i = 0; i < 10; i++) await store.put(key(`/k/${i}`), encode('1'))
    const writes: Array<Promise<unknown>> = []
    await store.verify({ onProgress: () => void writes.push(store.put(key('/from/progress'), encode('1'))) })
    await Promise.all(writes)
    expect(writes.length).toBeGreaterThan(0)
    expect(await store.verify()).toMatchObject(CLEAN)
  })
})
