// The pure core, a piece at a time: the winner rule, the composition of writes, the clock and the heads, the digest,
// and one key's working copy.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { composeIntents, type Operation } from '../../src/crdt/delta.ts'
import { addHash, emptyDigest, subtractHash } from '../../src/crdt/digest.ts'
import { advanceHeads, nextPriority, observe, PRIORITY_MAX } from '../../src/crdt/merkle-clock.ts'
import { KeyVersions } from '../../src/crdt/or-set.ts'
import { compareBytes, compareVersions, pickWinner, type Version } from '../../src/crdt/winner.ts'
import { utf8 } from '../codec/wire-bytes.ts'

const version = (id: string, priority: bigint, value: string): Version => ({
  id,
  priority,
  value: utf8(value)
})

describe('the winner', () => {
  test('has the greatest priority, whatever the values are', () => {
    expect(pickWinner([version('/A', 1n, 'z'), version('/B', 2n, 'a')])?.id).toBe('/B')
    expect(pickWinner([version('/A', 2n ** 53n, 'z'), version('/B', 2n ** 53n + 1n, 'a')])?.id).toBe('/B')
    expect(pickWinner([version('/A', PRIORITY_MAX - 1n, 'z'), version('/B', PRIORITY_MAX, '')])?.id).toBe(
      '/B'
    )
  })

  test('between equal priorities has the greatest bytes: not the longest value, and unsigned', () => {
    expect(pickWinner([version('/A', 1n, 'b'), version('/B', 1n, 'aa')])?.id).toBe('/A')
    expect(pickWinner([version('/A', 1n, 'a'), version('/B', 1n, 'aa')])?.id).toBe('/B')
    expect(pickWinner([version('/A', 1n, ''), version('/B', 1n, '\0')])?.id).toBe('/B')
    expect(compareBytes(Uint8Array.of(0x80), Uint8Array.of(0x7f))).toBeGreaterThan(0)
  })

  test('between equal values has the greater block id', () => {
    expect(pickWinner([version('/B', 1n, 'same'), version('/A', 1n, 'same')])?.id).toBe('/B')
  })

  test('is none where nothing is alive', () => {
    expect(pickWinner([])).toBeUndefined()
  })

  test('is the same in every order: the rule is total, antisymmetric and transitive', () => {
    const anyVersion = fc.record({
      id: fc.constantFrom('/A', '/B', '/C', '/D'),
      priority: fc.constantFrom(0n, 1n, 2n ** 53n, 2n ** 53n + 1n, PRIORITY_MAX),
      value: fc.uint8Array({ max: 2, maxLength: 3 })
    })
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
        const sign = (x: Version, y: Version): number => Math.sign(compareVersions(x, y))
        expect(sign(a, b) + sign(b, a)).toBe(0)
        if (sign(a, b) >= 0 && sign(b, c) >= 0) expect(sign(a, c)).toBeGreaterThanOrEqual(0)
        expect(pickWinner([a, b, c])).toEqual(pickWinner([c, b, a]))
      })
    )
  })

  test('compares bytes as Buffer.compare does', () => {
    const bytes = fc.uint8Array({ maxLength: 4 })
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
      })
    )
  })
})

describe('composed writes', () => {
  const put = (key: string, value: string): Operation => ({ type: 'put', key, value: utf8(value) })
  const remove = (key: string): Operation => ({ type: 'delete', key })

  test('are one intent a key, of which the last call decides', () => {
    expect(composeIntents([put('/a', '1'), put('/a', '2')]).get('/a')).toEqual({
      clear: false,
      value: utf8('2')
    })
    expect(composeIntents([put('/a', '1'), remove('/a')]).get('/a')).toEqual({ clear: true })
    const replaced = composeIntents([put('/a', '1'), remove('/a'), put('/a', '2'), put('/a', '3')])
    expect(replaced.get('/a')).toEqual({ clear: true, value: utf8('3') })
  })

  test('keep the order in which their keys were first named', () => {
    expect([...composeIntents([put('/b', ''), remove('/a'), put('/b', '')]).keys()]).toEqual(['/b', '/a'])
  })
})

describe('the Merkle clock', () => {
  test('is one more than what was seen, exactly', () => {
    for (const seen of [0n, 127n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 53n + 1n, PRIORITY_MAX - 1n])
      expect(nextPriority(seen)).toBe(seen + 1n)
  })

  test('stays at its end, and does not begin anew', () => {
    expect(nextPriority(PRIORITY_MAX)).toBe(PRIORITY_MAX)
  })

  test('never goes back', () => {
    expect(observe(5n, 3n)).toBe(5n)
    expect(observe(5n, 7n)).toBe(7n)
  })

  test('lets a node replace the heads it links to, each once, and no others', () => {
    const heads = new Set(['/A', '/B'])
    expect(advanceHeads(heads, ['/A', '/X', '/A'], false)).toEqual({ added: true, removed: ['/A'] })
    expect(advanceHeads(heads, [], false)).toEqual({ added: true, removed: [] })
  })

  test('makes no head of a node that is linked to already', () => {
    expect(advanceHeads(new Set(['/A']), ['/A'], true)).toEqual({ added: false, removed: ['/A'] })
  })
})

