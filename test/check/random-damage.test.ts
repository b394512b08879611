// Whatever happens to the rows of a store, a repair makes it what the blocks mean that are left.
import type { MemoryDatastore } from 'datastore-core'
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { type BlockExchange, type CrdtDatastoreInit, createCrdtDatastore } from '../../src/index.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { rawRows } from '../storage/store-check.ts'
import { anyStore, storeOf } from './any-store.ts'
import { differing, flipped, letterOf, type Rows } from './damage.ts'
import { blocksOf, expectMeaning } from './meaning.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

interface Damage {
  at: number
  how: 'delete' | 'cut' | 'flip' | 'copy'
  index: number
}

const anyDamage: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    at: fc.nat({ max: 999 }),
    how: fc.constantFrom('delete', 'cut', 'flip', 'copy'),
    index: fc.nat({ max: 99 })
  }),
  { minLength: 1, maxLength: 6 }
)

/** @param mayDelete - whether a row may be gone for good. */
async function damage(
  datastore: MemoryDatastore,
  damages: readonly Damage[],
  mayDelete: (row: string) => boolean = () => true
): Promise<void> {
  for (const { at, how, index } of damages) {
    const rows = [...(await rawRows(datastore))].filter(([row]) => letterOf(row) !== 'm')
    const [row, value] = rows[at % rows.length] ?? []
    if (row === undefined || value === undefined) return
    const key = new Key(row, false)
    if (how === 'delete' && mayDelete(row)) await datastore.delete(key)
    if (how === 'cut') await datastore.put(key, value.slice(0, index % (value.length + 1)))
    if (how === 'flip' && value.length > 0)
      await datastore.put(key, flipped(value, index % value.length, 1 + (at % 255)))
    if (how === 'copy') {
      // Another row's value under this key, or this value under another key of its kind.
      const [other] = rows[(at + index) % rows.length] as [string, Uint8Array]
      await datastore.put(new Key(index % 2 === 0 ? other : row.replace(/.$/, '7'), false), value)
    }
  }
}

/** Somebody who has all blocks, and hands them out by id. */
function exchangeWith(blocks: readonly Uint8Array[]): BlockExchange {
  const byId = new Map(blocks.map((bytes) => [blockId(bytes), bytes]))
  return {
    async start() {},
    async stop() {},
    peers: () => ['peer'],
    async *fetch(ids) {
      for (const id of ids) {
        const bytes = byId.get(id)
        if (bytes !== undefined) yield { bytes, from: 'peer' }
      }
    }
  }
}

describe('any store', () => {
  test('that was damaged while it was closed becomes what is left of its blocks', {
    timeout: 30_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(...anyStore, anyDamage, async (blocks, delivery, purged, damages) => {
        const datastore = await storeOf(blocks, delivery, purged)
        await damage(datastore, damages)
        const before: Rows = await rawRows(datastore)
        const store = await createCrdtDatastore({ datastore, atomicBatch: true, start: false })
        const verified = await store.verify()
        expect(differing(await rawRows(datastore), before)).toEqual([])
        const dry = await store.repair({ dryRun: true, forgetLostBlocks: true })
        expect(dry).toEqual(verified)
        expect(differing(await rawRows(datastore), before)).toEqual([])
        expect(await store.repair({ forgetLostBlocks: true })).toMatchObject({ ok: true, complete: true })
        expect(await store.verify()).toMatchObject(CLEAN)
        await store.start()
        await expectMeaning(store, datastore)
        expect(await store.verify()).toMatchObject(CLEAN)
        await store.close()
      }),
      { numRuns: 70 }
    )
  })

  test('that is damaged while it runs gets back what a peer has', { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(...anyStore, anyDamage, async (blocks, delivery, purged, damages) => {
        const datastore = await storeOf(blocks, delivery, purged)
        const kept = await blocksOf(datastore)
        const init: CrdtDatastoreInit = { datastore, atomicBatch: true, topic: 'test' }
        const store = await createCrdtDatastore({ ...init, exchange: exchangeWith(kept) })
        // A node of which nothing is left is not known to be missing.
        await damage(datastore, damages, (row) => letterOf(row) !== 'a')
        const known = (await rawRows(datastore)).size
        const report = await store.repair()
        expect(report).toMatchObject({ ok: true, complete: true })
        expect(await store.verify()).toMatchObject(CLEAN)
        const ids = (await blocksOf(datastore)).map(blockId).sort()
        expect(ids, `of ${known} rows`).toEqual(kept.map(blockId).sort())
        await expectMeaning(store, datastore)
        await store.close()
        const again = await createCrdtDatastore({ datastore, atomicBatch: true })
        await expectMeaning(again, datastore, kept)
        await again.close()
      }),
      { numRuns: 70 }
    )
  })
})
