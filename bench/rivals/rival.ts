/**
 * Who the store is held against: go-ds-crdt, js-ds-crdt and OrbitDB. Each is a process that is asked in lines of JSON,
 * and is built or installed when it is wanted first, in a folder of its own.
 *
 * Invariant: a rival that cannot be built, installed or started makes no benchmark fail; why it cannot is told.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled, execute } from '../installed-folder.ts'

export type RivalName = 'go-ds-crdt' | 'js-ds-crdt' | 'OrbitDB'

/** How to start the process of a rival. */
export interface RivalCommand {
  command: string
  args: string[]
}

const BENCH = fileURLToPath(new URL('..', import.meta.url))
const GO_PROGRAM = fileURLToPath(
  new URL('../../node_modules/.cache/datastore-crdt-bench/go-peer', import.meta.url)
)

const makers: Record<RivalName, () => Promise<RivalCommand>> = {
  async 'go-ds-crdt'() {
    mkdirSync(join(GO_PROGRAM, '..'), { recursive: true })
    await execute('go', ['build', '-o', GO_PROGRAM, '.'], join(BENCH, 'go'))
    return { command: GO_PROGRAM, args: [] }
  },
  'js-ds-crdt': () => installed('js-ds-crdt'),
  OrbitDB: () => installed('orbitdb')
}

const made = new Map<RivalName, Promise<RivalCommand>>()

/**
 * How to start a rival. It is made ready once in a run.
 *
 * @throws Error telling why there is none.
 */
export async function commandOf(name: RivalName): Promise<RivalCommand> {
  let command = made.get(name)
  if (command === undefined) {
    command = makers[name]()
    made.set(name, command)
  }
  return await command
}

/** A rival from npm, with packages of its own that are no dependencies of this project. */
async function installed(folderName: string): Promise<RivalCommand> {
  const folder = join(BENCH, 'rivals', folderName)
  await ensureInstalled(folder)
  return { command: process.execPath, args: [join(folder, 'peer.js')] }
}
