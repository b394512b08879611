// Rows that no commit would write: named, and gone after a repair.
import { beforeEach, describe, expect, test } from 'vitest'
import { encodeLog } from '../../src/storage/rows.ts'
import { forge } from '../replica/forge.ts'
import { openStore, temporaryFolder } from '../storage/open-store.ts'
import { differing, extraRows, having, letterOf, levelWith, type Rows, rowsNamed } from './damage.ts'
import { mend } from './mend.ts'
import { key, soundStore, TOPIC } from './shapes.ts'

let sound: Rows

beforeEach(async () => {
  sound = (await soundStore()).rows
})

describe('a row too many', () => {
  test('is named and goes', async () => {
    for (const [row, value] of extraRows(sound)) {
      const { found, rows } = await mend(having(sound, row, value), row)
      expect(found, row).toBe(true)
      expect(differing(rows, sound), row).toEqual([])
    }
  }, 20_000)

  test('that is a node which was never applied becomes one', async () => {
    const folder = temporaryFolder()
    const node = forge({ puts: { '/restored': '1' }, priority: 2n })
    const last = [...sound.keys()].filter((row) => letterOf(row) === 'b').length + 20
    const row = `/crdt/b/${last.toString(16).padStart(14, '0')}`
    const datastore = await levelWith(folder, having(sound, row, encodeLog(node)))
    const store = await openStore({ datastore, topic: TOPIC, start: false })
    expect(rowsNamed(await store.verify())).toContain(`/crdt/a${node.id}`)
    expect(await store.repair()).toMatchObject({ ok: true })
    await store.start()
    expect(await store.get(key('/restored'))).toEqual(Uint8Array.of(49))
    await store.close()
    await datastore.close()
  })
})
