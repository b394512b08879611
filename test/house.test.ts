// The rules of the source tree: which folder may import which, who may know of libp2p, no cycles, small files.
//
// Imports are found by a regular expression on formatted code: Biome puts every import and re-export at the start of
// a line. Types count like values, because an arrow is a dependency of the reader as much as of the program.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const LINES_MAX = 400

/**
 * Every folder of src, and which others it may import besides itself. Three names are not folders: `top` is the
 * files directly in src, `ports` is the file replica/ports.ts, and `leaf` is the files that every folder may import.
 */
const MAY_IMPORT: Record<string, string[]> = {
  leaf: [],
  crdt: ['leaf'],
  codec: ['leaf', 'crdt'],
  ports: ['leaf', 'crdt', 'codec'],
  storage: ['leaf', 'ports', 'crdt', 'codec'],
  dag: ['leaf', 'ports', 'crdt', 'codec', 'storage'],
  replica: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag'],
  inspect: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag', 'replica'],
  check: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag', 'replica'],
  libp2p: ['leaf', 'ports', 'crdt', 'codec'],
  helia: ['leaf', 'ports', 'dag', 'libp2p'],
  top: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag', 'replica', 'inspect', 'check', 'libp2p'],
  testkit: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'libp2p', 'top'],
  daemon: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag', 'replica', 'libp2p', 'top'],
  cli: ['leaf', 'ports', 'crdt', 'codec', 'storage', 'dag', 'replica', 'libp2p', 'top', 'daemon']
}

const LEAF_FILES = ['abort.ts', 'backoff.ts', 'breather.ts', 'errors.ts', 'eventual.ts', 'options.ts']
const PORTS_FILE = 'replica/ports.ts'

/** Whoever else needs the network declares a port. */
const NETWORK_PACKAGE = /^(@libp2p\/|libp2p$|libp2p\/|it-(length-prefixed|pipe|pushable|stream-types)$)/
const NETWORK_PACKAGE_USERS =
  /^((libp2p|helia)\/|daemon\/|cli\/|testkit\/(network|hostile)\/|(create|metrics|stats)\.ts$)/

/** The rest of src runs in browsers too. */
const NODE_BUILTIN = /^node:/
const NODE_BUILTIN_USERS = /^(daemon|cli|testkit)\//

const src = fileURLToPath(new URL('../src', import.meta.url))

const files = globSync('**/*.ts', { cwd: src })
  .map((file) => file.split(sep).join('/'))
  .sort()

/** Relative imports as paths inside src, package imports as they are written. */
const importsOf = new Map(
  files.map((file) => {
    const imports = parseImports(readFileSync(join(src, file), 'utf8'))
    return [file, imports.map((specifier) => resolveImport(file, specifier))]
  })
)

