/**
 * What survives when a datastore is opened anew: the part of its acceptance suite that needs a `reopen`.
 *
 * Invariant: a write that is cut off is cut off at another place in every round, as the turns of the event loop have it.
 */
import assert from 'node:assert/strict'
import type { Datastore } from 'interface-datastore'
import { createCrdtDatastore } from '../../create.ts'
import { assertBytes, bytesOf, row, rowsOf, type WithDatastore } from './datastore-rows.ts'

/** Turns between the begin of a write and the moment in which it is cut off. */
const TURNS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]
const LARGE_BYTES = 1_048_576

/** Lets so many microtasks run. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined
}

/** Begins a write that may never end, because what writes is gone. */
function begin(write: () => unknown): void {
  void (async () => await write())().catch(() => {})
}

/** Defines the tests. */
export function testReopening(withDatastore: WithDatastore): void {
  withDatastore('keeps what it acknowledged', async (datastore, { reopen }) => {
    if (reopen === undefined) return
    await datastore.put(row('/crdt/m'), bytesOf(7))
    await datastore.put(row('/crdt/gone'), bytesOf(8))
    const batch = datastore.batch()
    for (let index = 0; index < 20; index++) batch.put(row(`/crdt/k/${index}`), bytesOf(9, index))
    batch.delete(row('/crdt/gone'))
    await batch.commit()
    await datastore.put(row('/crdt/large'), bytesOf(LARGE_BYTES))
    await datastore.delete(row('/crdt/k/0'))
    const rows = await rowsOf(await reopen(), '/crdt/')
    assert.equal(rows.size, 21)
    assertBytes(rows.get('/crdt/m'), bytesOf(7), '/crdt/m')
    assertBytes(rows.get('/crdt/large'), bytesOf(LARGE_BYTES), '/crdt/large')
    for (let index = 1; index < 20; index++)
      assertBytes(rows.get(`/crdt/k/${index}`), bytesOf(9, index), 'a row')
  })

  withDatastore('has all of a put that was cut off, or nothing', async (first, { reopen }) => {
    if (reopen === undefined) return
    let datastore: Datastore = first
    let last = 0
    await datastore.put(row('/crdt/j'), bytesOf(LARGE_BYTES, last))
    for (const [index, count] of TURNS.entries()) {
      const number = index + 1
      const open = datastore
      begin(() => open.put(row('/crdt/j'), bytesOf(LARGE_BYTES, number)))
      await turns(count)
      datastore = await reopen()
      const value = await datastore.get(row('/crdt/j'))
      if (Buffer.compare(value, bytesOf(LARGE_BYTES, number)) === 0) last = number
      assertBytes(value, bytesOf(LARGE_BYTES, last), `the old value or the new one, after ${count} turns`)
    }
  })

  withDatastore(
    'has all of a batch that was cut off, or nothing, where batches are atomic',
    async (first, made) => {
      const { reopen, atomicBatch } = made
      if (reopen === undefined || atomicBatch !== true) return
      let datastore: Datastore = first
      for (const count of TURNS) {
        const batch = datastore.batch()
        for (let index = 0; index < 50; index++) batch.put(row(`/crdt/k/${index}`), bytesOf(4, count))
        begin(() => batch.commit())
        await turns(count)
        datastore = await reopen()
        const values = [...(await rowsOf(datastore, '/crdt/k/')).values()].map(String)
        assert.ok(
          values.length === 0 || values.length === 50,
          `${values.length} of 50 rows, after ${count} turns`
        )
        assert.ok(new Set(values).size <= 1, `rows of two batches, after ${count} turns`)
      }
    }
  )

  withDatastore(
    'carries a store, which has all that it acknowledged when it is opened anew',
    async (first, made) => {
      const { reopen, atomicBatch = false } = made
      let datastore: Datastore = first
      const written = new Map<string, Uint8Array>()
      for (let round = 0; round < 3; round++) {
        const store = await createCrdtDatastore({ datastore, atomicBatch })
        for (const [key, value] of written) assertBytes(await store.get(row(key)), value, key)
        for (let index = 0; index < 10; index++) {
          const [key, value] = [
            `/${round}/${index} with spaces, ÄÖ and 100%`,
            bytesOf(100 * index + 1, round)
          ]
          await store.put(row(key), value)
          written.set(key, value)
        }
        await store.delete(row(`/${round}/3 with spaces, ÄÖ and 100%`))
        written.delete(`/${round}/3 with spaces, ÄÖ and 100%`)
        const { ok, differences } = await store.verify()
        assert.ok(ok, `the state is that of the blocks: ${JSON.stringify(differences)}`)
        const { keys } = await store.stats()
        assert.equal(keys, written.size)
        // Where it is the process that ends, the store is not asked.
        if (reopen === undefined || round === 0) await store.close()
        if (reopen !== undefined) datastore = await reopen()
      }
    }
  )
}