describe('the digest', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })

  test('does not depend on the order, and takes out what was put in', () => {
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 6 }), fc.array(hash, { maxLength: 6 }), (kept, gone) => {
        const there = emptyDigest()
        for (const each of [...gone, ...kept]) addHash(there, each)
        for (const each of gone) subtractHash(there, each)
        const direct = emptyDigest()
        for (const each of [...kept].reverse()) addHash(direct, each)
        expect(there).toEqual(direct)
        for (const each of kept) subtractHash(direct, each)
        expect(direct).toEqual(emptyDigest())
      })
    )
  })

  test('is the sum modulo 2^256', () => {
    const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
    fc.assert(
      fc.property(hash, hash, (a, b) => {
        const sum = a.slice()
        addHash(sum, b)
        expect(number(sum)).toBe((number(a) + number(b)) % 2n ** 256n)
      })
    )
    const wrapped = new Uint8Array(32).fill(0xff)
    addHash(
      wrapped,
      Uint8Array.from({ length: 32 }, (_, index) => (index === 31 ? 1 : 0))
    )
    expect(wrapped).toEqual(emptyDigest())
  })
})

describe("a key's versions", () => {
  const settled = (versions: KeyVersions): KeyVersions => {
    expect(versions.missingValues()).toEqual([])
    versions.settle(new Map())
    return versions
  }

  test('change no row where nothing happened', () => {
    const versions = new KeyVersions('/k', version('/A', 1n, 'a'), 2)
    expect(settled(versions).changes()).toEqual({
      ...{ othersPut: [], othersDeleted: [], tombstones: [], cameAlive: [], ceased: [] }
    })
  })

  test('move the old winner to a row of its own when a greater one comes, and back when that goes', () => {
    const first = version('/A', 1n, 'a')
    const risen = new KeyVersions('/k', first, 0)
    risen.add('/B', 2n, utf8('b'), '')
    expect(settled(risen).changes()).toMatchObject({
      current: { winner: version('/B', 2n, 'b'), otherCount: 1 },
      othersPut: [{ id: '/A', priority: 1n }],
      cameAlive: ['/B']
    })

    const fallen = new KeyVersions('/k', version('/B', 2n, 'b'), 1)
    fallen.loadOthers([{ id: '/A', priority: 1n }])
    fallen.remove('/B', '', '')
    // The value of the version that shows again is in its block.
    expect(fallen.missingValues()).toEqual(['/A'])
    fallen.settle(new Map([['/A', utf8('a')]]))
    expect(fallen.changes()).toMatchObject({
      current: { winner: first, otherCount: 0 },
      othersDeleted: ['/A'],
      ceased: ['/B']
    })
  })

  test('ask for the values of those that tie, and refuse to decide without them', () => {
    const versions = new KeyVersions('/k', version('/C', 3n, 'c'), 3)
    const others = [1n, 2n, 2n].map((priority, index) => ({ id: `/${index}`, priority }))
    versions.loadOthers(others)
    versions.remove('/C', '', '')
    expect([...versions.missingValues()].sort()).toEqual(['/1', '/2'])
    expect(() => versions.settle(new Map([['/1', utf8('x')]]))).toThrow('/2')
    versions.settle(
      new Map([
        ['/1', utf8('b')],
        ['/2', utf8('aa')]
      ])
    )
    expect(versions.winner?.id).toBe('/1')
  })

  test('leave no trace of what came and went within one commit', () => {
    const versions = new KeyVersions('/k', undefined, 0)
    versions.add('/A', 1n, utf8('a'), '')
    versions.remove('/A', '', '')
    expect(settled(versions).changes()).toEqual({
      ...{ othersPut: [], othersDeleted: [], tombstones: [], cameAlive: [], ceased: [] }
    })
  })

  test('delete the row of a key whose last version goes', () => {
    const versions = new KeyVersions('/k', version('/A', 1n, ''), 0)
    versions.remove('/A', '', '')
    expect(settled(versions).changes()).toMatchObject({ current: null, ceased: ['/A'], tombstones: [] })
  })

  test('remember a tombstone until its block has run, and then forget it', () => {
    const early = new KeyVersions('/k', undefined, 0)
    early.remove('/A', '', undefined)
    early.remove('/A', '', undefined)
    const [row] = settled(early).changes().tombstones
    expect(row).toEqual({ id: '/A', dagNames: [''], existed: false })

    const late = new KeyVersions('/k', undefined, 0)
    late.loadTombstone('/A', row!.dagNames)
    late.add('/A', 1n, utf8('a'), '')
    expect(settled(late).changes()).toMatchObject({
      cameAlive: [],
      tombstones: [{ id: '/A', dagNames: [], existed: true }]
    })
    expect(late.winner).toBeUndefined()
  })

  test('remember for ever the tombstone of another DAG: taking a purged DAG up again brings nothing back', () => {
    const deleting = new KeyVersions('/k', version('/A', 1n, 'a'), 0)
    deleting.remove('/A', '', 'red')
    const [row] = settled(deleting).changes().tombstones
    expect(row).toEqual({ id: '/A', dagNames: [''], existed: false })

    // The red DAG was purged, and its block runs anew.
    for (let time = 0; time < 2; time++) {
      const resumed = new KeyVersions('/k', undefined, 0)
      resumed.loadTombstone('/A', row!.dagNames)
      resumed.add('/A', 1n, utf8('a'), 'red')
      expect(settled(resumed).winner).toBeUndefined()
      expect(resumed.changes().tombstones).toEqual([])
    }
  })

  test('list all that is alive, and what a put at the end of the clock could not outrank', () => {
    const versions = new KeyVersions('/k', version('/A', PRIORITY_MAX, 'a'), 2)
    expect(versions.needsOthers).toBe(true)
    versions.loadOthers([
      { id: '/B', priority: PRIORITY_MAX },
      { id: '/C', priority: 5n }
    ])
    expect(versions.needsOthers).toBe(false)
    expect(versions.aliveIds().sort()).toEqual(['/A', '/B', '/C'])
    expect(versions.aliveFrom(PRIORITY_MAX).sort()).toEqual(['/A', '/B'])
  })
})
