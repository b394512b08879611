/**
 * The acceptance suite of datastores: what a store relies on in the interface-datastore below it. It is no test of
 * interface-datastore as a whole; that is `interface-datastore-tests`.
 *
 * Invariants: keys are like those of a store's rows, printable ASCII with `%` escapes; no test relies on the order of a
 * query, on batches that name a key twice, or on bytes that are changed after they were put.
 */
import assert from 'node:assert/strict'
import { testReopening } from './datastore-reopening.ts'
import {
  assertBytes,
  bytesOf,
  type DatastoreUnderTest,
  row,
  rowsOf,
  type WithDatastore
} from './datastore-rows.ts'
import type { TestRunner } from './runner.ts'

/** Keys that a store of any app may have, every one of them twice but for its case or its last character. */
const KEYS = [
  ...['/crdt/m', '/crdt/k/a', '/crdt/k/A', '/crdt/k/a/b', '/crdt/k/ab', '/crdt/k/a%20b', '/crdt/k/a%2Fb'],
  ...[
    '/crdt/k/100%25',
    '/crdt/k/%E2%82%AC',
    '/crdt/k/~',
    '/crdt/k/!"#$&\'()*+,-.',
    '/crdt/k/;<=>?@[\\]^_`{|}'
  ],
  ...['/crdt/e/a:CIQ2', '/crdt/e/a:CIQ23', '/crdt/b/00000000000001', '/crdt/b/0000000000000a']
]
const VALUE_BYTES = [1, 2, 127, 128, 255, 256, 65_535, 65_536, 1_048_576]
const MANY = 300

/**
 * Defines the tests that a datastore has to pass to be put below a store.
 *
 * @param runner - `{ describe, it }` of the test runner.
 * @param setup - makes a new datastore; called once for each test.
 */
export function testDatastore(runner: TestRunner, setup: () => Promise<DatastoreUnderTest>): void {
  const withDatastore: WithDatastore = (name, run) => {
    runner.it(name, async () => {
      const made = await setup()
      try {
        await run(made.datastore, made)
      } finally {
        await made.end()
      }
    })
  }
  runner.describe('a datastore', () => {
    testRows(withDatastore)
    testQueries(withDatastore)
    testBatches(withDatastore)
    testReopening(withDatastore)
  })
}

function testRows(withDatastore: WithDatastore): void {
  withDatastore('says by the name of its error that a row is not there', async (datastore) => {
    const asked = (async () => await datastore.get(row('/crdt/k/none')))()
    const error = await asked.then(
      () => undefined,
      (reason: { name?: unknown; code?: unknown }) => reason
    )
    const isNamed = error?.name === 'NotFoundError' || error?.code === 'ERR_NOT_FOUND'
    assert.ok(isNamed, `rejects with a NotFoundError, and not: ${error}`)
    assert.equal(await datastore.has(row('/crdt/k/none')), false)
  })

  withDatastore('gives back what was put, under each of many keys', async (datastore) => {
    for (const [index, key] of KEYS.entries()) await datastore.put(row(key), bytesOf(8, index))
    for (const [index, key] of KEYS.entries()) {
      assertBytes(await datastore.get(row(key)), bytesOf(8, index), key)
      assert.equal(await datastore.has(row(key)), true)
    }
  })

  withDatastore('gives back values of any length, byte for byte', async (datastore) => {
    for (const length of VALUE_BYTES) {
      const value = bytesOf(length)
      await datastore.put(row(`/crdt/k/${length}`), value)
      assertBytes(value, bytesOf(length), 'the value that was given')
    }
    for (const length of VALUE_BYTES) {
      const value = await datastore.get(row(`/crdt/k/${length}`))
      assert.ok(value instanceof Uint8Array, 'a value is a Uint8Array')
      assertBytes(value, bytesOf(length), `a value of ${length} bytes`)
    }
  })

  withDatastore(
    'shows the newest value at once, and leaves alone what was read before',
    async (datastore) => {
      let before: Uint8Array | undefined
      for (let number = 0; number < 50; number++) {
        await datastore.put(row('/crdt/s'), bytesOf(100, number))
        const value = await datastore.get(row('/crdt/s'))
        assertBytes(value, bytesOf(100, number), `value ${number}`)
        if (before !== undefined) assertBytes(before, bytesOf(100, number - 1), `value ${number - 1}, later`)
        before = value
      }
    }
  )

  withDatastore('has nothing left of a row that was deleted', async (datastore) => {
    for (const key of KEYS) await datastore.put(row(key), bytesOf(8))
    const [gone, ...left] = KEYS as [string, ...string[]]
    await datastore.delete(row(gone))
    await datastore.delete(row('/crdt/k/none'))
    assert.equal(await datastore.has(row(gone)), false)
    await assert.rejects(async () => await datastore.get(row(gone)))
    assert.deepEqual([...(await rowsOf(datastore, '/crdt/')).keys()].sort(), [...left].sort())
    await datastore.put(row(gone), bytesOf(9))
    assertBytes(await datastore.get(row(gone)), bytesOf(9), 'a row that was put again')
  })

  withDatastore('does many things at once', async (datastore) => {
    const keys = Array.from({ length: MANY }, (_, index) => `/crdt/k/${index}`)
    await Promise.all(keys.map(async (key, index) => await datastore.put(row(key), bytesOf(50, index))))
    const work = keys.map(async (key, index) => {
      if (index % 3 === 0) await datastore.delete(row(key))
      else if (index % 3 === 1) await datastore.put(row(key), bytesOf(60, index))
      else assertBytes(await datastore.get(row(key)), bytesOf(50, index), key)
    })
    await Promise.all([...work, rowsOf(datastore, '/crdt/k/'), rowsOf(datastore, '/crdt/')])
    const rows = await rowsOf(datastore, '/crdt/k/')
    assert.equal(rows.size, MANY - Math.ceil(MANY / 3))
    for (const [index, key] of keys.entries()) {
      if (index % 3 !== 0) assertBytes(rows.get(key), bytesOf(index % 3 === 1 ? 60 : 50, index), key)
    }
  })
}

