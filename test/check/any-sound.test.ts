import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { rawRows } from '../storage/store-check.ts'
import { anyStore, storeOf } from './any-store.ts'
import { differing } from './damage.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

describe('any store', () => {
  test('that is sound verifies', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(...anyStore, async (blocks, delivery, purged) => {
        const datastore = await storeOf(blocks, delivery, purged)
        const before = await rawRows(datastore)
        const store = await createCrdtDatastore({ datastore, atomicBatch: true, start: false })
        expect(await store.verify()).toMatchObject(CLEAN)
        expect(await store.repair()).toMatchObject(CLEAN)
        expect(differing(await rawRows(datastore), before)).toEqual([])
      }),
      { numRuns: 100 }
    )
  })
})
