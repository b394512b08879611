// The walk down the DAG: everything below some nodes, each once, newest first, in memory that the history's length
// does not matter to.
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { decodeNode } from '../../src/codec/node.ts'
import type { BlockId } from '../../src/crdt/delta.ts'
import { Frontier, type TraversedNode, traverse } from '../../src/dag/traverse.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { Layout } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { CountingDatastore } from '../storage/counting-datastore.ts'
import { remoteNode } from '../storage/remote-peer.ts'

afterEach(() => void vi.restoreAllMocks())

const layout = new Layout('/crdt')

/** A log, written by hand: which node was applied when is the test's choice. */
class History {
  readonly datastore = new CountingDatastore()
  readonly log: LogStore
  readonly #rows = rowStoreOver(this.datastore, { durability: 'process' })
  readonly #nodes = new Map<string, { id: BlockId; bytes: Uint8Array }>()
  readonly #names = new Map<BlockId, string>()

  constructor() {
    this.log = new LogStore(this.#rows, layout)
  }

  /** A node that is written and not applied, by name; it links to others by theirs. */
  async write(name: string, ...links: string[]): Promise<void> {
    const elements = [{ key: `/${name}`, value: new Uint8Array() }]
    const node = await remoteNode({ priority: 1n, elements, links: links.map((link) => this.id(link)) })
    this.#nodes.set(name, node)
    this.#names.set(node.id, name)
  }

  async apply(name: string, sequence: number): Promise<void> {
    const { id, bytes } = this.#nodes.get(name)!
    const changes = new ChangeSet()
    const row = { sequence, priority: 1n, dagName: '', origin: 'remote' } as const
    this.log.write(decodeNode(id, bytes), row, changes)
    await this.#rows.write(changes.rows)
  }

  id(name: string): BlockId {
    return this.#nodes.get(name)!.id
  }

  name(id: BlockId): string {
    return this.#names.get(id)!
  }

  traverse(...from: string[]): AsyncGenerator<TraversedNode> {
    return traverse(
      this.log,
      from.map((name) => this.id(name))
    )
  }

  /** The names of what is yielded, in order. */
  async walk(...from: string[]): Promise<string> {
    const names: string[] = []
    for await (const { id } of this.traverse(...from)) names.push(this.name(id))
    return names.join(' ')
  }
}

/** Nodes given as `name: links`, and the names of those applied, in order. */
async function historyOf(nodes: Record<string, string>, applied: string): Promise<History> {
  const history = new History()
  for (const [name, links] of Object.entries(nodes)) {
    await history.write(name, ...links.split(' ').filter((link) => link !== ''))
  }
  for (const [index, name] of applied.split(' ').entries()) await history.apply(name, index + 1)
  return history
}

describe('the walk', () => {
  test('yields what is at or below the nodes it begins at, newest first', async () => {
    const nodes = { root: '', left: 'root', right: 'root', merge: 'left right', beside: 'right' }
    const history = await historyOf(nodes, 'root left right beside merge')
    expect(await history.walk('merge')).toBe('merge right left root')
    expect(await history.walk('beside', 'merge')).toBe('merge beside right left root')
    expect(await history.walk('left', 'left', 'root')).toBe('left root')
    expect(await history.walk()).toBe('')
  })

  test('yields nodes with what the log knows of them', async () => {
    const history = await historyOf({ gone: '', root: '', top: 'gone root' }, 'root top')
    const { value: top } = await history.traverse('top').next()
    const { bytes } = (await history.log.at(2))!
    const id = history.id('top')
    expect(top).toEqual({ ...decodeNode(id, bytes), sequence: 2, gaps: [history.id('gone')] })
  })

  test('passes over what is not applied', async () => {
    const history = await historyOf({ far: '', gone: 'far', root: '', top: 'gone root' }, 'far root top')
    expect(await history.walk('gone', 'top')).toBe('top root')
    expect(await history.walk('gone')).toBe('')
  })

  test('reads no block before it is asked for', async () => {
    const history = await historyOf({ a: '', b: 'a', c: 'b', d: 'c' }, 'a b c d')
    const at = vi.spyOn(history.log, 'at')
    const walk = history.traverse('d')
    await walk.next()
    await walk.next()
    await walk.return(undefined)
    expect(at.mock.calls).toEqual([[4], [3]])
  })

  test('breathes at every block, and ends when that throws', async () => {
    const history = await historyOf({ a: '', b: 'a', c: 'b' }, 'a b c')
    let breaths = 0
    const breathe = async (): Promise<void> => {
      if (++breaths === 3) throw new Error('enough')
    }
    const walk = traverse(history.log, [history.id('c')], breathe)
    await walk.next()
    await walk.next()
    await expect(walk.next()).rejects.toThrow('enough')
    expect(breaths).toBe(3)
  })
})

describe('a gap that was closed later', () => {
  test('leads up, to what nothing else leads to', async () => {
    const nodes = { past: '', missing: 'past', above: 'missing', top: 'above' }
    const history = await historyOf(nodes, 'above top past missing')
    expect(await history.walk('top')).toBe('top above missing past')
  })

  test('leads up to what was met already', async () => {
    const nodes = { past: '', missing: 'past', above: 'missing', top: 'missing', head: 'top above' }
    const history = await historyOf(nodes, 'above past missing top head')
    expect(await history.walk('head')).toBe('head top missing past above')
    expect(await history.walk('above')).toBe('above missing past')
  })

  test('is looked into no further than it takes to know whether its target was met', async () => {
    const nodes = { missing: '', above: 'missing', top: 'missing', newer: 'top', head: 'newer above' }
    const history = await historyOf(nodes, 'above missing top newer head')
    const at = vi.spyOn(history.log, 'at')
    expect(await history.walk('head')).toBe('head newer top missing above')
    expect(at.mock.calls.flat()).toEqual([5, 4, 3, 2, 1, 5, 4, 3])
  })

  test('leads up to a branch of which a part was met already', async () => {
    const nodes = { root: '', met: 'root', owed: 'met', missing: 'owed', above: 'missing', head: 'met above' }
    const history = await historyOf(nodes, 'above root met owed missing head')
    expect(await history.walk('head')).toBe('head met root above missing owed')
  })

  test('stands below another one', async () => {
    const nodes = { deepest: '', deeper: 'deepest', deep: 'deeper', top: 'deep' }
    const history = await historyOf(nodes, 'top deep deeper deepest')
    expect(await history.walk('top')).toBe('top deep deeper deepest')
  })

  test('is no part of a walk that was under way', async () => {
    const nodes = { missing: '', deep: '', late: 'deep', low: 'missing', above: 'late', head: 'low above' }
    const history = await historyOf(nodes, 'deep low above head late')
    const names: string[] = []
    for await (const { id } of history.traverse('head')) {
      names.push(history.name(id))
      if (names.at(-1) === 'low') await history.apply('missing', 6)
    }
    expect(names.join(' ')).toBe('head above low late deep')
  })
})

describe('a log entry that is not there', () => {
  test('is damage, if the node is applied', async () => {
    const history = await historyOf({ root: '', top: 'root' }, 'root top')
    await history.datastore.delete(new Key(layout.log(1)))
    const walk = history.traverse('top')
    await walk.next()
    await expect(walk.next()).rejects.toMatchObject({
      name: 'CorruptRowError',
      message: expect.stringContaining(history.id('root'))
    })
  })

  test('is damage, if another node stands in its place', async () => {
    const history = await historyOf({ root: '', other: '', top: 'root' }, 'root top')
    await history.apply('other', 1)
    await expect(history.walk('top')).rejects.toMatchObject({ name: 'CorruptRowError' })
  })

  test('is nothing, if its DAG was purged since', async () => {
    const history = await historyOf({ root: '', left: 'root', top: 'left root' }, 'root left top')
    const walk = history.traverse('top')
    await walk.next()
    await history.datastore.delete(new Key(layout.log(2)))
    await history.datastore.delete(new Key(layout.applied(history.id('left'))))
    const forgetful = new LogStore(rowStoreOver(history.datastore, { durability: 'process' }), layout)
    vi.spyOn(history.log, 'appliedMany').mockImplementation((ids) => forgetful.appliedMany(ids))
    expect(history.name((await walk.next()).value.id)).toBe('root')
    expect(await walk.next()).toEqual({ done: true, value: undefined })
  })
})

/** How large the frontier of the walk under test is now. */
function watchFrontier(): () => number {
  const take = vi.spyOn(Frontier.prototype, 'take')
  return () => (take.mock.contexts.at(-1) as Frontier).size
}

describe('memory', () => {
  test('does not grow with the history', async () => {
    // Two replicas that write in turns, each on what both wrote before.
    const history = new History()
    const name = (index: number): string => `n${index}`
    for (let index = 0; index < 5000; index++) {
      const links = [index - 1, index - 2, index - 3].filter((link) => link >= 0 && link % 2 !== index % 2)
      await history.write(name(index), ...links.map(name))
      await history.apply(name(index), index + 1)
    }
    const sizeNow = watchFrontier()
    let count = 0
    let most = 0
    for await (const _ of history.traverse(name(4999))) {
      count++
      most = Math.max(most, sizeNow())
    }
    expect(count).toBe(5000)
    expect(most).toBeLessThanOrEqual(3)
  })
})

interface Drawn {
  links: number[][]
  ranks: number[]
  applied: boolean[]
  from: number[]
}

const drawnDag: fc.Arbitrary<Drawn> = fc.nat({ max: 30 }).chain((size) => {
  const each = { minLength: size, maxLength: size }
  return fc.record({
    links: fc.array(fc.array(fc.nat({ max: 5 }), { maxLength: 4 }), each),
    // Mostly in the order of the links, so that links which lead up are few.
    ranks: fc.array(fc.constantFrom(0, 0, 0, 0, 3, 30), each),
    applied: fc.array(fc.constantFrom(true, true, true, true, false), each),
    from: fc.array(fc.nat({ max: Math.max(0, size - 1) }), { maxLength: 3 })
  })
})

/** The DAG, and its applied nodes in order of their sequence. */
async function build({ links, ranks, applied, from }: Drawn) {
  const history = new History()
  const graph = new Map<string, string[]>()
  for (const [index, back] of links.entries()) {
    const targets = [...new Set(back.map((steps) => index - 1 - steps).filter((target) => target >= 0))]
    graph.set(String(index), targets.map(String))
    await history.write(String(index), ...targets.map(String))
  }
  const order = [...graph.keys()]
    .filter((name) => applied[Number(name)])
    .sort((a, b) => Number(a) + ranks[Number(a)]! - Number(b) - ranks[Number(b)]! || Number(a) - Number(b))
  for (const [index, name] of order.entries()) await history.apply(name, index + 1)
  const sequences = new Map(order.map((name, index) => [name, index + 1]))
  return { history, graph, sequences, from: links.length === 0 ? [] : from.map(String) }
}

/** What can be reached, by the plainest search there is. */
function reachable(graph: Map<string, string[]>, sequences: Map<string, number>, from: string[]): string[] {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (!sequences.has(name) || found.has(name)) return
    found.add(name)
    for (const link of graph.get(name)!) visit(link)
  }
  for (const name of from) visit(name)
  return [...found].sort()
}

