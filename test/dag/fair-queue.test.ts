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

describe('FairQueue', () => {
  test('gives no owner more than its share', () => {
    const queue = new FairQueue<Item>(2)
    for (const item of [...items('a', 5), ...items('b', 1)]) queue.add(item)
    const first = queue.take(10)
    expect(names(first)).toEqual(['a0', 'a1', 'b0'])
    expect(queue.take(10)).toEqual([])
    queue.done(first[0]!)
    expect(names(queue.take(10))).toEqual(['a2'])
    queue.done(first[2]!)
    expect(queue.take(10)).toEqual([])
  })

  test('lets those who had a turn wait for the others', () => {
    const queue = new FairQueue<Item>(10)
    for (const item of [...items('a', 4), ...items('b', 4), ...items('c', 1)]) queue.add(item)
    expect(names(queue.take(2))).toEqual(['a0', 'a1'])
    expect(names(queue.take(2))).toEqual(['b0', 'b1'])
    expect(names(queue.take(2))).toEqual(['c0', 'a2'])
    expect(names(queue.take(9))).toEqual(['b2', 'b3', 'a3'])
  })

  test('forgets what is deleted', () => {
    const queue = new FairQueue<Item>(10)
    const [first, second] = items('a', 2) as [Item, Item]
    queue.add(first)
    queue.add(first)
    queue.add(second)
    queue.delete(first)
    queue.delete(first)
    expect(queue.take(10)).toEqual([second])
    expect(queue.take(0)).toEqual([])
  })
})
