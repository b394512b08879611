// The README says only what is true: its programs run as they stand, and its commands and files exist.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

// Every block goes on with the program of those before, as a reader who types them one after the other has it. What a
// line prints stands behind it, after `//=>`.
test('the programs of the README run word for word', async () => {
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code as string)
  expect(blocks.length).toBeGreaterThan(1)
  const program = blocks.join('')
  const printed = [...program.matchAll(/\/\/=> (.*)/g)].map(([, line]) => line as string)
  expect(printed.length).toBe(program.split('console.log(').length - 1)
  // Inside the project, so that `datastore-crdt` and its development dependencies resolve as they do for a user.
  const folder = mkdtempSync(join(root, 'test', 'readme-'))
  try {
    writeFileSync(join(folder, 'program.js'), program)
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], {
      cwd: folder,
      timeout: 60_000
    })
    expect(stdout.trim().split('\n')).toEqual(printed)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 90_000)

test('no block of code is in a language that nobody runs', () => {
  const languages = [...readme.matchAll(/^ *```([a-z]+)/gm)].map(([, language]) => language as string)
  expect([...new Set(languages)].sort()).toEqual(['js', 'sh', 'text'])
})

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
