// The whole compliance suite of interface-datastore on a store over LevelDB, on disk.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { describe } from 'vitest'
import { type CrdtDatastore, createCrdtDatastore } from '../../src/index.ts'

describe('a store over LevelDatastore', () => {
  const levels = new Map<CrdtDatastore, { level: LevelDatastore; folder: string }>()

  interfaceDatastoreTests({
    setup: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'datastore-crdt-'))
      const level = new LevelDatastore(folder)
      await level.open()
      const store = await createCrdtDatastore({ datastore: level })
      levels.set(store, { level, folder })
      return store
    },
    teardown: async (store) => {
      await store.close()
      const opened = levels.get(store)
      levels.delete(store)
      if (opened === undefined) return
      await opened.level.close()
      rmSync(opened.folder, { recursive: true, force: true })
    }
  })
})
