/**
 * Makes sure that `dist` is there and no older than `src`, because processes import the built package by its name.
 *
 * Invariant: nothing is deleted, so that a process which runs from `dist` is not disturbed.
 */
import { spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url))

/** @throws if `src` does not compile. */
export function ensureBuilt(): void {
  const newest = Math.max(...globSync('src/**/*.ts', { cwd: projectFolder }).map(changedAt))
  if (changedAt('dist/src/index.js') > newest) return
  const tsc = join(projectFolder, 'node_modules', '.bin', 'tsc')
  const { status, stdout } = spawnSync(tsc, ['-p', 'tsconfig.build.json'], {
    cwd: projectFolder,
    shell: process.platform === 'win32'
  })
  if (status !== 0) throw new Error(`The project does not build:\n${stdout}`)
}

function changedAt(file: string): number {
  return statSync(join(projectFolder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
