// Drawings of the DAG. The proof that one is right is that it can be read back: `readDrawing` follows its lines from
// node to node by their shape alone, and knows nothing of how they were made.
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { blockIdFromCid, cidFromBlockId } from '../../src/codec/block-id.ts'
import type { BlockId } from '../../src/crdt/delta.ts'
import { type DrawableNode, dotLines, type PrintOptions, printLines } from '../../src/dag/render.ts'
import { anyText } from '../codec/any-text.ts'

/** The id whose CID ends in a name of at most seven letters; a CID cannot end in just any letter, but it can in 4. */
function idOf(name: string): BlockId {
  return blockIdFromCid(CID.parse(`bafybei${'a'.repeat(44)}${name.padEnd(8, '4')}`))!
}

const cidOf = (name: string): string => cidFromBlockId(idOf(name)).toString()

/** The names of numbered nodes, in letters that a CID has. */
const nameOf = (index: number): string =>
  `n${[...index.toString().padStart(3, '0')].map((digit) => 'abcdefghij'[Number(digit)]).join('')}`

interface NodeInit extends Pick<DrawableNode, 'oddity'> {
  links?: string
  gaps?: string
  priority?: bigint
  dagName?: string
  puts?: string[]
  deletes?: string[]
}

const words = (text = ''): string[] => text.split(' ').filter((word) => word !== '')

function node(name: string, init: NodeInit = {}): DrawableNode {
  const { priority = 1n, dagName = '', puts = [], deletes = [], oddity } = init
  const elements = puts.map((key) => ({ key, value: new Uint8Array() }))
  const tombstones = deletes.map((key) => ({ key, id: idOf('deleted') }))
  return {
    id: idOf(name),
    links: words(init.links).map(idOf),
    gaps: init.gaps === undefined ? undefined : words(init.gaps).map(idOf),
    delta: { elements, tombstones, priority, dagName, requires: [] },
    oddity
  }
}

async function* stream(nodes: Iterable<DrawableNode>): AsyncGenerator<DrawableNode> {
  yield* nodes
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = []
  for await (const line of lines) collected.push(line)
  return collected
}

const print = async (nodes: Iterable<DrawableNode>, options?: PrintOptions): Promise<string[]> =>
  await collect(printLines(stream(nodes), options))
const dot = async (nodes: Iterable<DrawableNode>, options?: PrintOptions): Promise<string[]> =>
  await collect(dotLines(stream(nodes), options))

/** Nodes given as `name: links`. */
const dag = (nodes: Record<string, string>): DrawableNode[] =>
  Object.entries(nodes).map(([name, links]) => node(name, { links }))

/** A drawing in the source of a test. The last line has only the indentation. */
function picture({ raw: [text] }: TemplateStringsArray): string[] {
  const lines = text!.split('\n')
  const indentation = lines.pop()!.length + 2
  return lines.slice(1).map((line) => line.slice(indentation))
}

