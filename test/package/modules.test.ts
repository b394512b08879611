// Every sub-path can be imported and required, and both give the same objects: an error that is thrown by one half of
// an app is an instance of the class that the other half knows.
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { manifest, packageFolder, programsFolder, runNode, specifiers } from './installed.ts'

interface Loaded {
  specifier: string
  file: string
  names: string[]
  different: string[]
}

let folder: string

beforeAll(async () => {
  folder = await programsFolder()
})

test('import and require of every sub-path give the same', async () => {
  const { exports } = manifest()
  expect(Object.keys(exports)).toContain('.')
  const output = await runNode(folder, ['require-and-import.cjs', ...specifiers()])
  const loaded = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Loaded)
  expect(loaded.map(({ specifier }) => specifier).sort()).toEqual(specifiers().sort())
  for (const { specifier, file, names, different } of loaded) {
    const conditions = exports[`.${specifier.slice(manifest().name.length)}`]
    expect(file, specifier).toBe(join(packageFolder(), conditions?.['module-sync'] ?? ''))
    expect(names, specifier).not.toEqual([])
    expect(different, specifier).toEqual([])
  }
})

test("a user's program runs", async () => {
  expect(await runNode(folder, ['program.mts'])).toBe(
    'local /greeting, local /gone, local /gone, /greeting hello\n'
  )
})

test("a user's test runs in a simulated world", async () => {
  expect(await runNode(folder, ['world.mts'])).toBe('hello\n')
})

test('stack traces name the sources', async () => {
  const program = `require('${manifest().name}').createCrdtDatastore({}).catch(({ stack }) => console.log(stack))`
  const stack = await runNode(folder, ['--enable-source-maps', '--eval', program])
  expect(stack).toContain(join(packageFolder(), 'src', 'create.ts'))
})
