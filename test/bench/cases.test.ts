// The lists of benchmarks and curves agree with what is written of them. Their sources are read, not run: they work on the
// built package.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { CEILINGS } from '../../bench/report/ceilings.ts'

const bench = fileURLToPath(new URL('../../bench', import.meta.url))
const read = (file: string) => readFileSync(join(bench, file), 'utf8')
const namesIn = (folder: string) =>
  globSync(`${folder}/*.ts`, { cwd: bench }).flatMap((file) =>
    [...read(file).matchAll(/^ {2}name: '([^']+)',$/gm)].map(([, name]) => name!)
  )

const cases = namesIn('cases')
const table = [...read('README.md').matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name)

test('every benchmark is in the table of the README, and nothing else', () => {
  expect(cases.length).toBeGreaterThan(10)
  expect(table.sort()).toEqual(cases.sort())
})

test('every file with a benchmark is in the index', () => {
  const index = read('cases/index.ts')
  const files = globSync('cases/*.ts', { cwd: bench }).filter((file) => /^ {2}name: '/m.test(read(file)))
  expect(files.filter((file) => !index.includes(`./${file.slice('cases/'.length)}`))).toEqual([])
})

test('every bound of the gate is on a figure that there is', () => {
  const expected = JSON.parse(read('expected.json')) as Record<string, object>
  for (const [name, figures] of Object.entries(expected)) {
    expect(cases).toContain(name)
    const source = read(`cases/${name}.ts`)
    for (const figure of Object.keys(figures))
      expect(source, `${name}, ${figure}`).toMatch(new RegExp(`\\b${figure}: \\{`))
  }
})

test('every path with a ceiling names figures that there are', () => {
  const ceilings = read('cases/ceilings.ts')
  for (const { benchmark, figure, ceiling } of CEILINGS) {
    expect(read(`cases/${benchmark}.ts`), benchmark).toMatch(new RegExp(`\\b${figure}'?: \\{`))
    if (ceiling !== undefined) expect(ceilings).toContain(`'${ceiling}':`)
  }
})
