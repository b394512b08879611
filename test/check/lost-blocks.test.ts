// Blocks that are gone: fetched again from whoever has them, and as long as one is lost nothing else is touched.
import { type Datastore, Key } from 'interface-datastore'
import { afterEach, describe, expect, test } from 'vitest'
import type { CheckReport, RepairOptions } from '../../src/index.ts'
import { decodeLog } from '../../src/storage/rows.ts'
import { type Peer, World } from '../replica/world.ts'
import { openStore } from '../storage/open-store.ts'
import { contentOf, rawRows } from '../storage/store-check.ts'
import { differing, flipped, type Rows, rowsNamed } from './damage.ts'
import { expectMeaning, expectSame } from './meaning.ts'
import { MemoryBlocks, scratchRows, shownBy } from './shapes.ts'

let world: World

afterEach(async () => {
  await world?.close()
})

const NEVER_AGAIN = { rebroadcastIntervalMs: 86_400_000, retryIntervalMsMax: 1000 }

const logRow = (sequence: number): string => `/crdt/b/${sequence.toString(16).padStart(14, '0')}`

async function put(datastore: Datastore, row: string, value: Uint8Array): Promise<void> {
  await datastore.put(new Key(row, false), value)
}

async function remove(datastore: Datastore, row: string): Promise<void> {
  await datastore.delete(new Key(row, false))
}

/** Two replicas of which the second wrote everything. */
async function twoPeers(): Promise<[Peer, Peer]> {
  const bob = await world.peer('bob', NEVER_AGAIN)
  await bob.put('/a', '1')
  await bob.put('/b', '1')
  await bob.put('/a', '2', 'red')
  await bob.delete('/b')
  await bob.put('/b', '2')
  for (let side = 0; side < 17; side++) await bob.put(`/side/${side}`, '1', `side ${side}`)
  await bob.put('/c', '1')
  const alice = await world.peer('alice', NEVER_AGAIN)
  await world.clock.until(async () => (await alice.nodes()) === 23)
  return [alice, bob]
}

const rowCount = ({ datastore }: Peer): number => datastore.rows('/crdt/a/').length

async function repair(peer: Peer, options?: RepairOptions): Promise<CheckReport> {
  return await world.clock.during(peer.store.repair(options))
}

/** Ways in which the block of a log row can be gone. */
const LOSSES: Record<string, (datastore: Datastore, row: string, value: Uint8Array) => Promise<void>> = {
  'is gone': async (datastore, row) => remove(datastore, row),
  'is cut short': async (datastore, row, value) => put(datastore, row, value.slice(0, -1)),
  'is empty': async (datastore, row) => put(datastore, row, new Uint8Array(0)),
  'has another byte in its id': async (datastore, row, value) => put(datastore, row, flipped(value, 7)),
  'has another byte in its block': async (datastore, row, value) =>
    put(datastore, row, flipped(value, value.length - 1)),
  'says that its block is elsewhere': async (datastore, row, value) =>
    put(datastore, row, flipped(value, 0, 1)),
  'has the block of another node': async (datastore, row) =>
    put(datastore, row, (await rawRows(datastore)).get(logRow(9)) as Uint8Array)
}

