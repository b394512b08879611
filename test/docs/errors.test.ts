// docs/errors.md lists every error that is exported, and no other.
import { expect, test } from 'vitest'
import * as api from '../../src/index.ts'
import * as libp2p from '../../src/libp2p/index.ts'
import { namesIn, read, sectionOf } from './tables.ts'

const page = read('docs/errors.md')
const [own, ofOthers] = page.split('\n## Of others\n') as [string, string]

const isError = (name: string): boolean => name.endsWith('Error')

test('every error of the package has its row, and there is no other', () => {
  const exported = Object.keys(api).filter(isError)
  expect(exported.length).toBeGreaterThan(15)
  expect(namesIn(own).sort()).toEqual(exported.sort())
})

test('the errors of datastore-crdt/libp2p are told of too', () => {
  expect(Object.keys(libp2p).filter(isError)).toEqual(['SyncError'])
  expect(namesIn(ofOthers)).toContain('SyncError')
})

test('every reason of a SyncError has its row, and there is no other', () => {
  const union = /export type SyncFailure =\n((?: {2}\| '[a-z-]+'\n)+)/.exec(
    read('src/libp2p/sync/sync-error.ts')
  )
  const reasons = [...(union?.[1] ?? '').matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason)
  expect(reasons).toContain('too-slow')
  const rows = namesIn(sectionOf(page, '## Of others')).slice(3)
  expect(rows).toEqual(reasons)
})

test('each says what to do', () => {
  const rows = own.split('\n').filter((line) => /^\| `\w+Error` \|/.test(line))
  for (const row of rows) expect(row.split('|').filter((cell) => cell.trim().length > 10)).toHaveLength(3)
})

test('an error has the name that it is exported by', () => {
  for (const [name, value] of Object.entries({ ...api, ...libp2p })) {
    if (!isError(name)) continue
    const create = value as new (...args: unknown[]) => Error
    expect(new create('a', 'b', 'c').name).toBe(name)
  }
})
