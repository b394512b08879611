// The README says only what is true: its programs run as they stand, and its commands and files exist.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const { scripts, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
  devDependencies: Record<string, string>
}

/** What stands in the blocks of a kind, one after the other. */
function codeIn(info: string): string {
  const block = new RegExp(`^[\`]{3}${info}\n(.*?)^[\`]{3}`, 'gms')
  return [...readme.matchAll(block)].map(([, code]) => code).join('')
}

// Inside the project, so that `datastore-crdt` and its development dependencies resolve as they do for a user.
async function run(program: string): Promise<string[]> {
  const folder = mkdtempSync(join(root, 'test', 'readme-'))
  try {
    writeFileSync(join(folder, 'program.js'), program)
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], {
      cwd: folder,
      timeout: 60_000
    })
    return stdout.trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// Every block goes on with the program of those before, as a reader who types them one after the other has it. What a
// line prints stands behind it, after `//=>`.
const program = codeIn('js')
const printedBy = (code: string): string[] =>
  [...code.matchAll(/\/\/=> (.*)/g)].map(([, line]) => line as string)

test('the programs of the README run word for word', async () => {
  const newest = codeIn('js libp2p-3')
  for (const code of [program, newest]) {
    expect(printedBy(code).length).toBeGreaterThan(0)
    expect(printedBy(code).length).toBe(code.split('console.log(').length - 1)
  }
  expect(await run(program + newest)).toEqual(printedBy(program + newest))
}, 90_000)

test('they run on libp2p 2 with the imports that the README has for it, of the versions that it names', async () => {
  const importing = /^import \{ (\w+) \} from '((?:@\w+\/)?[\w-]+)'\n/gm
  const imports = [...codeIn('js libp2p-2').matchAll(importing)]
  const names = imports.map(([, name]) => name as string)
  // Here they have other names, because those of libp2p 3 are there too.
  const aliases = Object.entries(devDependencies).flatMap(([alias, version]) => {
    const [, name, major] = /^npm:(.+)@(\d+)\./.exec(version) ?? []
    return name === undefined ? [] : [{ alias, name, major }]
  })
  const installed = /^npm install libp2p@2 .*\n.*$/m.exec(readme)?.[0].match(/\S+@\d+/g) ?? []
  const lines = imports.map(([, name, from]) => {
    const aliased = aliases.find((each) => each.name === from)
    expect(installed).toContain(`${from}@${aliased?.major}`)
    return `import { ${name} } from '${aliased?.alias}'\n`
  })
  expect(installed).toHaveLength(lines.length)
  const replaced: string[] = []
  const rest = program.replaceAll(importing, (line: string, name: string) => {
    if (!names.includes(name)) return line
    replaced.push(name)
    return ''
  })
  expect(replaced.toSorted()).toEqual(names.toSorted())
  expect(await run(lines.join('') + rest)).toEqual(printedBy(program))
}, 90_000)

test('no block of code is in a language that nobody runs', () => {
  const languages = [...readme.matchAll(/^ *```([a-z]+)/gm)].map(([, language]) => language as string)
  expect([...new Set(languages)].sort()).toEqual(['js', 'sh', 'text'])
})

test('every script and every file that the README names exists', () => {
  const commands = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name]) => name as string)
  const builtIn = ['install', 'ci']
  expect(commands.filter((name) => !builtIn.includes(name) && scripts[name] === undefined)).toEqual([])
  const links = [...readme.matchAll(/\]\(((?!http)[^)#]+)\)/g)].map(([, path]) => path as string)
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
