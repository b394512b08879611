// The acceptance suite of datastores, over those that we are used with, and over broken ones, which it has to find out.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import { type Datastore, Key } from 'interface-datastore'
import { describe, expect, it, vi } from 'vitest'
import { SimulatedDatastore } from '../../src/testkit/disk/simulated-datastore.ts'
import {
  type DatastoreKind,
  type DatastoreUnderTest,
  SimulatedDisk,
  testDatastore,
  VirtualClock
} from '../../src/testkit/index.ts'
import { RecordingRunner } from './recording-runner.ts'

// A busy disk takes its time; no test waits for anything else.
vi.setConfig({ testTimeout: 60_000 })

/** A simulated datastore whose process is killed when it is opened anew, as the suite is meant to be used. */
async function simulated(kind: DatastoreKind): Promise<DatastoreUnderTest> {
  const [disk, clock] = [new SimulatedDisk(), new VirtualClock()]
  let datastore = new SimulatedDatastore(disk, { clock, kind })
  return {
    datastore,
    atomicBatch: kind !== 'plain',
    reopen: async () => {
      datastore.kill()
      datastore = new SimulatedDatastore(disk, { clock, kind })
      return datastore
    },
    end: async () => datastore.kill()
  }
}

describe.each(['level', 'atomic', 'plain'] as const)('a simulated datastore of the kind %s,', (kind) =>
  testDatastore({ describe, it }, () => simulated(kind))
)

describe('MemoryDatastore,', () =>
  testDatastore({ describe, it }, async () => ({ datastore: new MemoryDatastore(), end: async () => {} })))

describe('LevelDatastore,', () =>
  testDatastore({ describe, it }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'datastore-crdt-'))
    let datastore = new LevelDatastore(folder)
    await datastore.open()
    return {
      datastore,
      atomicBatch: true,
      reopen: async () => {
        await datastore.close()
        datastore = new LevelDatastore(folder)
        await datastore.open()
        return datastore
      },
      end: async () => {
        await datastore.close()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }))

/** A datastore in which some methods are replaced by others. */
type Breaking = (whole: Datastore) => Partial<Datastore>

/** The whole one but for what is replaced. */
function broken(whole: Datastore, replaced: Partial<Datastore>): Datastore {
  return new Proxy(whole, {
    get(target, name) {
      if (name in replaced) return replaced[name as keyof Datastore]
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

const BROKEN: Record<string, [Breaking, string]> = {
  'loses a delete': [() => ({ delete: () => {} }), 'has nothing left of a row that was deleted'],
  'gives undefined for what is not there': [
    (whole) => ({ get: async (key) => ((await whole.has(key)) ? await whole.get(key) : undefined) as never }),
    'says by the name of its error that a row is not there'
  ],
  'has a name of its own for what is not there': [
    (whole) => ({
      get: async (key) => {
        if (!(await whole.has(key))) throw new Error('ENOENT')
        return await whole.get(key)
      }
    }),
    'says by the name of its error that a row is not there'
  ],
  'cuts long values': [
    (whole) => ({ put: (key, value) => whole.put(key, value.subarray(0, 65_536)) }),
    'gives back values of any length, byte for byte'
  ],
  'does not tell cases apart': [
    (whole) => {
      const lower = (key: Key) => new Key(key.toString().toLowerCase(), false)
      return {
        put: async (key, value) => {
          await whole.put(lower(key), value)
          return key
        },
        get: (key) => whole.get(lower(key)),
        has: (key) => whole.has(lower(key))
      }
    },
    'gives back what was put, under each of many keys'
  ],
  'decodes escapes': [
    (whole) => ({
      put: async (key, value) => {
        await whole.put(new Key(key.toString().replace('%20', ' '), false), value)
        return key
      }
    }),
    'gives back what was put, under each of many keys'
  ],
  'takes a prefix for a folder': [
    (whole) => ({
      async *query(query) {
        const folder = query.prefix?.endsWith('/') ? query.prefix : `${query.prefix}/`
        yield* whole.query({ ...query, prefix: folder })
      }
    }),
    'finds by a prefix all rows that start with it, and no others'
  ],
  'reads all values into one buffer': [
    (whole) => {
      const buffer = new Uint8Array(2_000_000)
      return {
        get: async (key) => {
          const value = await whole.get(key)
          buffer.set(value)
          return buffer.subarray(0, value.length)
        }
      }
    },
    'shows the newest value at once, and leaves alone what was read before'
  ],
  'writes a batch before its commit': [
    (whole) => ({
      batch: () => ({
        put: (key, value) => void whole.put(key, value),
        delete: (key) => void whole.delete(key),
        commit: () => {}
      })
    }),
    'writes a batch when it is committed, and all of it'
  ],
  'leaves the deletes out of a batch': [
    (whole) => ({ batch: () => ({ ...whole.batch(), delete: () => {} }) }),
    'writes a batch when it is committed, and all of it'
  ]
}

async function failuresOf(setup: () => Promise<DatastoreUnderTest>): Promise<string[]> {
  const runner = new RecordingRunner()
  testDatastore(runner, setup)
  expect(runner.count).toBeGreaterThan(12)
  return [...(await runner.failures()).keys()]
}

describe('a datastore is found out that', () => {
  it.each(Object.entries(BROKEN))('%s', async (_name, [breaking, expected]) => {
    const failures = await failuresOf(async () => {
      const whole = new MemoryDatastore()
      return { datastore: broken(whole, breaking(whole)), end: async () => {} }
    })
    expect(failures).toContain(expected)
  })

  it('says of its batches that they are atomic, and writes them row by row', async () => {
    const failures = await failuresOf(async () => ({ ...(await simulated('plain')), atomicBatch: true }))
    expect(failures).toEqual(
      expect.arrayContaining([
        'shows no query half of a batch, where batches are atomic',
        'has all of a batch that was cut off, or nothing, where batches are atomic'
      ])
    )
  })

  it('forgets what it acknowledged', async () => {
    const failures = await failuresOf(async () => ({
      datastore: new MemoryDatastore(),
      reopen: async () => new MemoryDatastore(),
      end: async () => {}
    }))
    expect(failures).toContain('keeps what it acknowledged')
  })

  it('writes a large value in pieces', async () => {
    const failures = await failuresOf(async () => {
      const made = await simulated('atomic')
      const inPieces = (whole: Datastore): Datastore =>
        broken(whole, {
          put: async (key, value) => {
            await whole.put(key, value.subarray(0, value.length / 2))
            return await whole.put(key, value)
          }
        })
      return {
        ...made,
        datastore: inPieces(made.datastore),
        reopen: async () => inPieces(await made.reopen!())
      }
    })
    expect(failures).toContain('has all of a put that was cut off, or nothing')
  })

  it('leaves iterators open', async () => {
    const failures = await failuresOf(async () => {
      const whole = new MemoryDatastore()
      let open = 0
      const query: Datastore['query'] = async function* (query) {
        open++
        yield* whole.query(query)
        open--
      }
      return { datastore: broken(whole, { query }), openIterators: () => open, end: async () => {} }
    })
    expect(failures).toEqual(['goes on working when queries are left early'])
  })
})
