/**
 * Before the tests of this folder: packs the project as `npm publish` would, and installs the tarball in an empty
 * project as a user does. Once for all files, since both take seconds.
 *
 * Invariants: the project itself is not changed, and `dist` is taken as it is; when something fails here, the tests
 * of this folder fail with the reason, and those of other folders run all the same.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TestProject } from 'vitest/node'

/** What there is once the package is installed. Plain data, because tests run in other threads. */
export interface Installed {
  /** The packed tarball. */
  tarball: string
  /** Paths inside the tarball, with `/`, and the bytes of all of them. */
  files: string[]
  bytes: number
  /** The user's project, into which nothing but the tarball was installed. */
  consumer: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    installed: Installed | { problem: string }
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'datastore-crdt-package-'))
  const installed = await packAndInstall(folder).catch((error: unknown) => ({ problem: String(error) }))
  project.provide('installed', installed)
  return () => rm(folder, { recursive: true, force: true })
}

async function packAndInstall(folder: string): Promise<Installed> {
  if (!existsSync(join(root, 'dist', 'src', 'index.js'))) {
    throw new Error('There is no dist/ to pack: run `npm run build` first, or `npm test`, which does')
  }
  const packed = await npm(root, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder])
  const [{ filename, files, unpackedSize }] = JSON.parse(packed)
  const tarball = join(folder, filename)
  const consumer = join(folder, 'consumer')
  await mkdir(consumer)
  await writeFile(join(consumer, 'package.json'), '{ "name": "consumer", "private": true }\n')
  // Install scripts may run, so that a dependency which needs one is not mistaken for one that does not.
  await npm(consumer, ['install', '--ignore-scripts=false', '--no-audit', '--no-fund', tarball])
  return {
    tarball,
    files: files.map(({ path }: { path: string }) => path).sort(),
    bytes: unpackedSize,
    consumer
  }
}

async function npm(folder: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', args, {
    cwd: folder,
    // npm tells its scripts which project they are run for, and another npm would believe it.
    env: Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^npm_(package_|lifecycle_|config_local_prefix)/.test(name)
      )
    ),
    shell: process.platform === 'win32',
    maxBuffer: 16 * 1024 * 1024
  })
  return stdout
}
