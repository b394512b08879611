// Mends damage as a user would, and holds the store against what it was before.
import { expect } from 'vitest'
import { createCrdtDatastore } from '../../src/index.ts'
import { temporaryFolder } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { differing, KINDS, type Letter, levelWith, type Rows, rowsNamed } from './damage.ts'
import { shownBy, soundStore, TOPIC } from './shapes.ts'

export interface Outcome {
  found: boolean
  rows: Rows
}

/** Damages the store of `soundStore` on a disk, looks at it, mends it without any peer, and looks again. */
export async function mend(damaged: Rows, row: string): Promise<Outcome> {
  const { shown } = await soundStore()
  const datastore = await levelWith(temporaryFolder(), damaged)
  const store = await createCrdtDatastore({ datastore, topic: TOPIC, start: false })
  try {
    const verified = await store.verify()
    const dry = await store.repair({ dryRun: true })
    expect(dry).toEqual(verified)
    expect(differing(await rawRows(datastore), damaged), 'nothing was changed').toEqual([])
    const found = verified.differenceCount > 0
    if (found) {
      expect(rowsNamed(verified)).toContain(row)
      expect(verified).toMatchObject({ ok: false, complete: true, mendedCount: 0 })
    }
    const repaired = await store.repair()
    expect(repaired).toMatchObject({ ok: true, complete: true })
    expect(repaired.mendedCount).toBe(repaired.differenceCount)
    expect(new Set(rowsNamed(repaired))).toEqual(new Set(rowsNamed(verified)))
    const rows = await rawRows(datastore)
    await store.start()
    expect(await shownBy(store)).toEqual(shown)
    expect(await store.verify()).toMatchObject({ ok: true, differenceCount: 0 })
    return { found, rows }
  } finally {
    await store.close()
    await datastore.close()
  }
}

/** The kinds whose damage no peer is needed for. */
export const LOCAL = (Object.keys(KINDS) as Letter[]).filter((letter) => letter !== 'b' && letter !== 'j')
