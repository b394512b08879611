// Stores and folders that are gone when their test is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'
import { onTestFinished } from 'vitest'
import { type CrdtDatastore, type CrdtDatastoreInit, createCrdtDatastore } from '../../src/index.ts'

/** A new folder, which is removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'datastore-crdt-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A LevelDatastore that is open until the test is over. */
export async function openLevel(folder: string = temporaryFolder()): Promise<LevelDatastore> {
  const datastore = new LevelDatastore(folder)
  await datastore.open()
  onTestFinished(() => datastore.close())
  return datastore
}

/** The kinds of datastore that behave differently below a store: generic with a journal, and LevelDB. */
export const DATASTORES: ReadonlyArray<{ name: string; open: () => Promise<Datastore> }> = [
  { name: 'MemoryDatastore', open: async () => new MemoryDatastore() },
  { name: 'LevelDatastore', open: openLevel }
]

/** A store that is closed when the test is over, if the test did not do it. */
export async function openStore(init: Partial<CrdtDatastoreInit> = {}): Promise<CrdtDatastore> {
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), ...init })
  onTestFinished(() => store.close())
  return store
}