describe('in the terminal', () => {
  test('a chain', async () => {
    const nodes = [
      node('third', { links: 'second', priority: 3n, deletes: ['/a'] }),
      node('second', { links: 'first', priority: 2n, puts: ['/a', '/b'], deletes: ['/c', '/d', '/e'] }),
      node('first', { puts: ['/a'] })
    ]
    expect(await print(nodes)).toEqual(picture`
      * third444 3 -/a
      * second44 2 +/a +/b -/c …2 more
      * first444 1 +/a
    `)
  })

  test('a diamond', async () => {
    expect(await print(dag({ top: 'left right', right: 'root', left: 'root', root: '' }))).toEqual(picture`
      * top44444 1
      |\
      | * right444 1
      * | left4444 1
      |/
      * root4444 1
    `)
  })

  test('an octopus of five', async () => {
    const nodes = dag({ head: 'a b c d e', e: 'root', d: 'root', c: 'root', b: 'root', a: 'root', root: '' })
    expect(await print(nodes)).toEqual(picture`
      * head4444 1
      |\
      |\ \
      |\ \ \
      |\ \ \ \
      | | | | * e4444444 1
      | | | * | d4444444 1
      | | | |/
      | | * | c4444444 1
      | | |/
      | * | b4444444 1
      | |/
      * | a4444444 1
      |/
      * root4444 1
    `)
  })

  test('an octopus among other lanes', async () => {
    const nodes = dag({
      left: 'a',
      right: 'e',
      mid: 'b',
      octo: 'b c d',
      e: 'd',
      d: 'a',
      c: 'a',
      b: 'a',
      a: ''
    })
    expect(await print(nodes)).toEqual(picture`
      * left4444 1
      | * right444 1
      | | * mid44444 1
      | | | * octo4444 1
      | | |/|
      | | | |\
      | * | | | e4444444 1
      | |_|_|/
      | * | | d4444444 1
      |/ / /
      | | * c4444444 1
      |_|/
      | * b4444444 1
      |/
      * a4444444 1
    `)
  })

  test('two heads', async () => {
    expect(await print(dag({ one: 'root', two: 'root', root: '' }))).toEqual(picture`
      * one44444 1
      | * two44444 1
      |/
      * root4444 1
    `)
  })

  test('replicas that write at the same time on what both wrote before', async () => {
    const nodes = dag({ ac: 'ab bb', bc: 'ab bb', ab: 'aa ba', bb: 'aa ba', aa: '', ba: '' })
    expect(await print(nodes)).toEqual(picture`
      * ac444444 1
      |\
      | | * bc444444 1
      |_|/|
      | |/
      * | ab444444 1
      |\ \
      | | * bb444444 1
      |_|/|
      | |/
      * | aa444444 1
       /
      * ba444444 1
    `)
  })

  test('links across other lanes', async () => {
    const nodes = dag({ a: 'z v', b: 'y', c: 'x', z: 'v x u', v: 'y', y: '', x: '', u: '' })
    expect(await print(nodes)).toEqual(picture`
      * a4444444 1
      |\
      | | * b4444444 1
      | | | * c4444444 1
      * | | | z4444444 1
      |\|_|_|
      |\| | |
      | * | | v4444444 1
      | |/ /
      | * | y4444444 1
      |  /
      | * x4444444 1
      * u4444444 1
    `)
  })

  test('two DAGs', async () => {
    const nodes = [
      node('bred', { links: 'ared', dagName: 'red', priority: 2n }),
      node('bblue', { links: 'ablue', dagName: 'blue', priority: 2n, puts: ['/k'] }),
      node('ablue', { dagName: 'blue' }),
      node('ared', { dagName: 'red' })
    ]
    expect(await print(nodes)).toEqual(picture`
      * bred4444 2 [red]
      | * bblue444 2 [blue] +/k
      | * ablue444 1 [blue]
      * ared4444 1 [red]
    `)
  })

  test('roots, each apart from what comes after it', async () => {
    const nodes = { a: '', b: 'c', d: '', c: 'i', j: '', i: '', e: 'f g', f: '', h: '', g: '' }
    expect(await print(dag(nodes))).toEqual(picture`
      * a4444444 1

      * b4444444 1
      | * d4444444 1
      * c4444444 1
      | * j4444444 1
      * i4444444 1

      * e4444444 1
      |\
      * | f4444444 1
       /
      | * h4444444 1
      * g4444444 1
    `)
  })

  test('gaps', async () => {
    const nodes = [
      node('top', { links: 'gone left', gaps: 'gone' }),
      node('right', { links: 'gone lost', gaps: 'lost gone' }),
      node('left', { links: 'a b c d e', gaps: 'a b c d e' })
    ]
    expect(await print(nodes)).toEqual(picture`
      * top44444 1
      |\
      | x gone4444 not here
      |
      | * right444 1
      | x gone4444 lost4444 not here
      * left4444 1
      x a4444444 b4444444 c4444444 …2 more not here
    `)
  })

  test('gaps that were not named: links that no node came for', async () => {
    expect(await print(dag({ top: 'gone left lost', right: 'gone', left: '' }))).toEqual(picture`
      * top44444 1
      |\
      |\ \
      | | | * right444 1
      |_|_|/
      | * | left4444 1
      |  /
      | x lost4444 not here
      x gone4444 not here
    `)
  })

  test('a gap that was closed later, so that the link leads up', async () => {
    const nodes = { head: 'top low', top: 'late', late: 'past', past: '', low: 'late root', root: '' }
    expect(await print(dag(nodes))).toEqual(picture`
      * head4444 1
      |\
      * | top44444 1
      * | late4444 1
      * | past4444 1
       /
      * low44444 1
      |\
      | ^ late4444 above
      * root4444 1
    `)
  })

  test('blocks that are odd', async () => {
    const nodes = [
      node('a', { links: 'b', oddity: 'invalid-delta', priority: 0n }),
      node('b', { oddity: 'not-dag-pb', priority: 0n })
    ]
    expect(await print(nodes)).toEqual(picture`
      * a4444444 0 (invalid-delta)
      * b4444444 0 (not-dag-pb)
    `)
  })

  test('more lanes than are drawn', async () => {
    const branches = dag({ f: 'root', e: 'root', d: 'root', c: 'root', b: 'root', a: 'root', root: '' })
    const nodes = [...dag({ octo: 'a b c d e f', other: 'b e f' }), ...branches]
    expect(await print(nodes, { lanesMax: 3 })).toEqual(picture`
      * …3 more octo4444 1 (links not drawn: 3)
      |\
      |\ \
      | | | * …3 more other444 1 (links not drawn: 2)
      | |_|/
      | | | * …3 more f4444444 1 (lane not drawn) (links not drawn: 1)
      | | |
      | | | * …2 more e4444444 1 (lane not drawn) (links not drawn: 1)
      | | |
      | | | * …1 more d4444444 1 (lane not drawn) (links not drawn: 1)
      | | * c4444444 1
      | * | b4444444 1
      | |/
      * | a4444444 1
      |/
      * root4444 1
    `)
    expect(await print(nodes.slice(0, 1), { lanesMax: 2 })).toEqual(picture`
      * …4 more octo4444 1 (links not drawn: 4)
      |\
      | x b4444444 not here
      x a4444444 not here
      …4 more not here
    `)
  })

  test('the widest merge that there can be', async () => {
    const names = Array.from({ length: 1024 }, (_, index) => nameOf(index))
    const nodes = [node('octo', { links: names.join(' ') }), ...names.map((name) => node(name)).reverse()]
    const lines = await print(nodes, { limit: 2000 })
    expect(lines[0]).toBe('* …1000 more octo4444 1 (links not drawn: 1000)')
    expect(lines.filter((line) => line.includes('*'))).toHaveLength(1025)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(100)
  })

  test('more nodes than are drawn', async () => {
    const nodes = dag({ c: 'b', b: 'a', a: '' })
    expect(await print(nodes, { limit: 2 })).toEqual(picture`
      * c4444444 1
      * b4444444 1
      …cut after 2 nodes, there are more
    `)
    expect(await print(nodes, { limit: 3 })).toHaveLength(3)
    const many = Array.from({ length: 1001 }, (_, index) => node(nameOf(index), { links: nameOf(index + 1) }))
    expect((await print(many)).slice(999)).toEqual(['* njjj4444 1', '…cut after 1000 nodes, there are more'])
  })

  test('the source is not read further than is drawn', async () => {
    let read = 0
    let ended = false
    async function* source(): AsyncGenerator<DrawableNode> {
      try {
        for (;;) yield node(nameOf(read++))
      } finally {
        ended = true
      }
    }
    const lines = printLines(source())
    await lines.next()
    expect(read).toBe(1)
    await lines.return(undefined)
    expect(ended).toBe(true)
    await collect(dotLines(source(), { limit: 5 }))
    expect(read).toBe(7)
  })

  test('nothing', async () => {
    expect(await print([])).toEqual([])
  })
})

