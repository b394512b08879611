/**
 * Temporary folders that are deleted after the test, also where it failed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders: string[] = []

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'datastore-crdt-'))
  folders.push(folder)
  return folder
}

/** For `afterEach`, once no process has the folders open. */
export async function deleteFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
}
