// The map of failures that must never come back cannot rot: every line has a test or says what it waits for, and every
// test that it names is in its file, by exactly that name, and is run.
//
// Names are found by a regular expression on formatted code: Biome puts every `test` and `describe` at the start of a
// line, and closes it where it began. A name is what stands in the source, with its `%s` and `${name}`.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SECTIONS = [
  'Convergence',
  'Durability and recovery',
  'Batches',
  'Network',
  'Cost',
  'Events',
  'Lifecycle and types'
]

/** Pieces of work that are to come; what waits for one of them needs it. */
const TO_COME = ['lab']

interface Line {
  section: string
  text: string
  tests: Array<{ file: string; names: string[] }>
  /** What it waits for, and why. */
  waits: Array<{ work: string; reason: string }>
}

const folder = fileURLToPath(new URL('.', import.meta.url))
const lines = parseMap(readFileSync(join(folder, 'regressions.md'), 'utf8'))
const files = [...new Set(lines.flatMap(({ tests }) => tests.map(({ file }) => file)))].sort()

/** @throws if there is a row that says nothing. */
function parseMap(markdown: string): Line[] {
  const found: Line[] = []
  let section = ''
  // Whatever stands before the first section tells how to read it; a row may go on below itself.
  const map = markdown.slice(markdown.indexOf('\n## ')).replaceAll(/\n +(?=[^- ])/g, ' ')
  for (const row of map.split('\n').filter((each) => each !== '')) {
    const line = found.at(-1)
    const [, heading] = /^## (.+)$/.exec(row) ?? []
    const [, text] = /^- (.+)$/.exec(row) ?? []
    const [, file] = /^ {2}- `(.+\.test\.ts)`$/.exec(row) ?? []
    const [, name] = /^ {4}- `([^`]+)`$/.exec(row) ?? []
    const [, work, reason] = /^ {2}- Waits for ([\w ]+): (.+)$/.exec(row) ?? []
    if (heading !== undefined) section = heading
    else if (text !== undefined) found.push({ section, text, tests: [], waits: [] })
    else if (file !== undefined) line?.tests.push({ file, names: [] })
    else if (name !== undefined) line?.tests.at(-1)?.names.push(name)
    else if (work !== undefined && reason !== undefined) line?.waits.push({ work, reason })
    else throw new Error(`The map has a row that says nothing: ${row}`)
  }
  return found
}

/** The tests of a file that are run, each with the names of what it stands in: `a describe > a test`. */
function testsIn(code: string): Set<string> {
  // The end of a test or a describe, or its beginning, perhaps with a table, up to the end of its name.
  const statement =
    /^( *)(?:\}\)|(describe|test)(?:\.(?:each|for)\([\s\S]*?\))?\(\s*(['"`])((?:\\.|(?!\3)[^\\])*)\3)/gm
  const found = new Set<string>()
  const opened: Array<{ indent: number; name: string }> = []
  for (const [, { length: indent } = '', kind, , text = ''] of code.matchAll(statement)) {
    while (opened.length > 0 && opened.at(-1)!.indent >= indent) opened.pop()
    const name = text.replaceAll(/\\(['"`\\])/g, '$1')
    if (kind === 'describe') opened.push({ indent, name })
    else if (kind === 'test') found.add([...opened.map((each) => each.name), name].join(' > '))
  }
  return found
}

describe('the map of failures that must never come back', () => {
  test('has every section, and no fewer lines than it had', () => {
    expect([...new Set(lines.map(({ section }) => section))]).toEqual(SECTIONS)
    expect(lines.length).toBeGreaterThanOrEqual(50)
    expect(new Set(lines.map(({ text }) => text)).size).toBe(lines.length)
  })

  test('has no line without a test or what it waits for', () => {
    const bare = lines.filter(({ tests, waits }) => tests.length + waits.length === 0)
    expect(bare.map(({ text }) => text)).toEqual([])
  })

  test('names a test for each file, and each file and test once in a line', () => {
    for (const { text, tests } of lines) {
      expect(new Set(tests.map(({ file }) => file)).size, text).toBe(tests.length)
      for (const { file, names } of tests) {
        expect(names, `${text} ${file}`).not.toEqual([])
        expect(names, `${text} ${file}`).toEqual([...new Set(names)])
      }
    }
  })

  test('has no line that waits for what nobody is going to do', () => {
    const works = lines.flatMap(({ waits }) => waits.map(({ work }) => work))
    expect(works.filter((work) => !TO_COME.includes(work))).toEqual([])
  })

  test.each(files)('%s is there and has every test that the map names', (file) => {
    const path = join(folder, '..', file)
    expect(existsSync(path), file).toBe(true)
    const there = testsIn(readFileSync(path, 'utf8'))
    const named = lines.flatMap(({ tests }) => tests.filter((each) => each.file === file))
    expect(named.flatMap(({ names }) => names).filter((name) => !there.has(name))).toEqual([])
  })
})

describe('the rules themselves', () => {
  test('every form of a test is found, with what it stands in', () => {
    const code = `
test('alone', () => {})

describe('outer', () => {
  test("it's here", async () => {
    expect(f({
      one: 1
    })).toBe(1)
  })

  describe.each([
    ['a', 1]
  ])('inner %s', (_name) => {
    test('deep', { timeout: 1 }, () => {})
    test('it\\'s there', () => {})
  })

  test.each(Object.entries(CASES))('%s is (so)', () => {})

  test.each(['x', 'y'])(
    'on its own line',
    () => {}
  )
})

for (const name of names) {
  test(\`of \${name}\`, () => {})
}
`
    expect([...testsIn(code)]).toEqual([
      'alone',
      "outer > it's here",
      'outer > inner %s > deep',
      "outer > inner %s > it's there",
      'outer > %s is (so)',
      'outer > on its own line',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how it stands in the source.
      'of ${name}'
    ])
  })

  test('what is not run is not found', () => {
    expect([...testsIn("// test('a')\ntest.skip('b', () => {})\ntest.todo('c')\n")]).toEqual([])
  })

  test('a map is read as it is written, and what cannot be read is named', () => {
    const map = `# Title

- not yet

## One
- A line that
  goes on.
  - \`test/a.test.ts\`
    - \`a > b\`
    - \`c\`
  - Waits for lab: it is long,
    and goes on.
`
    expect(parseMap(map)).toEqual([
      {
        section: 'One',
        text: 'A line that goes on.',
        tests: [{ file: 'test/a.test.ts', names: ['a > b', 'c'] }],
        waits: [{ work: 'lab', reason: 'it is long, and goes on.' }]
      }
    ])
    expect(() => parseMap('\n## One\n- A line.\n  - `test/a.ts`\n')).toThrow('- `test/a.ts`')
  })
})