function testQueries(withDatastore: WithDatastore): void {
  const prefixes = ['/crdt/', '/crdt/k/', '/crdt/k/a', '/crdt/k/a%', '/crdt/k/a%2', '/crdt/e/a:', '/none/']

  withDatastore('finds by a prefix all rows that start with it, and no others', async (datastore) => {
    for (const [index, key] of KEYS.entries()) await datastore.put(row(key), bytesOf(8, index))
    await datastore.put(row('/another/k/a'), bytesOf(8))
    for (const prefix of prefixes) {
      const expected = KEYS.filter((key) => key.startsWith(prefix)).sort()
      const rows = await rowsOf(datastore, prefix)
      assert.deepEqual([...rows.keys()].sort(), expected, `rows of ${prefix}`)
      for (const [key, value] of rows) assertBytes(value, bytesOf(8, KEYS.indexOf(key)), key)
      const keys: string[] = []
      for await (const key of datastore.queryKeys({ prefix })) keys.push(key.toString())
      assert.deepEqual(keys.sort(), expected, `keys of ${prefix}`)
    }
  })

  withDatastore('goes on working when queries are left early', async (datastore, { openIterators }) => {
    for (let index = 0; index < MANY; index++) await datastore.put(row(`/crdt/k/${index}`), bytesOf(20))
    for (let round = 0; round < 50; round++) {
      for await (const _ of datastore.query({ prefix: '/crdt/' })) break
      for await (const _ of datastore.queryKeys({ prefix: '/crdt/' })) break
    }
    assert.equal(openIterators?.() ?? 0, 0, 'iterators that are open')
    await datastore.put(row('/crdt/m'), bytesOf(1))
    assert.equal((await rowsOf(datastore, '/crdt/')).size, MANY + 1)
  })

  withDatastore('may be written to in the middle of a query', async (datastore) => {
    const kept = Array.from({ length: MANY }, (_, index) => `/crdt/k/${index}`)
    for (const key of kept) await datastore.put(row(key), bytesOf(20))
    const found = new Set<string>()
    let index = 0
    for await (const { key } of datastore.query({ prefix: '/crdt/k/' })) {
      found.add(key.toString())
      if (index < 20) await datastore.put(row(`/crdt/x/${index++}`), bytesOf(20))
    }
    assert.deepEqual([...found].sort(), [...kept].sort(), 'what was there all the time is found')
  })
}

function testBatches(withDatastore: WithDatastore): void {
  withDatastore('writes a batch when it is committed, and all of it', async (datastore) => {
    for (let index = 0; index < MANY; index += 2) await datastore.put(row(`/crdt/k/${index}`), bytesOf(5))
    const batch = datastore.batch()
    for (let index = 0; index < MANY; index++) {
      if (index % 2 === 0) batch.delete(row(`/crdt/k/${index}`))
      else batch.put(row(`/crdt/k/${index}`), bytesOf(6, index))
    }
    const before = await rowsOf(datastore, '/crdt/')
    assert.ok(before.has('/crdt/k/0') && !before.has('/crdt/k/1'), 'nothing is written before the commit')
    await batch.commit()
    const rows = await rowsOf(datastore, '/crdt/')
    assert.equal(rows.size, MANY / 2)
    for (let index = 1; index < MANY; index += 2) {
      assertBytes(rows.get(`/crdt/k/${index}`), bytesOf(6, index), `row ${index}`)
    }
    await datastore.batch().commit()
  })

  withDatastore('shows no query half of a batch, where batches are atomic', async (datastore, made) => {
    if (made.atomicBatch !== true) return
    const keys = Array.from({ length: 50 }, (_, index) => row(`/crdt/k/${index}`))
    const write = async (number: number): Promise<void> => {
      const batch = datastore.batch()
      for (const key of keys) batch.put(key, bytesOf(3, number))
      await batch.commit()
    }
    await write(0)
    for (let round = 1; round <= 10; round++) {
      let isWriting = true
      const written = write(round).finally(() => {
        isWriting = false
      })
      do {
        const values = [...(await rowsOf(datastore, '/crdt/k/')).values()].map(String)
        assert.equal(values.length, keys.length)
        assert.equal(new Set(values).size, 1, 'rows that are written together are seen together')
      } while (isWriting)
      await written
    }
  })
}
