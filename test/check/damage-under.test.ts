// Damage under a store that runs and is written to while it is mended.
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import type { CheckReport, StoreDifference } from '../../src/index.ts'
import { type Peer, World } from '../replica/world.ts'
import { openLevel, openStore } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'
import { busyContent, writeDuring } from './busy.ts'
import { KINDS, type Letter, someOf } from './damage.ts'
import { expectMeaning, expectSame } from './meaning.ts'
import { SHAPES, shapedStore } from './shapes.ts'

const CLEAN = { ok: true, complete: true, differenceCount: 0 }

let world: World | undefined

afterEach(async () => {
  await world?.close()
  world = undefined
})

describe('damage under a store that runs', () => {
  const letters = (Object.keys(KINDS) as Letter[]).filter((letter) => !'bjwi'.includes(letter))

  test.each(letters)('of a row of kind %s is found and mended while it is written to', async (letter) => {
    const datastore = await openLevel()
    const store = await shapedStore(datastore, Object.keys(SHAPES))
    const sound = await rawRows(datastore)
    for (const how of ['gone', 'cut'] as const) {
      const [row] = someOf(sound, letter, 1) as [string]
      if (how === 'gone') await datastore.delete(new Key(row, false))
      else await datastore.put(new Key(row, false), Uint8Array.of(255))
      const verified = await store.verify()
      if (letter === 'p') {
        // What is gone is remembered in memory; what is damaged is left to a peer that has it, or to the next start.
        if (how === 'cut') expect(verified.differences).toMatchObject([{ kind: 'pending', row }])
        continue
      }
      expect(verified.differences.map((found) => found.row)).toContain(row)
      const repair = store.repair()
      const expected = await writeDuring(store, repair, 20)
      expect(await repair).toMatchObject({ ok: true, complete: true })
      expect(await busyContent(store)).toEqual(expected)
      expect(await store.verify()).toMatchObject(CLEAN)
      await expectMeaning(store, datastore)
    }
  })

  test('of the tips that it has in memory is mended there, too', async () => {
    const datastore = await openLevel()
    let store = await shapedStore(datastore, ['more heads than the state row holds'])
    await store.close()
    const [row] = someOf(await rawRows(datastore), 'h', 1) as [string]
    await datastore.delete(new Key(row, false))
    store = await openStore({ datastore })
    expect(await store.heads()).toHaveLength(17)
    const seen: StoreDifference[] = []
    expect(await store.repair({ onDifference: (found) => void seen.push(found) })).toMatchObject({ ok: true })
    expect(seen).toContainEqual(
      expect.objectContaining({ kind: 'head', problem: 'missing', row, mended: true })
    )
    expect(await store.heads()).toHaveLength(18)
    await expectMeaning(store, datastore)
    const before = await rawRows(datastore)
    await store.close()
    store = await openStore({ datastore })
    expect(await store.heads()).toHaveLength(18)
    expect(before.size).toBe((await rawRows(datastore)).size)
  })

  test('of the end of the log is mended without the loss of any write', async () => {
    const datastore = await openLevel()
    const store = await shapedStore(datastore, ['many versions of one key'])
    const rows = await rawRows(datastore)
    const [block] = someOf(rows, 'b', 1) as [string]
    // Where the next writes will go.
    for (const sequence of ['15', '16', '19']) {
      await datastore.put(new Key(`/crdt/b/000000000000${sequence}`, false), rows.get(block) as Uint8Array)
    }
    const repair = store.repair()
    const expected = await writeDuring(store, repair, 20)
    expect(await repair).toMatchObject({ ok: true, complete: true })
    expect(await store.verify()).toMatchObject(CLEAN)
    expect(await busyContent(store)).toEqual(expected)
    await expectMeaning(store, datastore)
  })

  test('of a block that waits is mended by a peer that has it', async () => {
    world = new World(2)
    const alice = await world.peer('alice', { goLike: true })
    await alice.history(30)
    const bob = await world.peer('bob', { goLike: true, retryIntervalMsMax: 1000 })
    await alice.put('/last', '1')
    await world.clock.until(() => bob.datastore.rows('/crdt/p').length > 10)
    // The walk goes no further, and what was had before can be had again.
    const had = new Set(bob.datastore.rows('/crdt/p').map((row) => row.slice('/crdt/p'.length)))
    alice.rules.withhold = (id) => !had.has(id)
    const row = bob.datastore.rows('/crdt/p')[0] as string
    const value = await bob.datastore.get(new Key(row, false))
    await bob.datastore.put(new Key(row, false), Uint8Array.of(255))
    const report = await duringRepair(bob)
    expect(report.differences).toMatchObject([{ kind: 'pending', row, problem: 'wrong', mended: true }])
    expect(await bob.datastore.get(new Key(row, false))).toEqual(value)
    alice.rules.withhold = () => false
    await world.clock.until(async () => (await bob.nodes()) === 31)
    await expectSame(alice.store, bob.store)
  })
})

async function duringRepair(peer: Peer): Promise<CheckReport> {
  return await peer.world.clock.during(peer.store.repair())
}
