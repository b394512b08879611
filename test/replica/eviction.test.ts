// What goes when a peer is over its budget, and who is asked for it again: over what waits, without any network.
import { describe, expect, test } from 'vitest'
import type { Usage } from '../../src/replica/budgets.ts'
import { Eviction } from '../../src/replica/eviction.ts'
import { type PendingBlock, PendingBlocks } from '../../src/replica/pending.ts'

class Stage {
  readonly pending: PendingBlocks
  readonly eviction: Eviction
  readonly dropped: string[] = []
  readonly asked: string[] = []
  readonly givenUp: string[] = []

  constructor(entriesMax: number, bytesMax = 1000, headsMax = 100) {
    const limits = { pendingBlocksPerPeerMax: entriesMax, pendingBytesPerPeerMax: bytesMax }
    this.pending = new PendingBlocks(limits)
    this.eviction = new Eviction({
      ...{ pending: this.pending, headsMax },
      drop: (id) => {
        this.dropped.push(id)
        this.pending.remove(id)
      },
      remember: () => {},
      giveUp: (id) => void this.givenUp.push(id),
      want: (id, from) => void this.asked.push(`${id} of ${from}`),
      evicted: () => {}
    })
  }

  /** A block comes to wait; a head is said by the peer whose budget it is in. */
  add(id: string, missing: string[], init: { from?: string; head?: boolean; size?: number } = {}): void {
    const { from = 'alice', head = false, size = 10 } = init
    const block: PendingBlock = {
      ...{ id, dagName: '', from, size, missing: new Set(missing), linksSeen: missing.length },
      ...{ linkCount: missing.length, node: undefined, stored: false },
      saidBy: new Set([...(this.eviction.forget(id) ?? []), ...(head ? [from] : [])])
    }
    this.pending.add(block)
    this.eviction.enforce(block)
  }

  /** A walk: the head first, and then what is below it, one by one. */
  walk(head: string, length: number, from = 'alice'): void {
    for (let i = length; i > 0; i--)
      this.add(i === length ? head : `${head} ${i}`, [`${head} ${i - 1}`], { from, head: i === length })
  }

  usageOf(from: string): Usage {
    const { entries, bytes } = this.pending.budgets.usageOf(from)
    return { entries, bytes }
  }
}

describe('over the budget', () => {
  test('what counts is blocks, the links that they wait for, and bytes', () => {
    const stage = new Stage(5, 30)
    stage.add('one', ['a', 'b'])
    stage.add('two', ['c'])
    expect(stage.usageOf('alice')).toEqual({ entries: 5, bytes: 20 })
    expect(stage.dropped).toEqual([])
    stage.add('three', ['d'])
    expect(stage.dropped).toEqual(['three'])
    const other = new Stage(100, 30)
    other.add('one', ['a'], { size: 20 })
    other.add('two', ['b'], { size: 20 })
    expect(other.dropped).toEqual(['two'])
  })

  test('a walk loses its top: what it needs first is below', () => {
    const stage = new Stage(8)
    stage.walk('head', 6)
    expect(stage.dropped).toEqual(['head', 'head 5'])
    expect([...stage.eviction.ids()]).toEqual(['head'])
  })

  test('a stream loses what comes on top, and keeps its end, which has waited longest', () => {
    const stage = new Stage(8)
    for (let i = 1; i <= 6; i++) stage.add(`${i}`, [`${i - 1}`], { head: i === 6 })
    expect(stage.dropped).toEqual(['5', '6'])
    expect(stage.pending.has('1')).toBe(true)
  })

  test('a new head does not push out what waits already', () => {
    const stage = new Stage(8)
    stage.walk('old', 4)
    stage.add('new', ['nobody has it'], { head: true })
    expect(stage.dropped).toEqual(['new'])
  })

  test('a long line loses an eighth at once', () => {
    const stage = new Stage(160)
    stage.walk('head', 81)
    expect(stage.dropped).toHaveLength(11)
    expect(stage.dropped[0]).toBe('head')
  })

  test('one block may always wait, however large it is', () => {
    const stage = new Stage(2, 10)
    stage.add('huge', ['a', 'b', 'c'], { size: 1000, head: true })
    expect(stage.dropped).toEqual([])
    // It is waited for no more than what it waits for: its ancestor takes its place.
    stage.add('a', ['d'], { size: 500 })
    expect(stage.dropped).toEqual(['huge'])
  })

  test('what waits in the budget of another goes with what it waits for', () => {
    const stage = new Stage(8)
    stage.walk('low', 4)
    stage.add('high', ['low'], { from: 'bob', head: true })
    stage.add('low 0', ['deeper'])
    expect(stage.dropped).toEqual(['low', 'high'])
  })
})

describe('a head that was dropped', () => {
  test('is asked for again when it fits and half of the budget is free', () => {
    const stage = new Stage(8)
    stage.walk('old', 4)
    stage.add('new', ['x'], { head: true })
    for (const id of ['old', 'old 3']) {
      stage.eviction.resume()
      expect(stage.asked).toEqual([])
      stage.pending.remove(id)
    }
    stage.eviction.resume()
    stage.eviction.resume()
    expect(stage.asked).toEqual(['new of alice'])
  })

  test('is not asked for while it would not fit, though there is room for something smaller', () => {
    const stage = new Stage(20, 100)
    stage.add('waits', ['a'], { size: 50 })
    stage.add('wide', ['b'], { size: 60, head: true })
    stage.eviction.resume()
    expect(stage.asked).toEqual([])
    stage.pending.remove('waits')
    stage.eviction.resume()
    expect(stage.asked).toEqual(['wide of alice'])
  })

  test('needs the room of all that was dropped with it, or two budgets would pass it to and fro', () => {
    const stage = new Stage(20, 1000)
    stage.add('waits', ['a'], { size: 450 })
    stage.add('head', ['middle'], { head: true })
    stage.add('middle', ['wide'])
    stage.add('wide', ['b'], { size: 600 })
    expect(stage.dropped).toEqual(['head', 'middle', 'wide'])
    // The head alone would fit well.
    stage.eviction.resume()
    expect(stage.asked).toEqual([])
  })

  test('is asked for of another peer that said it and has room', () => {
    const stage = new Stage(8)
    stage.walk('old', 4)
    stage.add('new', ['x'], { head: true })
    expect(stage.eviction.postpones('new', 'alice')).toBe(true)
    expect(stage.eviction.postpones('new', 'bob')).toBe(false)
    // It is looked for already.
    expect(stage.eviction.postpones('new', 'alice')).toBe(false)
    stage.eviction.resume()
    expect(stage.asked).toEqual([])
  })

  test('keeps those who said it while it comes and goes', () => {
    const stage = new Stage(8)
    stage.walk('old', 4)
    stage.walk('bobs', 4, 'bob')
    stage.add('new', ['x'], { head: true })
    stage.eviction.postpones('new', 'bob')
    stage.add('new', ['x'])
    for (const id of ['bobs', 'bobs 3']) stage.pending.remove(id)
    stage.eviction.resume()
    expect(stage.asked).toEqual(['new of bob'])
  })

  test('is given up where too many are remembered', () => {
    const stage = new Stage(4, 1000, 2)
    stage.walk('old', 2)
    for (const id of ['a', 'b', 'c']) stage.add(id, ['x'], { head: true })
    expect(stage.givenUp).toEqual(['c'])
    expect([...stage.eviction.ids()]).toEqual(['a', 'b'])
  })
})
