// The merge rule, case by case: each test is a failure that a system of this kind has had, named by what went wrong.
// Every case is merged in every order of its blocks, in a commit each, and in one commit.
import { describe, expect, test } from 'vitest'
import { blockCid, blockId } from '../../src/testkit/oracle/oracle.ts'
import {
  type Bytes,
  block,
  bytesField,
  cidV0,
  cidV1,
  dagName,
  hex,
  join,
  link,
  priority,
  put,
  requires,
  tombstone,
  utf8
} from '../codec/wire-bytes.ts'
import { FEATURE, permutations } from './dags.ts'
import { DraftReplica, type Shown } from './draft-replica.ts'
import { expectEqual, expectedOf, expectedTombstonesOf, expectTombstones } from './expected.ts'

/** Merges blocks in every order, and gives what all of the replicas show. */
async function converged(...blocks: Bytes[]): Promise<Shown> {
  const expected = expectedOf(blocks)
  const tombstones = expectedTombstonesOf(blocks)
  const orders = permutations(blocks)
  const oneByOne = orders.map((order) => order.map((each) => [each]))
  // Of many orders some are enough for the other way: the property tests cut commits anywhere.
  const atOnce = orders.filter((_, index) => index % 4 === 0 || orders.length <= 6).map((order) => [order])
  for (const commits of [...oneByOne, ...atOnce]) {
    const replica = await DraftReplica.open()
    for (const commit of commits) await replica.merge(commit)
    await expectEqual(replica, expected)
    await expectTombstones(replica, tombstones)
  }
  return expected
}

const text = (value: string): string => Buffer.from(value).toString('hex')

