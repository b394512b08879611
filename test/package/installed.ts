/**
 * The installed package as the tests of this folder see it.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import type { Installed } from './install-tarball.ts'

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url))

interface Manifest {
  name: string
  dependencies: Record<string, string>
  /** By sub-path, and then by condition. */
  exports: Record<string, Record<string, string>>
}

/** @throws if the package could not be packed or installed. */
export function installed(): Installed {
  const result = inject('installed')
  if ('problem' in result) throw new Error(`The package could not be packed and installed: ${result.problem}`)
  return result
}

/** The folder of the package in the user's project. */
export function packageFolder(): string {
  return join(installed().consumer, 'node_modules', manifest().name)
}

/** The package.json, which npm packs unchanged. */
export function manifest(): Manifest {
  return JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as Manifest
}

/** Every sub-path of the package, as it stands in an import: so a new one is tested without being named here. */
export function specifiers(): string[] {
  const { name, exports } = manifest()
  return Object.keys(exports).map((path) => name + path.slice(1))
}

/** A new folder in the user's project, which holds the user's programs. */
export async function programsFolder(): Promise<string> {
  const folder = await mkdtemp(join(installed().consumer, 'programs-'))
  await cp(join(projectFolder, 'test', 'package', 'consumer'), folder, { recursive: true })
  return folder
}

/** What a program printed to stdout. It fails unless the program ends with status 0. */
export async function runNode(folder: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: 30_000 })
  return stdout
}
