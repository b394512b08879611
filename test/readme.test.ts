// The README says only what is true: its program runs as it stands, and its commands and files exist.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

test('the program of the README runs word for word', async () => {
  const program = /```js\n(.*?)```/s.exec(readme)?.[1]
  expect(program).toBeDefined()
  // Inside the project, so that `datastore-crdt` and its development dependencies resolve as they do for a user.
  const folder = mkdtempSync(join(root, 'test', 'readme-'))
  try {
    const ending = '\nawait store.close()\nawait libp2p.stop()\n'
    writeFileSync(join(folder, 'program.js'), `${program}${ending}`)
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], {
      cwd: folder,
      timeout: 30_000
    })
    expect(stdout.trim()).toBe('local /greeting')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

test('every script and every file that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const commands = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name]) => name as string)
  const builtIn = ['install', 'ci']
  expect(commands.filter((name) => !builtIn.includes(name) && scripts[name] === undefined)).toEqual([])
  const links = [...readme.matchAll(/\]\(((?!http)[^)#]+)\)/g)].map(([, path]) => path as string)
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
