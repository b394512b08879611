// Runs `npm ci` when node_modules does not match package-lock.json, so that `npm start` and `npm test` work from a
// fresh clone and after every change of a dependency.
//
// It runs before anything is installed: it is plain JavaScript without dependencies, for any Node from 18 on. The
// scripts after it run on the newer Node which `npm ci` installs into node_modules/.bin.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(root, 'node_modules', '.package-lock.sha256')

const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8').trim() : undefined

if (installed !== wanted) {
  console.log('Installing the dependencies (npm ci) ...')
  // npm must not run on the Node inside node_modules, because `npm ci` deletes that folder first.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder))
    .join(delimiter)
  // Warnings are left out: on an older Node they are only that packages want a newer one, which is being installed.
  const result = spawnSync('npm', ['ci', '--include=dev', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, PATH: path }
  })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) process.exit(result.status ?? 1)
  // The stamp is written last: an install that was interrupted is done again.
  writeFileSync(stampFile, `${wanted}\n`)
}