/** What the lines of a drawing say: `a -> b` where one leads from node to node, and the ends `a x b` and `a ^ b`. */
interface Reading {
  nodes: string[]
  edges: string[]
}

const MARKED = /^((?:\| )*[*x^] (?:\| )*)(?:…\d+ more )?(.+)$/

/** Follows the lanes of a drawing, each of which carries the nodes that it comes from. */
class DrawingReader {
  readonly nodes: string[] = []
  readonly edges: string[] = []
  #lanes = new Map<number, Set<string>>()
  /** The lane that may end here, because its mark was on the line before. */
  #marked = -1

  read(line: string): void {
    const [, cells, text] = MARKED.exec(line) ?? []
    if (cells === undefined) this.#readSteps(line)
    else this.#readMark(cells.trimEnd().split(' '), text!)
  }

  #readMark(cells: string[], text: string): void {
    const column = cells.findIndex((cell) => cell !== '|')
    const next = new Map<number, Set<string>>()
    for (const other of cells.keys()) if (other !== column) next.set(other, this.#from(other))
    const above = [...(this.#lanes.get(column) ?? [])]
    this.#expectContinued((lane) => lane < cells.length)
    if (cells[column] === '*') {
      const name = text.slice(0, text.indexOf(' '))
      this.nodes.push(name)
      this.edges.push(...above.map((source) => `${source} -> ${name}`))
      next.set(column, new Set([name]))
    } else {
      const targets = text
        .replace(/ (not here|above)$/, '')
        .replace(/…(\d+) more/, '…$1')
        .split(' ')
      expect(above, text).not.toEqual([])
      for (const target of targets) {
        this.edges.push(...above.map((source) => `${source} ${cells[column]} ${target}`))
      }
    }
    this.#lanes = next
    this.#marked = column
  }

  #readSteps(line: string): void {
    expect(line).toMatch(/^[ |_/\\]*$/)
    const next = new Map<number, Set<string>>()
    const lead = (from: number, to: number): void => {
      next.set(to, new Set([...(next.get(to) ?? []), ...this.#from(from)]))
    }
    const leaving = new Set<number>()
    for (const [place, char] of [...line].entries()) {
      if (char === ' ' || char === '_') continue
      expect(place % 2, line).toBe(char === '|' ? 0 : 1)
      // A lane stands above `|`, on the right of `/` and on the left of `\`.
      const from = char === '/' ? (place + 1) / 2 : char === '|' ? place / 2 : (place - 1) / 2
      const step = char === '/' ? -1 : char === '|' ? 0 : 1
      let to = from + step
      while (step !== 0 && line[2 * to + step] === '_') to += step
      leaving.add(from)
      lead(from, to)
    }
    this.#expectContinued((lane) => leaving.has(lane))
    this.#lanes = next
    this.#marked = -1
  }

  #from(lane: number): Set<string> {
    expect([...this.#lanes.keys()], 'a lane comes from somewhere').toContain(lane)
    return this.#lanes.get(lane)!
  }

  #expectContinued(goesOn: (lane: number) => boolean): void {
    const lost = [...this.#lanes.keys()].filter((lane) => lane !== this.#marked && !goesOn(lane))
    expect(lost, 'only the lane of a mark may end').toEqual([])
  }

  end(): void {
    this.#expectContinued(() => false)
  }
}

function readDrawing(lines: string[]): Reading {
  const reader = new DrawingReader()
  for (const line of lines) reader.read(line)
  reader.end()
  return reader
}

interface Drawn {
  nodes: DrawableNode[]
  /** Without the ends that stand for what is not named. */
  edges: string[]
}

const short = (id: BlockId): string => cidFromBlockId(id).toString().slice(-8)

/** Nodes in an order in which few links lead up, and links to what is not among them. */
function anyDag(nodesMax: number, namesGaps: boolean): fc.Arbitrary<Drawn> {
  const each = fc.record({
    links: fc.array(fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: nodesMax })), { maxLength: 6 }),
    delay: fc.constantFrom(0, 0, 0, 0, 0, 4, 20),
    here: fc.constantFrom(true, true, true, true, false)
  })
  return fc.array(each, { maxLength: nodesMax }).map((drawn) => {
    const here = new Set(drawn.flatMap(({ here }, index) => (here ? [nameOf(index)] : [])))
    const order = drawn.map(({ delay }, index) => ({ index, place: index + delay }))
    order.sort((a, b) => a.place - b.place || a.index - b.index)
    const nodes = order.flatMap(({ index }) => {
      if (!drawn[index]!.here) return []
      const targets = drawn[index]!.links.map((steps) => index + 1 + steps).filter((to) => to < drawn.length)
      const links = [...new Set(targets)].map(nameOf)
      const gaps = namesGaps ? links.filter((link) => !here.has(link)).join(' ') : undefined
      return [node(nameOf(index), { links: links.join(' '), gaps })]
    })
    return { nodes, edges: edgesOf(nodes) }
  })
}

/** The edges of a drawing, from the nodes in the order of their lines. */
function edgesOf(nodes: DrawableNode[]): string[] {
  const all = new Set(nodes.map(({ id }) => id))
  const met = new Set<BlockId>()
  return nodes.flatMap(({ id, links, gaps }) => {
    met.add(id)
    const named = (mark: string, targets: BlockId[]): string[] => {
      const more = targets.length > 3 ? [`…${targets.length - 3}`] : []
      return [...targets.slice(0, 3).map(short), ...more].map((target) => `${short(id)} ${mark} ${target}`)
    }
    const missing = links.filter((link) => !all.has(link))
    const above = links.filter((link) => met.has(link))
    const below = links.filter((link) => all.has(link) && !met.has(link))
    return [
      ...below.map((link) => `${short(id)} -> ${short(link)}`),
      ...(gaps === undefined ? missing.map((link) => `${short(id)} x ${short(link)}`) : named('x', missing)),
      ...named('^', above)
    ]
  })
}

describe('a drawing that is read back', () => {
  test.each([true, false])('has each node and each link of any DAG once, gaps named: %s', async (named) => {
    await fc.assert(
      fc.asyncProperty(anyDag(24, named), async ({ nodes, edges }) => {
        const reading = readDrawing(await print(nodes))
        expect(reading.nodes).toEqual(nodes.map(({ id }) => short(id)))
        expect(reading.edges.toSorted()).toEqual(edges.toSorted())
      }),
      { numRuns: 500 }
    )
  })

  test('has them with more lanes too', async () => {
    await fc.assert(
      fc.asyncProperty(anyDag(80, true), async ({ nodes, edges }) => {
        const reading = readDrawing(await print(nodes, { lanesMax: 1000 }))
        expect(reading.nodes).toEqual(nodes.map(({ id }) => short(id)))
        expect(reading.edges.toSorted()).toEqual(edges.toSorted())
      }),
      { numRuns: 50 }
    )
  })

  test('has as many as it says where lanes are few, and none that is wrong', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyDag(40, true),
        fc.integer({ min: 1, max: 6 }),
        async ({ nodes, edges }, lanesMax) => {
          const lines = await print(nodes, { lanesMax })
          const reading = readDrawing(lines)
          expect(reading.nodes).toEqual(nodes.map(({ id }) => short(id)))
          expect(new Set(reading.edges).size).toBe(reading.edges.length)
          expect(edges).toEqual(expect.arrayContaining(reading.edges))
          for (const name of reading.nodes) {
            const line = lines.find((line) => line.includes('*') && line.includes(` ${name} `))!
            const omitted = Number(/links not drawn: (\d+)/.exec(line)?.[1] ?? 0)
            const [found, expected] = [reading.edges, edges].map((all) =>
              all.filter((edge) => edge.startsWith(name))
            )
            expect(found!.length + omitted, name).toBe(expected!.length)
          }
          // One column for a node without a lane, and two for ends.
          for (const line of lines)
            expect(MARKED.exec(line)?.[1]?.length ?? 0).toBeLessThanOrEqual(2 * (lanesMax + 3))
        }
      ),
      { numRuns: 300 }
    )
  })