describe.each(Object.entries(LOSSES))('a row of the log that %s', (_name, lose) => {
  test('is fetched from a peer, also where nothing else is whole', async () => {
    world = new World(1)
    const [alice, bob] = await twoPeers()
    const before = await rawRows(bob.datastore)
    for (const sequence of [1, 4, 23]) {
      await lose(bob.datastore, logRow(sequence), before.get(logRow(sequence)) as Uint8Array)
    }
    await put(bob.datastore, '/crdt/k/a', Uint8Array.of(1))
    const dry = await repair(bob, { dryRun: true })
    expect(dry).toMatchObject({ ok: false, complete: false, mendedCount: 0 })
    expect(rowsNamed(dry)).toEqual(expect.arrayContaining([1, 4, 23].map(logRow)))
    const repaired = await repair(bob)
    expect(repaired).toMatchObject({ ok: true, complete: true })
    expect(rowsNamed(repaired)).toEqual(expect.arrayContaining([1, 4, 23].map(logRow)))
    expect(differing(await rawRows(bob.datastore), before)).toEqual([])
    expect(await world.clock.during(bob.store.verify())).toMatchObject({ ok: true, differenceCount: 0 })
    await expectSame(alice.store, bob.store)
  })

  test('that no peer has leaves everything else as it is', async () => {
    world = new World(2)
    const [, bob] = await twoPeers()
    world.partition(['bob'])
    const { datastore } = bob
    await lose(datastore, logRow(3), (await rawRows(datastore)).get(logRow(3)) as Uint8Array)
    await put(datastore, '/crdt/k/a', Uint8Array.of(1))
    await remove(datastore, '/crdt/k/c')
    const before = await rawRows(datastore)
    const report = await repair(bob)
    expect(report).toMatchObject({ ok: false, complete: false, mendedCount: 0 })
    expect(rowsNamed(report)).toContain(logRow(3))
    expect(report.differences.every(({ kind }) => kind === 'block')).toBe(true)
    expect(differing(await rawRows(datastore), before)).toEqual([])
  })

  test('that no peer has is forgotten on demand, and merged when a peer comes', async () => {
    world = new World(3)
    const [alice, bob] = await twoPeers()
    const shown = await shownBy(bob.store)
    world.partition(['bob'], ['alice'])
    const { datastore } = bob
    // A node that others link to, the tip of a DAG, and the only node of another.
    for (const sequence of [4, 23, 12]) {
      await lose(datastore, logRow(sequence), (await rawRows(datastore)).get(logRow(sequence)) as Uint8Array)
    }
    const report = await repair(bob, { forgetLostBlocks: true })
    expect(report).toMatchObject({ ok: true, complete: true })
    expect(await world.clock.during(bob.store.verify())).toMatchObject({ ok: true, differenceCount: 0 })
    expect(bob.datastore.rows('/crdt/a/')).toHaveLength(20)
    expect(await bob.store.stats()).toMatchObject({ gaps: 1 })
    expect(await bob.get('/c')).toBeUndefined()
    await expectMeaning(bob.store, bob.datastore)
    await bob.put('/meanwhile', '1')
    await expectMeaning(bob.store, bob.datastore)
    world.heal()
    await world.clock.until(() => rowCount(bob) === 24 && rowCount(alice) === 24)
    await expectSame(alice.store, bob.store)
    expect(await bob.store.stats()).toMatchObject({ gaps: 0 })
    expect(await world.clock.during(bob.store.verify())).toMatchObject({ ok: true, differenceCount: 0 })
    const { content } = shown as { content: Record<string, string> }
    expect(await contentOf(bob.store)).toEqual({ ...content, '/meanwhile': '1' })
  })

  test('is forgotten in a store that is not started', async () => {
    world = new World(4)
    const [alice, bob] = await twoPeers()
    const { datastore } = bob
    await world.clock.during(bob.store.close())
    await lose(datastore, logRow(4), (await rawRows(datastore)).get(logRow(4)) as Uint8Array)
    const before = await rawRows(datastore)
    const store = await openStore({ datastore, atomicBatch: true, topic: 'world', start: false })
    expect(await store.repair()).toMatchObject({ ok: false, complete: false, mendedCount: 0 })
    expect(differing(await rawRows(datastore), before)).toEqual([])
    expect(await store.repair({ forgetLostBlocks: true })).toMatchObject({ ok: true, complete: true })
    expect(await store.verify()).toMatchObject({ ok: true, differenceCount: 0 })
    await store.close()
    const again = await world.peer('bob', { datastore, ...NEVER_AGAIN })
    await world.clock.until(() => rowCount(again) === 23)
    await expectSame(alice.store, again.store)
  })
})

describe('a lost block', () => {
  test('is not believed when a peer answers with other bytes', async () => {
    world = new World(5)
    const [alice, bob] = await twoPeers()
    alice.rules.lie = (bytes) => flipped(bytes, bytes.length - 1)
    const before = await rawRows(bob.datastore)
    await remove(bob.datastore, logRow(4))
    expect(await repair(bob)).toMatchObject({ ok: false, complete: false, mendedCount: 0 })
    expect((await rawRows(bob.datastore)).has(logRow(4))).toBe(false)
    alice.rules.lie = (bytes) => bytes
    expect(await repair(bob)).toMatchObject({ ok: true, complete: true, mendedCount: 1 })
    expect(differing(await rawRows(bob.datastore), before)).toEqual([])
  })

  test('that a peer is mute about is given up after a while', async () => {
    world = new World(6)
    const [alice, bob] = await twoPeers()
    alice.rules.mute = true
    await remove(bob.datastore, logRow(4))
    expect(await repair(bob)).toMatchObject({ ok: false, complete: false })
  })

  test('whose applied row says another place never takes the place of another node', async () => {
    world = new World(7)
    const [alice, bob] = await twoPeers()
    const { datastore } = bob
    const before = await rawRows(datastore)
    const rowOf = (sequence: number): string => {
      const { id } = decodeLog('', before.get(logRow(sequence)) as Uint8Array)
      return `/crdt/a${id}`
    }
    for (const [sequence, damaged] of [
      [4, Uint8Array.of(9, ...(before.get(rowOf(4)) as Uint8Array).slice(1))],
      [6, Uint8Array.of(255)],
      [7, Uint8Array.of(255, 255, 255, 255, 15, 1, 0)]
    ] as const) {
      await put(datastore, rowOf(sequence), damaged)
      await remove(datastore, logRow(sequence))
    }
    const verified = await world.clock.during(bob.store.verify())
    expect(verified).toMatchObject({ complete: false, differenceCount: 3 })
    expect(rowsNamed(verified).sort()).toEqual([4, 6, 7].map(rowOf).sort())
    expect(await repair(bob)).toMatchObject({ ok: true, complete: true })
    expect(await world.clock.during(bob.store.verify())).toMatchObject({ ok: true, differenceCount: 0 })
    expect(await rawRows(datastore)).toHaveLength(before.size)
    await expectSame(alice.store, bob.store)
  })

  test('whose applied row says another place takes nothing with it when it is forgotten', async () => {
    world = new World(8)
    const [, bob] = await twoPeers()
    world.partition(['bob'])
    const { datastore } = bob
    const before = await rawRows(datastore)
    const { id } = decodeLog('', before.get(logRow(4)) as Uint8Array)
    await put(datastore, `/crdt/a${id}`, Uint8Array.of(9, 9, 0))
    await remove(datastore, logRow(4))
    expect(await repair(bob, { forgetLostBlocks: true })).toMatchObject({ ok: true, complete: true })
    expect(bob.datastore.rows('/crdt/a/')).toHaveLength(22)
    await expectMeaning(bob.store, bob.datastore)
  })

  test('leaves no scratch rows, whatever becomes of it', async () => {
    world = new World(9)
    const [, bob] = await twoPeers()
    world.partition(['bob'])
    await remove(bob.datastore, logRow(4))
    await repair(bob)
    expect(scratchRows(await rawRows(bob.datastore))).toEqual([])
  })

  test('of many is fetched in requests of bounded size', async () => {
    world = new World(10)
    const alice = await world.peer('alice', NEVER_AGAIN)
    await alice.history(150)
    const bob = await world.peer('bob', { ...NEVER_AGAIN, fetchIdsMax: 40 })
    await world.clock.until(async () => (await bob.nodes()) === 150)
    for (const row of bob.datastore.rows('/crdt/b/')) await remove(bob.datastore, row)
    const { length } = bob.exchange.requests
    expect(await repair(bob)).toMatchObject({ ok: true, mendedCount: 150 })
    const sizes = bob.exchange.requests.slice(length).map(({ ids }) => ids.length)
    expect(sizes).toEqual([40, 40, 40, 30])
    await expectSame(alice.store, bob.store)
  })
})