function parseImports(code: string): string[] {
  const statement = /^(?:import|export)\b(?:[\w$\s{},*]*\bfrom\b)?\s*(['"])(.+?)\1/gm
  const dynamic = /\bimport\(\s*(['"])(.+?)\1/g
  return [...code.matchAll(statement), ...code.matchAll(dynamic)].map((match) => match[2]!)
}

function resolveImport(importer: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  const path = relative(src, join(src, dirname(importer), specifier))
  return path.split(sep).join('/')
}

function isPackage(imported: string): boolean {
  return !imported.endsWith('.ts')
}

function folderOf(file: string): string {
  if (LEAF_FILES.includes(file)) return 'leaf'
  if (file === PORTS_FILE) return 'ports'
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : 'top'
}

function isGenerated(file: string): boolean {
  return file.includes('/pb/') || file.endsWith('_pb.ts')
}

/** Every `importer -> imported` for which the rule does not hold. */
function violations(holds: (importer: string, imported: string) => boolean): string[] {
  return [...importsOf].flatMap(([file, imports]) =>
    imports.filter((imported) => !holds(file, imported)).map((imported) => `${file} -> ${imported}`)
  )
}

function mayImport(importer: string, imported: string): boolean {
  const [from, to] = [folderOf(importer), folderOf(imported)]
  return from === to || (MAY_IMPORT[from] ?? []).includes(to)
}

/** The files of one import cycle in order, the first again at the end; empty if there is none. */
function findCycle(graph: Map<string, string[]>): string[] {
  const finished = new Set<string>()
  const visit = (file: string, path: string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (finished.has(file)) return []
    for (const imported of graph.get(file) ?? []) {
      const cycle = visit(imported, [...path, file])
      if (cycle.length > 0) return cycle
    }
    finished.add(file)
    return []
  }
  for (const file of graph.keys()) {
    const cycle = visit(file, [])
    if (cycle.length > 0) return cycle
  }
  return []
}

describe('the house', () => {
  test('every folder is in the table', () => {
    expect(files.filter((file) => MAY_IMPORT[folderOf(file)] === undefined)).toEqual([])
  })

  test('imports run only along the arrows of the table', () => {
    expect(violations((file, imported) => isPackage(imported) || mayImport(file, imported))).toEqual([])
  })

  test('every relative import names a source file', () => {
    expect(violations((_file, imported) => isPackage(imported) || importsOf.has(imported))).toEqual([])
    expect(violations((_file, imported) => !imported.startsWith('..'))).toEqual([])
  })

  test('crdt imports no packages', () => {
    expect(violations((file, imported) => folderOf(file) !== 'crdt' || !isPackage(imported))).toEqual([])
  })

  test('only libp2p, helia, daemon, cli, the simulated network, create.ts, metrics.ts and stats.ts know libp2p and its streams', () => {
    expect(
      violations((file, imported) => !NETWORK_PACKAGE.test(imported) || NETWORK_PACKAGE_USERS.test(file))
    ).toEqual([])
  })

  test('only daemon, cli and testkit need Node', () => {
    expect(
      violations((file, imported) => !NODE_BUILTIN.test(imported) || NODE_BUILTIN_USERS.test(file))
    ).toEqual([])
  })

  test('the oracle imports nothing of what it judges', () => {
    const isOracle = (file: string) => file.startsWith('testkit/oracle/')
    expect(
      violations((file, imported) => !isOracle(file) || isOracle(imported) || NODE_BUILTIN.test(imported))
    ).toEqual([])
  })

  test('no files import each other in a circle', () => {
    expect(findCycle(importsOf)).toEqual([])
  })

  test(`no file has more than ${LINES_MAX} lines`, () => {
    const lineCount = (file: string) => readFileSync(join(src, file), 'utf8').trimEnd().split('\n').length
    expect(files.filter((file) => !isGenerated(file) && lineCount(file) > LINES_MAX)).toEqual([])
  })
})

// Without these, a parser that finds nothing would let every rule above pass.
describe('the rules themselves', () => {
  test('every form of import is found', () => {
    const code = [
      "import a from 'default'",
      "import * as b from 'namespace'",
      "import { c, type C as D } from './named.ts'",
      "import type { E } from 'types'",
      'import {\n  f,\n  $g\n} from "many-lines"',
      "import 'side-effect'",
      "export { h } from './re-exported.ts'",
      "export * from 'everything'",
      "export type { I } from 're-exported-types'",
      "export const j = 'not an import'",
      "// import k from 'comment'",
      "const l = await import('dynamic')"
    ].join('\n')
    expect(parseImports(code)).toEqual([
      'default',
      'namespace',
      './named.ts',
      'types',
      'many-lines',
      'side-effect',
      './re-exported.ts',
      'everything',
      're-exported-types',
      'dynamic'
    ])
  })

  test('relative imports are resolved inside src', () => {
    expect(resolveImport('codec/node.ts', '../crdt/delta.ts')).toBe('crdt/delta.ts')
    expect(resolveImport('codec/node.ts', '@ipld/dag-pb')).toBe('@ipld/dag-pb')
  })

  test('forbidden arrows are refused', () => {
    expect(mayImport('crdt/delta.ts', 'codec/node.ts')).toBe(false)
    expect(mayImport('libp2p/index.ts', 'replica/replica.ts')).toBe(false)
    expect(mayImport('libp2p/index.ts', 'replica/ports.ts')).toBe(true)
    expect(mayImport('replica/replica.ts', 'testkit/index.ts')).toBe(false)
    expect(mayImport('replica/replica.ts', 'errors.ts')).toBe(true)
  })

  test('a cycle is found', () => {
    const graph = new Map([
      ['a.ts', ['b.ts']],
      ['b.ts', ['c.ts', 'package']],
      ['c.ts', ['b.ts']]
    ])
    expect(findCycle(graph)).toEqual(['b.ts', 'c.ts', 'b.ts'])
  })
})
