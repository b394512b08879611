// FairQueue: owners take turns, and none has more than its share under way.
import { describe, expect, test } from 'vitest'
import { FairQueue } from '../../src/dag/fair-queue.ts'

interface Item {
  owner: string
  name: string
}

function items(owner: string, count: number): Item[] {
  return Array.from({ length: count }, (_, i) => ({ owner, name: `${owner}${i}` }))
}

function names(taken: readonly Item[]): string[] {
  return taken.map(({ name }) => name)
}

const anybody = (): boolean => true

describe('FairQueue', () => {
  test('gives no owner more than its share', () => {
    const queue = new FairQueue<Item>(2)
    for (const item of [...items('a', 5), ...items('b', 1)]) queue.add(item)
    const first = queue.take(10, anybody)
    expect(names(first)).toEqual(['a0', 'a1'])
    const second = queue.take(10, anybody)
    expect(names(second)).toEqual(['b0'])
    expect(queue.take(10, anybody)).toEqual([])
    queue.done(first[0]!)
    expect(names(queue.take(10, anybody))).toEqual(['a2'])
    queue.done(second[0]!)
    expect(queue.take(10, anybody)).toEqual([])
  })

  test('lets those who had a turn wait for the others', () => {
    const queue = new FairQueue<Item>(10)
    for (const item of [...items('a', 4), ...items('b', 4), ...items('c', 1)]) queue.add(item)
    const taken = Array.from({ length: 6 }, () => names(queue.take(2, anybody)))
    expect(taken).toEqual([['a0', 'a1'], ['b0', 'b1'], ['c0'], ['a2', 'a3'], ['b2', 'b3'], []])
  })

  test('passes over whoever has no turn now, and takes nothing of its place', () => {
    const queue = new FairQueue<Item>(10)
    for (const item of [...items('a', 2), ...items('b', 2)]) queue.add(item)
    expect(names(queue.take(1, (owner) => owner !== 'a'))).toEqual(['b0'])
    expect(names(queue.take(1, anybody))).toEqual(['a0'])
    expect(queue.take(1, () => false)).toEqual([])
  })

  test('forgets what is deleted', () => {
    const queue = new FairQueue<Item>(10)
    const [first, second] = items('a', 2) as [Item, Item]
    queue.add(first)
    queue.add(first)
    queue.add(second)
    queue.delete(first)
    queue.delete(first)
    expect(queue.take(10, anybody)).toEqual([second])
    expect(queue.take(0, anybody)).toEqual([])
  })
})