/** The most nodes that are linked to from somewhere up to one place of the log, and stand after it. */
function width(graph: Map<string, string[]>, sequences: Map<string, number>): number {
  const widths = [...sequences.values()].map((place) => {
    const above = [...sequences].filter(([, sequence]) => sequence >= place)
    const links = new Set(above.flatMap(([name]) => graph.get(name)!))
    return [...links].filter((link) => sequences.get(link)! < place).length
  })
  return Math.max(0, ...widths)
}

test('in any DAG, whatever the order of its commits, the walk yields exactly what can be reached', async () => {
  const sizeNow = watchFrontier()
  await fc.assert(
    fc.asyncProperty(drawnDag, async (drawn) => {
      const { history, graph, sequences, from } = await build(drawn)
      const expected = reachable(graph, sequences, from)
      const leadsUp = (name: string, link: string): boolean => sequences.get(link)! > sequences.get(name)!
      const upward = expected.flatMap((name) => graph.get(name)!.filter((link) => leadsUp(name, link)))
      const owed = new Set(from)
      const yielded: string[] = []
      let last = Number.POSITIVE_INFINITY
      for await (const { id, links, gaps, sequence } of history.traverse(...from)) {
        const name = history.name(id)
        yielded.push(name)
        expect(sequence).toBe(sequences.get(name))
        expect(gaps).toEqual(links.filter((link) => !sequences.has(history.name(link))))
        if (sequence > last) expect(upward).toContain(name)
        last = sequence
        for (const link of links) owed.add(history.name(link))
        // Without links that lead up the frontier is what is known and not yet yielded, and not one node more.
        const known = [...owed].filter((link) => sequences.has(link) && !yielded.includes(link))
        if (upward.length === 0) expect(sizeNow()).toBe(known.length)
        else expect(sizeNow()).toBeLessThanOrEqual(width(graph, sequences) + upward.length + from.length)
      }
      expect(yielded.toSorted()).toEqual(expected)
      expect(new Set(yielded).size).toBe(yielded.length)
    }),
    { numRuns: 500 }
  )
})

test('the frontier gives the greatest number first, each once', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean()))), (steps) => {
      const frontier = new Frontier()
      const model = new Map<number, boolean>()
      for (const step of steps) {
        if (step !== null) {
          const [sequence, met] = step
          frontier.add({ id: `/${sequence}`, sequence, met })
          model.set(sequence, met || model.get(sequence) === true)
        } else if (model.size > 0) {
          const sequence = Math.max(...model.keys())
          expect(frontier.take()).toEqual({ id: `/${sequence}`, sequence, met: model.get(sequence) })
          model.delete(sequence)
        }
        expect(frontier.size).toBe(model.size)
        expect(frontier.unmet).toBe([...model.values()].filter((met) => !met).length)
      }
    })
  )
})
