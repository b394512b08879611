/**
 * The DAG drawn as text: for Graphviz, and for a person at a terminal. Nodes come in and lines go out, one by one.
 *
 * In the terminal each lane is a column that waits for one node. A node takes its lane over: a link to a node that
 * some lane waits for already runs to that lane, and each other link opens a lane. Below the line of a node there is
 * one line for each such step, so that each can be read by itself.
 *
 * Invariants: what users chose (keys, DAG names) cannot leave its place in a line, end a quoted string or reach the
 * terminal as a control; no two lanes wait for one node; what is kept in memory is the ids drawn, of which `limit`
 * is the bound, and those waited for.
 */
import { cidFromBlockId } from '../codec/block-id.ts'
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'

/** What is drawn of a node; `traverse` yields such. */
export interface DrawableNode extends Pick<DagNode, 'id' | 'links' | 'delta' | 'oddity'> {
  /** Links to nodes that are not applied. Where none are named, they are the links that no node came for. */
  gaps?: readonly BlockId[]
}

/** How much is drawn. */
export interface RenderOptions {
  /**
   * The most nodes that are drawn; a last line says so if there were more.
   *
   * @default 1000
   */
  limit?: number
}

/** How much is drawn, and how wide. */
export interface PrintOptions extends RenderOptions {
  /**
   * The most lanes that are drawn side by side. How many there are besides is said in numbers.
   *
   * @default 24
   */
  lanesMax?: number
}

const LIMIT = 1000
const LANES_MAX = 24
const SHORT_ID_LENGTH = 8
/** Keys of a node, gaps of a node: more than these are only counted. */
const NAMED_MAX = 3
/** What a key or a DAG name takes of a line. */
const TEXT_LENGTH_MAX = 40

/** The lines of a file for Graphviz. */
export async function* dotLines(
  nodes: AsyncIterable<DrawableNode>,
  { limit = LIMIT }: RenderOptions = {}
): AsyncGenerator<string> {
  const drawn = new Set<BlockId>()
  const gaps = new Set<BlockId>()
  const waiting = new Set<BlockId>()
  let cut = false
  yield 'digraph dag {'
  yield '  node [shape=box, style="rounded,filled", fillcolor=white, fontname=monospace]'
  for await (const node of nodes) {
    cut = drawn.size >= limit
    if (cut) break
    drawn.add(node.id)
    waiting.delete(node.id)
    for (const id of node.gaps ?? []) gaps.add(id)
    yield `  ${dotNode(node)}`
    for (const link of node.links) {
      if (!drawn.has(link)) waiting.add(link)
      yield `  ${dotId(node.id)} -> ${dotId(link)}`
    }
  }
  for (const id of waiting) {
    const reason = cut && !gaps.has(id) ? 'not drawn' : 'not here'
    const label = dotString([shortId(id), reason])
    yield `  ${dotId(id)} [label=${label}, style=dashed, color=grey, fontcolor=grey]`
  }
  if (cut) yield `  label=${dotString([cutNotice(drawn.size)])}`
  yield '}'
}

function dotNode(node: DrawableNode): string {
  const { dagName } = node.delta
  const color = dagName === '' ? '' : `, fillcolor="${hueOf(dagName)} 0.2 1"`
  return `${dotId(node.id)} [label=${dotString([titleOf(node), ...notesOf(node)])}${color}]`
}

function dotId(id: BlockId): string {
  return `"${cidFromBlockId(id)}"`
}

