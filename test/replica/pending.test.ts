// PendingBlocks: who waits for what, and whose budget it is.
import { describe, expect, test } from 'vitest'
import { type PendingBlock, PendingBlocks } from '../../src/replica/pending.ts'

function block(id: string, missing: string[], init: Partial<PendingBlock> = {}): PendingBlock {
  return {
    ...{ id, dagName: '', from: 'alice', size: 10, missing: new Set(missing), linksSeen: missing.length },
    ...{ linkCount: missing.length, saidBy: new Set<string>(), node: undefined, stored: false },
    ...init
  }
}

function newPending(entriesMax = 100, bytesMax = 1000): PendingBlocks {
  return new PendingBlocks({ pendingBlocksPerPeerMax: entriesMax, pendingBytesPerPeerMax: bytesMax })
}

function ids(blocks: Iterable<PendingBlock>): string[] {
  return [...blocks].map(({ id }) => id)
}

describe('waiting', () => {
  test('ends with the last link, for everybody who waits for it', () => {
    const pending = newPending()
    pending.add(block('one', ['a', 'b']))
    pending.add(block('two', ['b']))
    expect(ids(pending.waiters('b'))).toEqual(['one', 'two'])
    expect(ids(pending.release('b'))).toEqual(['two'])
    expect(ids(pending.release('a'))).toEqual(['one'])
    expect(pending.release('a')).toEqual([])
    expect(pending.isAwaited('a')).toBe(false)
  })

  test('can be for more links later', () => {
    const pending = newPending()
    const one = block('one', ['a'], { linkCount: 2 })
    pending.add(one)
    expect(ids(pending.release('a'))).toEqual(['one'])
    pending.awaitMore(one, ['b'])
    expect(pending.isAwaited('b')).toBe(true)
    expect(ids(pending.release('b'))).toEqual(['one'])
  })

  test('that ends by dropping gives back the links that nobody else waits for', () => {
    const pending = newPending()
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

describe('a line', () => {
  test('goes up through the blocks of one budget that wait for each other', () => {
    const pending = newPending()
    const bottom = block('bottom', ['missing'])
    for (const one of [
      block('top', ['middle']),
      block('beside', ['other']),
      block('over', ['top'], { from: 'bob' })
    ])
      pending.add(one)
    pending.add(block('middle', ['bottom']))
    pending.add(bottom)
    expect(ids(pending.lineFrom(bottom))).toEqual(['bottom', 'middle', 'top'])
    expect(
      ['bottom', 'middle', 'top', 'beside', 'over'].map((id) => pending.isTop(pending.get(id)!))
    ).toEqual([false, false, true, true, true])
  })
})

describe('a block is charged', () => {
  const need = { entries: 2, bytes: 10 }

  test('to its sender where nothing waits for it', () => {
    expect(newPending().chargedTo('head', 'mallory', need)).toBe('mallory')
  })

  test('to a peer whose block waits for it, whoever sends it', () => {
    const pending = newPending()
    pending.add(block('top', ['link']))
    expect(pending.chargedTo('link', 'mallory', need)).toBe('alice')
  })

  test('to one that has room, if there is any', () => {
    const pending = newPending(5)
    for (const from of ['alice', 'bob']) pending.add(block(`top of ${from}`, ['link'], { from }))
    expect(pending.chargedTo('link', 'mallory', need)).toBe('alice')
    pending.add(block('more', ['other']))
    expect(pending.chargedTo('link', 'mallory', need)).toBe('bob')
    pending.add(block('and more', ['other'], { from: 'bob' }))
    expect(pending.chargedTo('link', 'mallory', need)).toBe('alice')
  })
})
