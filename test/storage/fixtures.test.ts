// Stores as older versions left them, one for each layout that was released: opened, read, checked, written on.
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { expect, onTestFinished, test } from 'vitest'
import { LAYOUT } from '../../src/storage/keys.ts'
import { contentOf } from '../fixtures/fixture.ts'
import { openStore, temporaryFolder } from './open-store.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const layouts = readdirSync(fixtures).filter((name) => name.startsWith('layout-'))

test('there is a fixture of every layout', () => {
  expect(layouts.toSorted()).toEqual(Array.from({ length: LAYOUT }, (_, index) => `layout-${index + 1}`))
})

test.each(layouts.map((layout) => [layout]))(
  'a store of %s has everything it had, and goes on',
  async (layout) => {
    const folder = temporaryFolder()
    cpSync(join(fixtures, layout, 'store'), folder, { recursive: true })
    const expected = JSON.parse(readFileSync(join(fixtures, layout, 'expected.json'), 'utf8'))
    const datastore = new LevelDatastore(folder)
    await datastore.open()
    onTestFinished(async () => await datastore.close())
    const store = await openStore({ datastore, topic: 'fixture' })
    expect(await contentOf(store)).toEqual(expected.content)
    expect(await store.digest()).toBe(expected.digest)
    const heads = await store.heads()
    expect(heads.map(({ cid, priority, dagName }) => `${cid} ${priority} ${dagName}`)).toEqual(expected.heads)
    expect(await store.stats()).toMatchObject(expected.stats)
    expect(await store.verify()).toMatchObject({ ok: true, differences: [] })
    await expect(store.put(new Key('/x'), new Uint8Array(1), { dagName: 'purged' })).rejects.toMatchObject({
      name: 'DagIgnoredError'
    })
    await store.put(new Key('/key/1'), Uint8Array.of(7))
    expect(await store.get(new Key('/key/1'))).toEqual(Uint8Array.of(7))
    expect(await store.verify()).toMatchObject({ ok: true, differences: [] })
  }
)
