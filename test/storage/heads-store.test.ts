// The heads in memory and their rows: staged changes show only to who staged them, and count once they are adopted.
import { MemoryDatastore } from 'datastore-core'
import { expect, test } from 'vitest'
import { blockIdFromDigest } from '../../src/codec/block-id.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { HeadsStore, type StagedHeads } from '../../src/storage/heads-store.ts'
import { Layout } from '../../src/storage/keys.ts'
import { type RowStore, rowStoreOver } from '../../src/storage/row-store.ts'
import type { StoredHead } from '../../src/storage/rows.ts'

const layout = new Layout('/crdt')
const id = (number: number): string => blockIdFromDigest(new Uint8Array(32).fill(number))
const head = (number: number, priority: bigint, dagName = ''): StoredHead => ({
  id: id(number),
  priority,
  dagName
})

interface Commit {
  changes: ChangeSet
  /** What the state row has to hold. */
  inState: StoredHead[] | undefined
}

function openHeads(): {
  heads: HeadsStore
  rows: RowStore
  commit: (staged: StagedHeads) => Promise<Commit>
} {
  const rows = rowStoreOver(new MemoryDatastore(), { durability: 'process' })
  const heads = new HeadsStore(layout)
  return {
    ...{ heads, rows },
    commit: async (staged) => {
      const changes = new ChangeSet()
      const inState = heads.write(staged, changes)
      await rows.write(changes.rows)
      heads.adopt(staged)
      return { changes, inState }
    }
  }
}

test('a node replaces the heads it links to, and no others', async () => {
  const { heads, commit } = openHeads()
  const forked = heads.stage()
  for (const number of [1, 2, 3]) forked.advance(head(number, BigInt(number)), [], false)
  await commit(forked)
  const joined = heads.stage()
  joined.advance(head(4, 9n), [id(1), id(3), id(77)], false)
  await commit(joined)
  expect(heads.list().map((one) => one.id)).toEqual([id(4), id(2)])
})

test('staged changes are seen by who staged them, and by nobody else before they are adopted', async () => {
  const { heads, commit } = openHeads()
  const staged = heads.stage()
  staged.advance(head(1, 1n), [], false)
  staged.advance(head(2, 2n), [id(1)], false)
  expect(staged.list('')).toEqual([head(2, 2n)])
  expect(heads.list()).toEqual([])
  const { changes, inState } = await commit(staged)
  expect(inState, 'what came and went within one commit is not stored at all').toEqual([head(2, 2n)])
  expect(changes.rows.size, 'few heads are in the state row').toBe(0)
  expect(heads.list()).toEqual([head(2, 2n)])
  expect(heads.has('', id(2))).toBe(true)
  expect(heads.has('', id(1))).toBe(false)
  expect(heads.has('other', id(2))).toBe(false)
})

test('a node that a node of its DAG already links to becomes no head', async () => {
  const { heads, commit } = openHeads()
  const staged = heads.stage()
  staged.advance(head(2, 2n), [id(1)], false)
  staged.advance(head(1, 1n), [], true)
  await commit(staged)
  expect(heads.list()).toEqual([head(2, 2n)])
})

test('a link to the head of another DAG leaves that a head', async () => {
  const { heads, commit } = openHeads()
  const staged = heads.stage()
  staged.advance(head(1, 1n, 'named'), [], false)
  staged.advance(head(2, 2n), [id(1)], false)
  await commit(staged)
  const later = heads.stage()
  later.advance(head(3, 3n), [id(1), id(2)], false)
  await commit(later)
  expect(heads.list()).toEqual([head(3, 3n), head(1, 1n, 'named')])
})

test('lists greatest priority first, and equal ones by id', async () => {
  const { heads, commit } = openHeads()
  const staged = heads.stage()
  const all = [
    head(1, 5n),
    head(2, 2n ** 64n - 1n, 'x'),
    head(3, 2n ** 53n + 1n),
    head(4, 2n ** 53n),
    head(5, 5n)
  ]
  for (const one of all) staged.advance(one, [], false)
  await commit(staged)
  expect(heads.list()).toEqual([all[1], all[2], all[3], all[0], all[4]])
  expect(heads.list('x')).toEqual([all[1]])
  expect(heads.list('unheard of')).toEqual([])
  const more = heads.stage()
  more.advance(head(6, 6n), [], false)
  expect(more.list('').map((one) => one.priority)).toEqual([2n ** 53n + 1n, 2n ** 53n, 6n, 5n, 5n])
})

const NAMES = ['', 'a:b', 'ü %', '\ufeffx', ':', '%3A']

test.each([6, 16, 17, 40])(
  '%i heads are loaded as they were, whatever their DAG is called',
  async (count) => {
    const { heads, rows, commit } = openHeads()
    const staged = heads.stage()
    for (let index = 0; index < count; index++)
      staged.advance(head(index, BigInt(index), NAMES[index % NAMES.length]), [], false)
    const { inState } = await commit(staged)
    const loaded = new HeadsStore(layout)
    await loaded.load(rows, inState)
    await loaded.load(rows, inState)
    expect(loaded.list()).toEqual(heads.list())
    expect(loaded.list()).toHaveLength(count)
    expect(new Set(loaded.list().map(({ dagName }) => dagName))).toEqual(new Set(NAMES))
  }
)

test('heads move between the state row and rows of their own, and are never in both', async () => {
  const { heads, rows, commit } = openHeads()
  const rowCount = async (): Promise<number> => {
    let count = 0
    for await (const _ of rows.scanKeys(layout.heads)) count++
    return count
  }
  const add = async (from: number, to: number): Promise<Commit> => {
    const staged = heads.stage()
    for (let number = from; number <= to; number++) staged.advance(head(number, BigInt(number)), [], false)
    return await commit(staged)
  }
  expect((await add(1, 16)).inState).toHaveLength(16)
  expect(await rowCount()).toBe(0)
  expect((await add(17, 17)).inState, 'one too many').toBeUndefined()
  expect(await rowCount()).toBe(17)
  expect((await add(18, 18)).changes.rows.size, 'then a commit writes only what it changes').toBe(1)

  const joining = heads.stage()
  joining.advance(
    head(19, 19n),
    [1, 2, 3].map((number) => id(number)),
    false
  )
  expect((await commit(joining)).inState).toHaveLength(16)
  expect(await rowCount()).toBe(0)
  expect(heads.list()).toHaveLength(16)
})