  test('is not read where it is wrong', () => {
    expect(() => readDrawing(['* aaaaaaaa 1', '| * bbbbbbbb 1', '|', '* cccccccc 1'])).not.toThrow()
    expect(() => readDrawing(['* aaaaaaaa 1', '| * bbbbbbbb 1', '', '* cccccccc 1'])).toThrow('only the lane')
    expect(() => readDrawing(['* aaaaaaaa 1', '| |', '* cccccccc 1'])).toThrow('comes from somewhere')
    expect(() => readDrawing(['* aaaaaaaa 1', '|'])).toThrow('only the lane')
  })
})

const DOT_TOKEN = /\s+|"(?:[^"\\\n]|\\.)*"|->|[\w.]+|[{}[\]=,]/y

/** Reads as much of the language of Graphviz as is needed, and nothing that is not in it. */
function readDot(lines: string[]) {
  const text = lines.join('\n')
  const tokens: string[] = []
  DOT_TOKEN.lastIndex = 0
  while (DOT_TOKEN.lastIndex < text.length) {
    const place = DOT_TOKEN.lastIndex
    const token = DOT_TOKEN.exec(text)?.[0]
    if (token === undefined) throw new Error(`No DOT: ${text.slice(place, place + 50)}`)
    if (token.trim() !== '') tokens.push(token)
  }
  const take = (...expected: string[]): string => {
    expect(expected).toContain(tokens[0])
    return tokens.shift()!
  }
  const takeName = (): string => {
    expect(tokens[0]).toMatch(/^["\w.]/)
    return tokens.shift()!
  }
  const takeAttributes = (): Record<string, string> => {
    const attributes: Record<string, string> = {}
    for (let separator = take('['); separator !== ']'; separator = take(',', ']')) {
      const name = takeName()
      take('=')
      attributes[name] = unquoted(takeName())
    }
    return attributes
  }
  const nodes = new Map<string, Record<string, string>>()
  const edges: string[] = []
  let label: string | undefined
  for (const token of ['digraph', 'dag', '{']) take(token)
  while (tokens[0] !== '}') {
    const name = unquoted(takeName())
    if (tokens[0] === '->') {
      take('->')
      edges.push(`${name.slice(-8)} -> ${unquoted(takeName()).slice(-8)}`)
    } else if (tokens[0] === '=') {
      take('=')
      label = unquoted(takeName())
    } else {
      expect(nodes.has(name)).toBe(false)
      nodes.set(name, takeAttributes())
    }
  }
  expect(tokens).toEqual(['}'])
  const { node: defaults, ...rest } = Object.fromEntries(nodes)
  return { defaults, nodes: new Map(Object.entries(rest)), edges, label }
}

/** What Graphviz shows of a string that stands in quotes, or is one word. */
function unquoted(token: string): string {
  if (!token.startsWith('"')) return token
  return token
    .slice(1, -1)
    .replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    .replaceAll('&amp;', '&')
}

describe('for Graphviz', () => {
  test('a diamond of two DAGs with a gap', async () => {
    const nodes = [
      node('top', { links: 'left right', priority: 3n, puts: ['/a'], deletes: ['/b', '/c', '/d'] }),
      node('right', { links: 'root', priority: 2n, dagName: 'red' }),
      node('left', { links: 'root gone', gaps: 'gone', priority: 2n }),
      node('root')
    ]
    const [top, right, left, root, gone] = ['top', 'right', 'left', 'root', 'gone'].map(cidOf)
    expect(await dot(nodes)).toEqual([
      'digraph dag {',
      '  node [shape=box, style="rounded,filled", fillcolor=white, fontname=monospace]',
      `  "${top}" [label="top44444 3\\n+/a\\n-/b\\n-/c\\n…1 more"]`,
      `  "${top}" -> "${left}"`,
      `  "${top}" -> "${right}"`,
      `  "${right}" [label="right444 2\\n[red]", fillcolor="0.965 0.2 1"]`,
      `  "${right}" -> "${root}"`,
      `  "${left}" [label="left4444 2"]`,
      `  "${left}" -> "${root}"`,
      `  "${left}" -> "${gone}"`,
      `  "${root}" [label="root4444 1"]`,
      `  "${gone}" [label="gone4444\\nnot here", style=dashed, color=grey, fontcolor=grey]`,
      '}'
    ])
  })

  test('nodes of one DAG have one colour, and those of others another', async () => {
    const names = ['', 'red', 'blue', 'a', 'b', 'ab', 'ba', 'red']
    const nodes = names.map((dagName, index) => node(nameOf(index), { dagName }))
    const drawn = [...readDot(await dot(nodes)).nodes.values()]
    const colours = drawn.map(({ fillcolor }) => fillcolor)
    expect(colours[0]).toBeUndefined()
    expect(colours[7]).toBe(colours[1])
    expect(new Set(colours).size).toBe(7)
  })

  test('more nodes than are drawn', async () => {
    const nodes = [node('c', { links: 'b gone', gaps: 'gone' }), ...dag({ b: 'a', a: '' })]
    const { nodes: drawn, edges, label } = readDot(await dot(nodes, { limit: 2 }))
    expect(label).toBe('…cut after 2 nodes, there are more')
    expect(edges).toEqual(['c4444444 -> b4444444', 'c4444444 -> gone4444', 'b4444444 -> a4444444'])
    expect(drawn.get(cidOf('a'))).toMatchObject({ label: 'a4444444\nnot drawn', style: 'dashed' })
    expect(drawn.get(cidOf('gone'))).toMatchObject({ label: 'gone4444\nnot here', style: 'dashed' })
    expect(readDot(await dot(nodes, { limit: 3 })).label).toBeUndefined()
  })

  test('nothing', async () => {
    expect(readDot(await dot([]))).toMatchObject({ nodes: new Map(), edges: [] })
  })

  test('has each node and each link of any DAG once', async () => {
    await fc.assert(
      fc.asyncProperty(anyDag(24, true), async ({ nodes }) => {
        const { nodes: drawn, edges } = readDot(await dot(nodes))
        const links = nodes.flatMap(({ id, links }) => links.map((link) => `${short(id)} -> ${short(link)}`))
        expect(edges).toEqual(links)
        const here = nodes.map(({ id }) => short(id))
        const missing = links.map((link) => link.slice(-8)).filter((link) => !here.includes(link))
        expect([...drawn.keys()].map((id) => id.slice(-8)).sort()).toEqual(
          [...new Set([...here, ...missing])].sort()
        )
      })
    )
  })
})

const ESC = '\u001b'
/** What somebody might choose as a key or as a DAG name, and what is shown of it. */
const HOSTILE: Record<string, string> = {
  '/say "hi"': '/say\\ "hi"',
  '/c:\\dir\\': '/c:\\\\dir\\\\',
  '/two\nlines\r': '/two\\u{a}lines\\u{d}',
  [`/${ESC}[2J${ESC}]0;title\u0007`]: '/\\u{1b}[2J\\u{1b}]0;title\\u{7}',
  '/\u009b31m': '/\\u{9b}31m',
  [`/${'x'.repeat(4096)}`]: `/${'x'.repeat(38)}…`,
  [`/${'x'.repeat(39)}`]: `/${'x'.repeat(39)}`,
  [`/${'\n'.repeat(4096)}`]: `/${'\\u{a}'.repeat(7)}…`,
  [`/${'🎉'.repeat(1024)}`]: `/${'🎉'.repeat(38)}…`,
  '/👩\u200d👧': '/👩\\u{200d}👧',
  '/txt.\u202egpj': '/txt.\\u{202e}gpj',
  '/&#10;&amp;&lt;b&gt;': '/&#10;&amp;&lt;b&gt;',
  '/\0\u0085\u2028\u00a0\u200b': '/\\u{0}\\u{85}\\u{2028}\\u{a0}\\u{200b}',
  '/"]; evil [label="': '/"];\\ evil\\ [label="',
  '/a +/b': '/a\\ +/b',
  '/\\N\\l': '/\\\\N\\\\l',
  '\ud800': '\\u{d800}'
}

describe('hostile text', () => {
  for (const [text, shown] of Object.entries(HOSTILE)) {
    test(`does nothing: ${shown}`, async () => {
      const nodes = [node('a', { puts: [text], dagName: text }), node('b', { deletes: [text] })]
      expect(await print(nodes)).toEqual([`* a4444444 1 [${shown}] +${shown}`, '', `* b4444444 1 -${shown}`])
      const { nodes: drawn } = readDot(await dot(nodes))
      expect([...drawn.values()].map(({ label }) => label)).toEqual([
        `a4444444 1\n[${shown}]\n+${shown}`,
        `b4444444 1\n-${shown}`
      ])
    })
  }

  test('of any kind leaves the drawing as it is', async () => {
    const texts = fc.array(anyText(60), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(texts, anyText(60), async (puts, dagName) => {
        const nodes = [node('a', { links: 'b', puts, dagName }), node('b')]
        const lines = await print(nodes)
        expect(lines.map((line) => line.slice(0, 12))).toEqual(['* a4444444 1', '* b4444444 1'])
        const [line] = lines
        expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        const named = (dagName === '' ? 0 : 1) + Math.min(3, puts.length) + (puts.length > 3 ? 2 : 0)
        expect(line!.match(/(?:\\.|[^ \\])+/gu)).toHaveLength(3 + named)
        const { nodes: drawn, edges } = readDot(await dot(nodes))
        expect([drawn.size, edges.length]).toEqual([2, 1])
        expect(drawn.get(cidOf('a'))!.label!.replaceAll('\n', ' ')).toBe(line!.slice(2))
      }),
      { numRuns: 300 }
    )
  })
})