/** A label of several lines. Graphviz reads references such as `&#10;` in labels too, hence the ampersand. */
function dotString(lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replace(/["\\]/g, '\\$&').replaceAll('&', '&amp;'))
  return `"${escaped.join('\\n')}"`
}

/** One colour for each DAG name, far from those of similar names: multiples of the golden ratio spread evenly. */
function hueOf(dagName: string): string {
  let hash = 0
  for (const char of dagName) hash = (Math.imul(hash, 31) + (char.codePointAt(0) as number)) >>> 0
  return ((hash * 0.618034) % 1).toFixed(3)
}

/** The lines of a drawing for the terminal, as `git log --graph --oneline` makes them. */
export async function* printLines(
  nodes: AsyncIterable<DrawableNode>,
  { limit = LIMIT, lanesMax = LANES_MAX }: PrintOptions = {}
): AsyncGenerator<string> {
  const lanes = new Lanes(lanesMax)
  const drawn = new Set<BlockId>()
  for await (const node of nodes) {
    if (drawn.size >= limit) {
      yield cutNotice(drawn.size)
      return
    }
    drawn.add(node.id)
    yield* lanes.drawNode(node, drawn)
  }
  yield* lanes.drawEnds()
}

/** Ends of lanes that are no node of their own. A block id is never like them. */
const GAPS = 'x'
const ABOVE = '^'

class Lanes {
  readonly #max: number
  /** What each lane waits for, from the left. */
  readonly #lanes: string[] = []
  /** What lanes would wait for if there was room for them. */
  readonly #hidden = new Set<BlockId>()
  /** Where, on the last line, a lane ended; nothing that does not belong to it may be drawn below. */
  #ended = -1

  constructor(max: number) {
    this.#max = max
  }

  /** A node, its links, and ends for those links that no later node can be drawn for. */
  *drawNode(node: DrawableNode, drawn: ReadonlySet<BlockId>): Generator<string> {
    const gaps = node.links.filter((id) => node.gaps?.includes(id))
    const above = node.links.filter((id) => drawn.has(id))
    const below = node.links.filter((id) => !drawn.has(id) && !node.gaps?.includes(id))
    const joined = below.filter((id) => this.#lanes.includes(id))
    const opened = below.filter((id) => !this.#lanes.includes(id))
    const text = [titleOf(node), ...notesOf(node)]
    if (this.#hidden.delete(node.id)) text.push('(lane not drawn)')
    const column = yield* this.#columnFor(node.id)
    const hidden = opened.splice(Math.max(0, this.#max - this.#lanes.length + 1))
    for (const id of opened) this.#hidden.delete(id)
    for (const id of hidden) this.#hidden.add(id)
    if (hidden.length > 0) text.push(`(links not drawn: ${hidden.length})`)
    if (gaps.length > 0) opened.push(GAPS)
    if (above.length > 0) opened.push(ABOVE)

    yield this.#mark('*', column, text.join(' '))
    yield* this.#link(column, joined, opened)
    if (above.length > 0) yield* this.#drawEnd(ABOVE, ABOVE, `${listed(above.map(shortId))} above`)
    if (gaps.length > 0) yield* this.#drawEnd(GAPS, GAPS, `${listed(gaps.map(shortId))} not here`)
  }

  /** Ends for all that was waited for and never came. */
  *drawEnds(): Generator<string> {
    const hidden = this.#hidden.size
    this.#hidden.clear()
    for (const id of this.#lanes.toReversed()) yield* this.#drawEnd(id, GAPS, `${shortId(id)} not here`)
    if (hidden > 0) yield `…${hidden} more not here`
  }

  *#drawEnd(target: string, mark: string, text: string): Generator<string> {
    const column = this.#lanes.indexOf(target)
    yield this.#mark(mark, column, text)
    yield* this.#end(column)
  }

  /** The lane that waits for a node, or a new one on the right. */
  *#columnFor(id: BlockId): Generator<string, number> {
    const found = this.#lanes.indexOf(id)
    if (found !== -1) return found
    const column = this.#lanes.push(id) - 1
    if (column === this.#ended) yield '| '.repeat(column).trimEnd()
    return column
  }

  #mark(mark: string, column: number, text: string): string {
    this.#ended = -1
    const right = '| '.repeat(this.#lanes.length - column - 1)
    const hidden = this.#hidden.size > 0 ? `…${this.#hidden.size} more ` : ''
    return `${'| '.repeat(column)}${mark} ${right}${hidden}${text}`
  }

  /** Leads a node's lane on: to lanes that are there already, and into those that it opens. */
  *#link(column: number, joined: BlockId[], opened: string[]): Generator<string> {
    const distance = (id: string): number => Math.abs(this.#lanes.indexOf(id) - column)
    joined.sort((a, b) => distance(b) - distance(a))
    const merged = opened.length === 0 ? joined.pop() : undefined
    for (const id of joined) yield this.#join(column, this.#lanes.indexOf(id))
    if (merged !== undefined) yield this.#merge(column, this.#lanes.indexOf(merged))
    else if (opened.length === 0) yield* this.#end(column)
    else this.#lanes[column] = opened[0] as string
    for (const id of opened.slice(1).reverse()) yield this.#open(column, id)
  }

  /** A line from a lane to another one; both go on. */
  #join(from: number, to: number): string {
    const [left, right] = [Math.min(from, to), Math.max(from, to)]
    const across = '|_'.repeat(right - left - 1)
    const line = to < from ? `${across}|/` : `|\\${across}`
    return ('| '.repeat(left) + line + '| '.repeat(this.#lanes.length - right)).trimEnd()
  }

  /** Of two lanes the right one runs into the left one, and those right of it move up. */
  #merge(from: number, to: number): string {
    const [left, right] = [Math.min(from, to), Math.max(from, to)]
    this.#lanes[left] = this.#lanes[to] as string
    this.#lanes.splice(right, 1)
    return `${'| '.repeat(left)}${'|_'.repeat(right - left - 1)}|/${' /'.repeat(this.#lanes.length - right)}`
  }

  /** A new lane leaves another one on its right, and those right of it make room. */
  #open(from: number, target: string): string {
    const line = `${'| '.repeat(from)}|\\${' \\'.repeat(this.#lanes.length - from - 1)}`
    this.#lanes.splice(from + 1, 0, target)
    return line
  }

  /** A lane ends, and those right of it move up. */
  *#end(column: number): Generator<string> {
    this.#lanes.splice(column, 1)
    const right = this.#lanes.length - column
    if (right > 0) yield '| '.repeat(column) + ' /'.repeat(right)
    else this.#ended = column
  }
}

function cutNotice(count: number): string {
  return `…cut after ${count} nodes, there are more`
}

function titleOf({ id, delta }: DrawableNode): string {
  return `${shortId(id)} ${delta.priority}`
}

function notesOf({ delta, oddity }: DrawableNode): string[] {
  const { dagName, elements, tombstones } = delta
  const keys = [...elements.map(({ key }) => ['+', key]), ...tombstones.map(({ key }) => ['-', key])]
  const notes = keys.slice(0, NAMED_MAX).map(([sign, key]) => sign + harmless(key as string))
  if (keys.length > NAMED_MAX) notes.push(`…${keys.length - NAMED_MAX} more`)
  if (oddity !== undefined) notes.unshift(`(${oddity})`)
  if (dagName !== '') notes.unshift(`[${harmless(dagName)}]`)
  return notes
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED_MAX
  return names.slice(0, NAMED_MAX).join(' ') + (more > 0 ? ` …${more} more` : '')
}

/** The end of a CID: all of them begin alike. */
function shortId(id: BlockId): string {
  return cidFromBlockId(id).toString().slice(-SHORT_ID_LENGTH)
}

/** Controls, marks that turn the direction of text, halves of characters, and whatever could pass for a space. */
const HARMFUL = /[\p{C}\p{Z}\\]/u

/** A user's text as one word that does nothing to a terminal, cut where it is long. */
function harmless(text: string): string {
  let word = ''
  let head = ''
  let length = 0
  for (const char of text) {
    const shown = HARMFUL.test(char) ? escaped(char) : char
    length += shown === char ? 1 : shown.length
    if (length > TEXT_LENGTH_MAX) return `${head}…`
    word += shown
    if (length < TEXT_LENGTH_MAX) head = word
  }
  return word
}

function escaped(char: string): string {
  if (char === ' ' || char === '\\') return `\\${char}`
  return `\\u{${(char.codePointAt(0) as number).toString(16)}}`
}
