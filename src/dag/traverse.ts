/**
 * Every applied node at or below some nodes, newest first: children before parents, block by block.
 *
 * The log holds ancestors first, so a walk in descending order of sequence numbers meets a node after everything that
 * links to it. The exception is a link over a gap that was closed later: it leads up, to a greater sequence number
 * than that of the node it stands in, and its target may or may not have been met by then. Instead of remembering
 * everything met, which would grow with the history, the walk is then made again from the top, this time with the
 * targets of such links beside it: a node that both reach was met before, and the others are the ones still owed.
 *
 * Invariants: each node is yielded once; a node comes after one of a lesser sequence number only as the target of a
 * link that leads up; memory is the frontier (nodes known and not yet met), `from`, and the targets of such links.
 * What is applied while the walk goes on is not a part of it; what is purged meanwhile may be missed.
 */
import { decodeDagPb } from '../codec/dag-pb.ts'
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { CorruptRowError } from '../errors.ts'
import type { LogStore } from '../storage/log-store.ts'

/** An applied node, and what only the log knows of it. */
export interface TraversedNode extends DagNode {
  sequence: number
  /** Those of its links that are not applied. */
  gaps: BlockId[]
}

/** Where one node is in the log. */
interface Known {
  id: BlockId
  sequence: number
  /** Whether an earlier walk met it. */
  met: boolean
}

/**
 * @param from - ids that are not applied are passed over.
 * @param breathe - called for every block read: lets others run now and then, and throws to end the walk.
 */
export async function* traverse(
  log: Pick<LogStore, 'appliedMany' | 'at' | 'codec'>,
  from: readonly BlockId[],
  breathe?: () => Promise<void> | undefined
): AsyncGenerator<TraversedNode> {
  /** Everything yielded so far is found from here by links that lead down. */
  const roots = new Map<BlockId, number>()
  let next = (await findLinks(log, from)).applied
  while (next.size > 0) {
    const frontier = new Frontier()
    for (const [id, sequence] of roots) frontier.add({ id, sequence, met: true })
    for (const [id, sequence] of next) {
      frontier.add({ id, sequence, met: false })
      roots.set(id, sequence)
    }
    next = new Map()
    while (frontier.unmet > 0) {
      const known = frontier.take()
      const { sequence, met } = known
      await breathe?.()
      const bytes = await blockOf(log, known)
      if (bytes === undefined) continue
      const node = met ? undefined : log.codec.decode(known.id, bytes)
      const { applied, gaps } = await findLinks(log, node?.links ?? decodeDagPb(bytes)?.links ?? [])
      for (const [link, row] of applied) {
        if (row < sequence) frontier.add({ id: link, sequence: row, met })
        else if (!met) next.set(link, row)
      }
      if (node !== undefined) yield { ...node, sequence, gaps }
    }
  }
}

async function findLinks(
  log: Pick<LogStore, 'appliedMany'>,
  ids: readonly BlockId[]
): Promise<{ applied: Map<BlockId, number>; gaps: BlockId[] }> {
  const applied = new Map<BlockId, number>()
  const gaps: BlockId[] = []
  const rows = await log.appliedMany(ids)
  for (const [index, id] of ids.entries()) {
    const row = rows[index]
    if (row === undefined) gaps.push(id)
    else applied.set(id, row.sequence)
  }
  return { applied, gaps }
}

/** Nothing for a node whose DAG was purged since it became known. */
async function blockOf(
  log: Pick<LogStore, 'appliedMany' | 'at' | 'codec'>,
  { id, sequence }: Known
): Promise<Uint8Array | undefined> {
  const entry = await log.at(sequence)
  if (entry?.id === id) return entry.bytes
  const [row] = await log.appliedMany([id])
  if (row?.sequence !== sequence) return undefined
  const found = entry === undefined ? 'there is no such entry' : `the entry is of ${entry.id}`
  throw new CorruptRowError(`log entry ${sequence}`, `the node ${id} was applied with it, but ${found}`)
}

/** Nodes that are known and were not taken yet, the greatest sequence number first: a binary heap. */
export class Frontier {
  readonly #heap: number[] = []
  /** By sequence number, which no two nodes share. */
  readonly #known = new Map<number, Known>()
  #unmet = 0

  get size(): number {
    return this.#heap.length
  }

  /** How many of them no earlier walk met. */
  get unmet(): number {
    return this.#unmet
  }

  /** A node that is added twice is taken once, and counts as met if either way to it was walked before. */
  add(known: Known): void {
    const { sequence, met } = known
    const twin = this.#known.get(sequence)
    if (twin === undefined) {
      this.#known.set(sequence, known)
      this.#rise(sequence)
      if (!met) this.#unmet++
    } else if (met && !twin.met) {
      twin.met = true
      this.#unmet--
    }
  }

  take(): Known {
    const first = this.#heap[0] as number
    const last = this.#heap.pop() as number
    if (this.#heap.length > 0) this.#sink(last)
    const known = this.#known.get(first) as Known
    this.#known.delete(first)
    if (!known.met) this.#unmet--
    return known
  }

  /** Puts a number in at the bottom, and moves lesser ones above it down. */
  #rise(sequence: number): void {
    const heap = this.#heap
    let place = heap.length
    while (place > 0) {
      const above = (place - 1) >> 1
      if ((heap[above] as number) > sequence) break
      heap[place] = heap[above] as number
      place = above
    }
    heap[place] = sequence
  }

  /** Puts a number in at the top, and moves greater ones below it up. */
  #sink(sequence: number): void {
    const heap = this.#heap
    let place = 0
    for (let below = 1; below < heap.length; below = 2 * place + 1) {
      if ((heap[below + 1] ?? 0) > (heap[below] as number)) below++
      if ((heap[below] as number) < sequence) break
      heap[place] = heap[below] as number
      place = below
    }
    heap[place] = sequence
  }
}