describe('puts and deletes', () => {
  test('a put, a put and a delete on one side while the other side puts give both the same value', async () => {
    const left = await DraftReplica.open()
    const right = await DraftReplica.open()
    const write = (replica: DraftReplica, value?: string): Promise<Uint8Array[]> =>
      replica.write([
        value === undefined ? { type: 'delete', key: '/k' } : { type: 'put', key: '/k', value: utf8(value) }
      ])
    const onLeft = [...(await write(left, '1')), ...(await write(left, '2')), ...(await write(left))]
    const onRight = await write(right, '3')
    await left.merge(onRight)
    await right.merge(onLeft)
    const { state } = await converged(...onLeft, ...onRight)
    expect(state).toEqual({ '/k': text('3') })
    expect(await left.shown()).toEqual(await right.shown())
  })

  test('a tombstone that arrives before its element removes it, and an older alive version shows', async () => {
    const older = block([put('/k', 'older'), priority(1)])
    const newer = block([put('/k', 'newer'), priority(2)], [older])
    const deletes = block([tombstone('/k', blockId(newer)), priority(3)], [newer])
    expect((await converged(older, newer, deletes)).state).toEqual({ '/k': text('older') })
    expect((await converged(newer, deletes)).state).toEqual({})
  })

  test('a tombstone of a block that is no ancestor, or that never comes, is kept for it', async () => {
    const put1 = block([put('/k', 'v'), priority(1)])
    const elsewhere = block([tombstone('/k', blockId(put1)), put('/other', 'o'), priority(1)])
    expect((await converged(elsewhere, put1)).state).toEqual({ '/other': text('o') })
    const replica = await DraftReplica.open()
    await replica.merge([elsewhere])
    const restarted = await replica.reopened()
    await restarted.merge([put1])
    expect(await restarted.value('/k')).toBeUndefined()
  })

  test('a tombstone of a version that is not the winner does not hide the winner', async () => {
    const a = block([put('/k', 'a'), priority(1)])
    const b = block([put('/k', 'b'), priority(5)])
    const c = block([put('/k', 'c'), priority(3)])
    const deletes = block([tombstone('/k', blockId(a)), tombstone('/k', blockId(c)), priority(6)])
    expect((await converged(a, b, c, deletes)).state).toEqual({ '/k': text('b') })
  })

  test('of two tombstones of one version the second takes nothing more', async () => {
    const a = block([put('/k', 'a'), priority(1)])
    const b = block([put('/k', 'b'), priority(2)])
    const once = block([tombstone('/k', blockId(b)), priority(3)])
    const again = block([tombstone('/k', blockId(b).slice(1)), dagName('red'), priority(4)])
    expect((await converged(a, b, once, again)).state).toEqual({ '/k': text('a') })
  })

  test('a delete leaves what was put beside it: add wins', async () => {
    const seen = block([put('/k', 'seen'), priority(1)])
    const deletes = block([tombstone('/k', blockId(seen)), priority(2)], [seen])
    const beside = block([put('/k', 'beside'), priority(1)])
    expect((await converged(seen, deletes, beside)).state).toEqual({ '/k': text('beside') })
  })

  test('a delete of /hello does not touch /hello/bye, nor the reverse', async () => {
    const both = block([put('/hello', 'h'), put('/hello/bye', 'b'), put('/hello:', 'c'), priority(1)])
    const upper = block([tombstone('/hello', blockId(both)), priority(2)], [both])
    const lower = block([tombstone('/hello/bye', blockId(both)), priority(2)], [both])
    expect((await converged(both, upper)).state).toEqual({ '/hello/bye': text('b'), '/hello:': text('c') })
    expect((await converged(both, lower)).state).toEqual({ '/hello': text('h'), '/hello:': text('c') })

    const replica = await DraftReplica.open()
    await replica.merge([both])
    await replica.write([{ type: 'delete', key: '/hello' }])
    expect(await replica.value('/hello')).toBeUndefined()
    expect(await replica.value('/hello/bye')).toEqual(utf8('b'))
  })

  test('in one delta the tombstones come before the elements', async () => {
    const a = block([put('/k', 'a'), priority(1)])
    const replaces = block([put('/k', 'b'), tombstone('/k', blockId(a)), priority(2)], [a])
    const goes = block([tombstone('/k', blockId(replaces)), priority(3)], [replaces])
    expect((await converged(a, replaces)).alive).toHaveLength(1)
    expect((await converged(a, replaces, goes)).state).toEqual({})
  })

  test('a key twice in one delta is its last element, in every arrival order', async () => {
    const older = block([put('/k', 'zz'), priority(1)])
    const twice = block([put('/k', 'z'), put('/l', 'l'), put('k/', 'a'), priority(2)], [older])
    expect((await converged(older, twice)).state).toEqual({ '/k': text('a'), '/l': text('l') })
    const deletes = block([tombstone('//k', blockId(older)), priority(3)], [twice])
    expect((await converged(older, twice, deletes)).state).toEqual({ '/k': text('a'), '/l': text('l') })
    const gone = block([tombstone('/k', blockId(twice)), priority(3)], [twice])
    expect((await converged(older, twice, gone)).state).toEqual({ '/k': text('zz'), '/l': text('l') })
  })

  test('keys that mean the same are one key, and keys above the root have no effect', async () => {
    const a = block([put('x//y/', 'a'), put('/../z', 'no'), put('/', 'no'), priority(1)])
    const b = block([put('/x/y', 'b'), priority(2)], [a])
    const deletes = block([tombstone('/q/../x/./y', blockId(b)), priority(3)], [b])
    expect((await converged(a, b)).state).toEqual({ '/x/y': text('b') })
    expect((await converged(a, b, deletes)).state).toEqual({ '/x/y': text('a') })
  })
})

describe('ties', () => {
  const alone = async (...values: string[]): Promise<string | undefined> => {
    const blocks = values.map((value, index) => block([put('/k', value), put(`/${index}`), priority(7)]))
    return (await converged(...blocks)).state['/k']
  }

  test('on priority are decided by the bytes, not by the length: "b" against "aa"', async () => {
    expect(await alone('b', 'aa')).toBe(text('b'))
    expect(await alone('aa', 'b', 'ab')).toBe(text('b'))
  })

  test('of a value and its own prefix the longer wins, also against an empty value', async () => {
    expect(await alone('a', 'aa', 'aaa')).toBe(text('aaa'))
    expect(await alone('', '\0')).toBe(text('\0'))
  })

  test('of equal values show that value, and one of them may go', async () => {
    const blocks = ['/1', '/2', '/3'].map((other) => block([put('/k', 'same'), put(other), priority(7)]))
    const { winners } = await converged(...blocks)
    expect(winners['/k']).toBe(blocks.map(blockId).sort().at(-1))
    const winner = blocks.find((each) => blockId(each) === winners['/k'])!
    const deletes = block([tombstone('/k', blockId(winner)), priority(8)])
    const after = await converged(...blocks, deletes)
    expect(after.state['/k']).toBe(text('same'))
    expect(after.winners['/k']).toBe(blocks.map(blockId).sort().at(-2))
  })

  test('that a tombstone reveals are decided by the values in their blocks', async () => {
    const tied = ['aa', 'b'].map((value) => block([put('/k', value), priority(1)]))
    const above = block([put('/k', '!'), priority(2)], tied)
    const deletes = block([tombstone('/k', blockId(above)), priority(3)], [above])
    expect((await converged(...tied, above, deletes)).state).toEqual({ '/k': text('b') })
  })

  test('an empty value that survives is a value', async () => {
    const empty = block([put('/k', ''), priority(1)])
    const above = block([put('/k', 'x'), priority(2)], [empty])
    const deletes = block([tombstone('/k', blockId(above)), priority(3)], [above])
    expect((await converged(empty, above, deletes)).state).toEqual({ '/k': '' })
  })
})