describe('a block that is gone from a blockstore', () => {
  async function withBlocks(): Promise<{ blockstore: MemoryBlocks; alice: Peer; bob: Peer; before: Rows }> {
    world = new World(11)
    const blockstore = new MemoryBlocks()
    const alice = await world.peer('alice', NEVER_AGAIN)
    for (let i = 0; i < 6; i++) await alice.put(`/k/${i % 4}`, `${i}`)
    const bob = await world.peer('bob', { ...NEVER_AGAIN, blockstore } as object)
    await world.clock.until(async () => (await bob.nodes()) === 6)
    return { blockstore, alice, bob, before: await rawRows(bob.datastore) }
  }

  test('is fetched and put there again', async () => {
    const { blockstore, alice, bob, before } = await withBlocks()
    const blocks = new Map(blockstore.blocks)
    const [first, second] = [...blocks.keys()] as [string, string]
    blockstore.blocks.delete(first)
    blockstore.blocks.set(second, Uint8Array.of(1))
    expect(await repair(bob, { dryRun: true })).toMatchObject({ complete: false })
    expect(await repair(bob)).toMatchObject({ ok: true, complete: true, mendedCount: 2 })
    expect(blockstore.blocks).toEqual(blocks)
    expect(differing(await rawRows(bob.datastore), before)).toEqual([])
    await expectSame(alice.store, bob.store)
  })

  test('comes to nothing when it was the wrong blockstore, or one that fails', async () => {
    const { blockstore, bob, before } = await withBlocks()
    await world.clock.during(bob.store.close())
    const { datastore } = bob
    const init = { datastore, atomicBatch: true, topic: 'world', start: false }
    for (const other of [new MemoryBlocks(), undefined]) {
      const store = await openStore({ ...init, ...(other === undefined ? {} : { blockstore: other }) })
      expect(await store.repair()).toMatchObject({ ok: false, complete: false, mendedCount: 0 })
      expect(differing(await rawRows(datastore), before)).toEqual([])
      await store.close()
    }
    const store = await openStore({ ...init, blockstore })
    blockstore.failure = new Error('the blockstore is closed')
    await expect(store.repair({ forgetLostBlocks: true })).rejects.toBe(blockstore.failure)
    expect(differing(await rawRows(datastore), before)).toEqual([])
    blockstore.failure = undefined
    expect(await store.repair()).toMatchObject({ ok: true, differenceCount: 0 })
  })

  test('is forgotten on demand', async () => {
    const { blockstore, bob } = await withBlocks()
    world.partition(['bob'])
    blockstore.blocks.delete([...blockstore.blocks.keys()][3] as string)
    expect(await repair(bob, { forgetLostBlocks: true })).toMatchObject({ ok: true, complete: true })
    expect(bob.datastore.rows('/crdt/a/')).toHaveLength(5)
    expect(await world.clock.during(bob.store.verify())).toMatchObject({ ok: true, differenceCount: 0 })
    expect(await bob.get('/k/3')).toBeUndefined()
    await expectMeaning(bob.store, bob.datastore, [...blockstore.blocks.values()])
  })
})
