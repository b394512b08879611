// PendingBlocks: who waits for what, and whose budget it is.
import { describe, expect, test } from 'vitest'
import { type PendingBlock, PendingBlocks } from '../../src/replica/pending.ts'

function block(id: string, missing: string[], init: Partial<PendingBlock> = {}): PendingBlock {
  return {
    ...{ id, dagName: '', from: 'alice', size: 10, missing: new Set(missing), linksSeen: missing.length },
    ...{ linkCount: missing.length, root: false, node: undefined, stored: false },
    ...init
  }
}

function ids(blocks: Iterable<PendingBlock>): string[] {
  return [...blocks].map(({ id }) => id)
}

describe('waiting', () => {
  test('ends with the last link, for everybody who waits for it', () => {
    const pending = new PendingBlocks()
    pending.add(block('one', ['a', 'b']))
    pending.add(block('two', ['b']))
    expect(ids(pending.waiters('b'))).toEqual(['one', 'two'])
    expect(ids(pending.release('b'))).toEqual(['two'])
    expect(ids(pending.release('a'))).toEqual(['one'])
    expect(pending.release('a')).toEqual([])
    expect(pending.isAwaited('a')).toBe(false)
  })

  test('can be for more links later', () => {
    const pending = new PendingBlocks()
    const one = block('one', ['a'], { linkCount: 2 })
    pending.add(one)
    expect(ids(pending.release('a'))).toEqual(['one'])
    pending.awaitMore(one, ['b'])
    expect(pending.isAwaited('b')).toBe(true)
    expect(ids(pending.release('b'))).toEqual(['one'])
  })

  test('that ends by dropping gives back the links that nobody else waits for', () => {
    const pending = new PendingBlocks()
    pending.add(block('one', ['a', 'b']))
    pending.add(block('two', ['b']))
    expect(pending.remove('one')).toEqual(['a'])
    expect(pending.remove('one')).toEqual([])
    expect(pending.isAwaited('a')).toBe(false)
    expect(pending.isAwaited('b')).toBe(true)
    expect(ids(pending.release('b'))).toEqual(['two'])
    expect(pending.size).toBe(1)
  })
})

describe('the budget', () => {
  test('counts blocks and the links they wait for, for each peer', () => {
    const pending = new PendingBlocks()
    const added = block('three', ['d'])
    pending.add(block('one', ['a', 'b']))
    pending.add(block('two', ['c'], { from: 'bob' }))
    pending.add(added)
    expect([pending.entriesOf('alice'), pending.entriesOf('bob'), pending.entriesOf('carol')]).toEqual([
      5, 2, 0
    ])
    expect(pending.overBudget('alice', 5, 1000, added)).toBeUndefined()
    expect(pending.overBudget('alice', 4, 1000, added)?.id).toBe('one')
    expect(pending.overBudget('alice', 5, 19, added)?.id).toBe('one')
    pending.release('a')
    expect(pending.entriesOf('alice')).toBe(4)
    pending.remove('one')
    expect(pending.entriesOf('alice')).toBe(2)
    pending.remove('three')
    expect(pending.entriesOf('alice')).toBe(0)
  })

  test('drops the top of a branch, whether that came first or last', () => {
    for (const order of [
      ['top', 'middle', 'end'],
      ['end', 'middle', 'top']
    ]) {
      const pending = new PendingBlocks()
      const links: Record<string, string[]> = { top: ['middle'], middle: ['end'], end: ['missing'] }
      let added = block('none', [])
      for (const id of order) {
        added = block(id, links[id] ?? [])
        pending.add(added)
      }
      expect(pending.overBudget('alice', 5, 1000, added)?.id).toBe('top')
    }
  })

  test('always has room for one block, however large it is', () => {
    const pending = new PendingBlocks()
    const added = block('next', ['d'])
    pending.add(block('huge', ['a', 'b', 'c'], { size: 1_000_000 }))
    expect(pending.overBudget('alice', 1, 1, added)).toBeUndefined()
    pending.add(added)
    expect(pending.overBudget('alice', 1, 1, added)?.id).toBe('huge')
  })
})
