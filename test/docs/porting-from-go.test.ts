// The page for those who port from Go has every exported name of go-ds-crdt, and names only what there is here.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { CrdtDatastore } from '../../src/datastore.ts'
import * as errors from '../../src/errors.ts'
import { LIMITS } from '../../src/options.ts'
import { StoreDag } from '../../src/store-dag.ts'
import { committedNames, HEAD, hasGo, headSource, namesIn, RELEASE, releaseSource } from './go-names.ts'
import { membersOf, read, root, rowsOf } from './tables.ts'

const page = read('docs/porting-from-go.md')
/** Rows of three cells; the last table, of what has no name, has two. */
const rows = rowsOf(page).filter((cells) => cells.length === 3)
const names = committedNames()

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text as string)

/** What a page may call ours: exported names, options, methods of a store, and members of what is passed around. */
const OURS = new Set([
  ...['index', 'libp2p/index', 'testkit/index'].flatMap((name) => exportedBy(`src/${name}.ts`)),
  ...Object.keys(errors),
  ...Object.keys(LIMITS),
  ...methodsOf(CrdtDatastore).map((name) => `store.${name}`),
  ...methodsOf(StoreDag).map((name) => `store.dag.${name}`),
  ...[
    ['create', 'CrdtDatastoreInit'],
    ['events', 'Head'],
    ['stats', 'Stats'],
    ['crdt/delta', 'Delta'],
    ['crdt/delta', 'Element'],
    ['crdt/delta', 'Tombstone'],
    ['replica/ports', 'Broadcaster'],
    ['replica/ports', 'BlockExchange']
  ].flatMap(([file, name]) => membersOf(`src/${file}.ts`, name as string).map((member) => member.name))
])

function exportedBy(path: string): string[] {
  const lists = [...read(path).matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list as string)
  return lists.flatMap((list) => list.split(',').map((name) => name.replace(/\btype\b/, '').trim()))
}

function methodsOf(type: { prototype: object }): string[] {
  const names: string[] = []
  for (let part = type.prototype; part !== Object.prototype; part = Object.getPrototypeOf(part)) {
    names.push(...Object.getOwnPropertyNames(part))
  }
  return names
}

describe('docs/porting-from-go.md', () => {
  test('has every exported name of go-ds-crdt, once, and no other', () => {
    const mapped = rows.flatMap(([go = '']) => quoted(go))
    expect(mapped.toSorted()).toEqual([...names.keys()].toSorted())
    expect(rows.filter(([go = '']) => quoted(go).length !== 1)).toEqual([])
  })

  test('names nothing here that there is not', () => {
    const ours = rows.flatMap(([, here = '']) => quoted(here))
    expect(ours.length).toBeGreaterThan(80)
    expect([...new Set(ours)].filter((name) => !OURS.has(name))).toEqual([])
  })

  test('says why, where there is nothing in the place of a name', () => {
    const unexplained = rows
      .filter(([, here, why]) => here === '' && why === '')
      .map(([go = '']) => quoted(go)[0] ?? '')
    // Members of what a row says it of as a whole.
    const wholes = rows.filter(([, here, why]) => here === '' && why !== '').map(([go = '']) => quoted(go)[0])
    expect(unexplained.filter((name) => !wholes.includes(name.slice(0, name.lastIndexOf('.'))))).toEqual([])
  })

  test('has a program that runs word for word', async () => {
    const blocks = [...page.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code as string)
    const program = blocks.join('')
    const printed = [...program.matchAll(/\/\/=> (.*)/g)].map(([, line]) => line as string)
    expect(printed).toHaveLength(program.split('console.log(').length - 1)
    const folder = mkdtempSync(join(root, 'test', 'porting-'))
    try {
      writeFileSync(join(folder, 'program.js'), program)
      const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], { cwd: folder })
      expect(stdout.trim().split('\n')).toEqual(printed)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 60_000)
})

describe('the list of names of go-ds-crdt', () => {
  const committed = (version: string): string[] =>
    [...names].filter(([, versions]) => versions.includes(version)).map(([name]) => name)

  test('is of the release and of the head', () => {
    expect(committed(RELEASE)).toContain('Datastore.Put')
    expect(committed(HEAD)).toContain('MerkleCRDT.PurgeDAG')
    expect(committed(RELEASE)).not.toContain('MerkleCRDT.PurgeDAG')
  })

  test('is that of the source of the release', async ({ skip }) => {
    if (!(await hasGo())) skip('there is no Go here')
    const folder = await releaseSource().catch(() => undefined)
    if (folder === undefined) return skip('the source of the release cannot be had')
    expect(await namesIn(folder)).toEqual(committed(RELEASE))
  }, 180_000)

  test('is that of the source of the head', async ({ skip }) => {
    const folder = headSource()
    if (folder === undefined) return skip('GO_DS_CRDT_HEAD names no source of go-ds-crdt')
    if (!(await hasGo())) skip('there is no Go here')
    expect(await namesIn(folder)).toEqual(committed(HEAD))
  }, 180_000)
})