describe('priorities', () => {
  const EDGES = [
    0n,
    1n,
    127n,
    128n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 64n - 1n
  ]

  test('at the edges of their encodings are exact, in every arrival order', async () => {
    for (const [index, greater] of EDGES.entries()) {
      const lesser = EDGES[index - 1]
      if (lesser === undefined) continue
      const shown = await converged(
        block([put('/k', 'z'), priority(lesser)]),
        block([put('/k', 'a'), priority(greater)])
      )
      expect(shown.state).toEqual({ '/k': text('a') })
      expect(shown.clock).toBe(greater)
    }
  })

  test('that are left out count as 0, and the delta is merged', async () => {
    const none = block([put('/k', 'none')])
    expect((await converged(none)).state).toEqual({ '/k': text('none') })
    expect((await converged(none, block([put('/k', 'a'), priority(1)]))).state).toEqual({ '/k': text('a') })
    expect((await converged(none, block([put('/k', 'z'), priority(0)]))).state).toEqual({ '/k': text('z') })
  })

  test('of a block that claims no more than its parents decide all the same', async () => {
    const parent = block([put('/k', 'parent'), priority(9)])
    const child = block([put('/k', 'child'), priority(9)], [parent])
    const grandchild = block([put('/k', 'grandchild'), priority(3)], [child])
    const shown = await converged(parent, child, grandchild)
    expect(shown.state).toEqual({ '/k': text('parent') })
    expect(shown.heads).toEqual({ '': [blockCid(grandchild)] })
  })
})

describe('heads', () => {
  const root = block([put('/root'), priority(1)])

  test('never have a merged descendant', async () => {
    const left = block([put('/left'), priority(2)], [root])
    const right = block([put('/right'), priority(2)], [root])
    const both = block([put('/both'), priority(3)], [left, right])
    expect((await converged(root, left, right)).heads).toEqual({
      '': [blockCid(left), blockCid(right)].sort()
    })
    expect((await converged(root, left, right, both)).heads).toEqual({ '': [blockCid(both)] })
    // Over a gap, and when the gap is closed after both of its sides.
    expect((await converged(root, both)).heads).toEqual({ '': [blockCid(root), blockCid(both)].sort() })
  })

  test('are the same when a node links to one whose own child was merged already', async () => {
    const child = block([put('/child'), priority(2)], [root])
    const late = block([put('/late'), priority(2)], [root, child])
    expect((await converged(root, child, late)).heads).toEqual({ '': [blockCid(late)] })
  })

  test('know one node under CIDv0 and CIDv1, in links as in heads', async () => {
    const legacy = join(link(cidV0(root)), bytesField(1, join(put('/child'), priority(2))))
    const shown = await converged(root, legacy)
    expect(shown.heads).toEqual({ '': [blockCid(legacy)] })
    expect(shown.gaps).toEqual([])
    const twice = join(link(cidV0(root)), link(cidV1(root)), bytesField(1, put('/twice')))
    expect((await converged(root, twice)).heads).toEqual({ '': [blockCid(twice)] })
    expect((await converged(twice)).gaps).toHaveLength(1)
  })

  test('of one DAG are not replaced by links from another', async () => {
    const red = block([put('/red'), priority(1), dagName('red')])
    const unnamed = block([put('/unnamed'), priority(2)], [root, red])
    const redder = block([put('/redder'), priority(3), dagName('red')], [unnamed, red])
    expect((await converged(root, red, unnamed)).heads).toEqual({
      '': [blockCid(unnamed)],
      red: [blockCid(red)]
    })
    expect((await converged(root, red, unnamed, redder)).heads).toEqual({
      '': [blockCid(unnamed)],
      red: [blockCid(redder)]
    })
  })

  test('link to what is no node without a gap', async () => {
    const raw = join(link(cidV1(root, 0x55)), bytesField(1, put('/k', 'v')))
    const shown = await converged(root, raw)
    expect(shown.gaps).toEqual([])
    expect(shown.heads).toEqual({ '': [blockCid(root), blockCid(raw)].sort() })
  })
})

