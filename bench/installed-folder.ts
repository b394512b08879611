/**
 * Folders of the suite with packages of their own, which are no dependencies of this project.
 */
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Installs the packages of a folder, unless they are there.
 *
 * @throws Error with what npm complained of.
 */
export async function ensureInstalled(folder: string): Promise<void> {
  const lock = join(folder, 'package-lock.json')
  const stamp = join(folder, 'node_modules', '.package-lock.json')
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return
  await execute('npm', ['ci', '--loglevel=error'], folder)
}

/** @throws Error with the last words of a command that fails. */
export async function execute(command: string, args: string[], cwd: string): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  child.stderr.on('data', (text) => {
    complaints += text
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) {
    throw new Error(`${command} ${args[0]} failed: ${complaints.trim().split('\n').slice(-3).join(' ')}`)
  }
}
