// The types work for users with strict settings, whichever way their TypeScript resolves modules.
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { manifest, programsFolder, projectFolder, specifiers } from './installed.ts'

const STRICT = [
  ...['--noEmit', '--target', 'es2022', '--lib', 'es2022,dom', '--strict', '--skipLibCheck', 'false'],
  ...['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess']
]

/** Types of Node come from this project's own, so that nothing else is installed into the user's. */
const WITH_NODE = ['--typeRoots', join(projectFolder, 'node_modules', '@types'), '--types', 'node']

const ES_MODULES = ['imports.mts', 'program.mts', 'world.mts', 'libp2p-versions.mts']

let folder: string

beforeAll(async () => {
  folder = await programsFolder()
  const lines = (line: (path: string, index: number) => string) => `${specifiers().map(line).join('\n')}\n`
  const imports = lines((path, index) => `import * as path${index} from '${path}'`)
  const requires = lines((path, index) => `import path${index} = require('${path}')`)
  await writeFile(join(folder, 'imports.mts'), imports)
  await writeFile(join(folder, 'requires.cts'), requires)
})

/** What the compiler has to say, a line for each error. */
function tsc(args: string[]): Promise<string[]> {
  const compiler = join(projectFolder, 'node_modules', '.bin', 'tsc')
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, shell: process.platform === 'win32' }
    execFile(compiler, [...STRICT, ...args, '--pretty', 'false'], options, (error, stdout) => {
      const errors = stdout.split('\n').filter((line) => line !== '')
      if (error !== null && errors.length === 0) reject(error)
      else resolve(errors)
    })
  })
}

test.each([
  ['node16', ['--module', 'node16', ...ES_MODULES]],
  ['nodenext', ['--module', 'nodenext', ...ES_MODULES, 'requires.cts']],
  ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler', ...ES_MODULES]]
])('a program has no type errors under %s, nor have the types that it imports', async (_name, args) => {
  expect(await tsc([...WITH_NODE, ...args])).toEqual([])
})

test('the types of Node are not needed, but for the types of other packages to be checked too', async () => {
  const args = ['--types', '', '--module', 'node16', 'imports.mts', 'libp2p-versions.mts']
  expect(await tsc([...args, '--skipLibCheck', 'true'])).toEqual([])
  const ofOthers = new RegExp(`^ |node_modules/(?!${manifest().name}/)`)
  expect((await tsc(args)).filter((line) => !ofOthers.test(line))).toEqual([])
})

// The user's project has no libp2p, so it borrows those of this project. Their own types are not checked here.
test('nodes of either generation of libp2p, as they come, fit without a cast', async () => {
  const borrowed = [
    'libp2p',
    'libp2p-v2',
    'gossipsub-v2',
    'identify-v2',
    '@libp2p/gossipsub',
    '@libp2p/identify'
  ]
  await mkdir(join(folder, 'node_modules', '@libp2p'), { recursive: true })
  for (const name of borrowed) {
    await symlink(join(projectFolder, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
  }
  const args = ['--module', 'nodenext', '--skipLibCheck', 'true', 'real-nodes.mts']
  expect(await tsc([...WITH_NODE, ...args])).toEqual([])
})

test('a mistake is found, so the types are not any', async () => {
  const mistakes = specifiers().map((path, index) => `import { noSuchName as n${index} } from '${path}'\n`)
  await writeFile(join(folder, 'mistakes.mts'), mistakes.join(''))
  const errors = await tsc([...WITH_NODE, '--module', 'node16', 'mistakes.mts'])
  expect(errors.filter((line) => line.includes('noSuchName'))).toHaveLength(specifiers().length)
})