describe('DAGs', () => {
  test('share their keys', async () => {
    const red = block([put('/k', 'red'), priority(1), dagName('red')])
    const blue = block([put('/k', 'blue'), priority(2), dagName('blue')])
    expect((await converged(red, blue)).state).toEqual({ '/k': text('blue') })
  })

  test('remember what they deleted of each other, in every order, and forget what they deleted of themselves', async () => {
    const red = block([put('/k', 'red'), priority(1), dagName('red')])
    const byRed = block([tombstone('/k', blockId(red)), priority(2), dagName('red')], [red])
    const byBlue = block([tombstone('/k', blockId(red)), priority(2), dagName('blue')])
    const byNone = block([tombstone('/k', blockId(red)), priority(2)])
    expect((await converged(red, byRed)).state).toEqual({})
    expect((await converged(red, byRed, byBlue, byNone)).state).toEqual({})
    // With what others deleted too it has to be told apart from what only they did, or their purge would bring it back.
    const rows: Array<[Uint8Array[], string[]]> = [
      [
        [byNone, byRed, red, byBlue],
        ['', 'blue', 'red']
      ],
      [
        [red, byRed, byBlue],
        ['blue', 'red']
      ],
      [
        [byBlue, red, byRed],
        ['blue', 'red']
      ],
      [[byBlue, red], ['blue']],
      [[byRed, red], []],
      [[red, byRed], []]
    ]
    for (const [order, dagNames] of rows) {
      const replica = await DraftReplica.open()
      for (const one of order) await replica.merge([one])
      const remembered = dagNames.length === 0 ? [] : [{ key: '/k', id: blockId(red), dagNames }]
      expect(await replica.tombstones()).toEqual(remembered)
    }
  })
})

describe('odd nodes', () => {
  const root = block([put('/k', 'v'), priority(1)])

  test('whose delta is invalid have no effects, and their links count in every order', async () => {
    const odd = block(
      [put('/no'), tombstone('/k', blockId(root)), priority(9), dagName('red'), hex('ff')],
      [root]
    )
    const above = block([put('/above', 'a'), priority(2)], [odd])
    const shown = await converged(root, odd, above)
    expect(shown.state).toEqual({ '/k': text('v'), '/above': text('a') })
    expect(shown.heads).toEqual({ '': [blockCid(above)] })
  })

  test('that are no dag-pb are heads until somebody links to them', async () => {
    const odd = hex('ff')
    expect((await converged(root, odd)).heads).toEqual({ '': [blockCid(root), blockCid(odd)].sort() })
    const above = block([put('/above', 'a'), priority(2)], [root, odd])
    expect((await converged(root, odd, above)).heads).toEqual({ '': [blockCid(above)] })
  })

  test('that require an unknown feature wait, remembered, and take part in the DAG', async () => {
    const waiting = block(
      [put('/no'), tombstone('/k', blockId(root)), priority(9), requires(FEATURE)],
      [root]
    )
    const above = block([put('/above', 'a'), priority(10)], [waiting])
    const shown = await converged(root, waiting, above)
    expect(shown.state).toEqual({ '/k': text('v'), '/above': text('a') })
    expect(shown).toMatchObject({ deferred: 1, heads: { '': [blockCid(above)] } })

    const replica = await DraftReplica.open()
    await replica.merge([root, waiting, above])
    const upgraded = await replica.reopened(new Set([FEATURE]))
    await upgraded.runDeferred()
    expect((await upgraded.shown()).state).toEqual({ '/no': text('/no'), '/above': text('a') })
    expect(upgraded.state.committed.deferred).toBe(0)
  })

  test('whose element was deleted while they waited stay deleted when they run', async () => {
    const waiting = block([put('/k', 'late'), priority(9), requires(FEATURE)], [root])
    const deletes = block([tombstone('/k', blockId(waiting)), priority(10)], [waiting])
    const known = new Set([FEATURE])
    for (const order of permutations([root, waiting, deletes])) {
      const replica = await DraftReplica.open()
      for (const each of order) await replica.merge([each])
      const upgraded = await replica.reopened(known)
      await upgraded.runDeferred()
      expect((await upgraded.shown()).state).toEqual({ '/k': text('v') })
      expect(await upgraded.tombstones()).toEqual([])
    }
  })
})
