/**
 * Applied nodes: whether one was applied and when, and the log that holds their blocks in the order of commits.
 *
 * Invariants: sequence numbers are given once, without holes but for purged DAGs; a node stands in the log after
 * the nodes it links to, but for gaps; the cache of applied nodes holds committed ones only.
 */
import { type DagNode, NodeCodec } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { CorruptRowError } from '../errors.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import type { ChangeSet } from './commit.ts'
import { nextHandSize } from './hand-size.ts'
import type { Layout } from './keys.ts'
import type { RowStore } from './row-store.ts'
import { type AppliedRow, decodeApplied, decodeLog, encodeApplied, encodeLog } from './rows.ts'

/**
 * Enough for what eight commits and the streams behind them ask again, and so few that most are still young when they go
 * and leave nothing behind for a full collection of garbage; each entry takes about 200 bytes. An awaited put takes 48%
 * more of the main thread without any, because it reads whether its heads are applied.
 */
const RECENT_NODES_MAX = 2048

/** Where blocks live that do not live in the datastore: the parts of interface-blockstore that are used. */
export interface BlockSource {
  get(id: BlockId): Promise<Uint8Array | undefined>
  put(id: BlockId, bytes: Uint8Array): Promise<void>
}

/** An applied node as the log holds it. */
export interface LoggedNode {
  sequence: number
  id: BlockId
  bytes: Uint8Array
}

export class LogStore {
  /** How the blocks of this log are understood. */
  readonly codec: NodeCodec
  readonly #rows: RowStore
  readonly #layout: Layout
  readonly #blocks: BlockSource | undefined
  /** The oldest go first: what is asked again is what came last. */
  readonly #recent = new Map<BlockId, AppliedRow>()
  /** How often all of it was forgotten: what was read before must not be remembered after. */
  #forgotten = 0

  /** @param blocks - where blocks live, if not in the log itself. */
  constructor(rows: RowStore, layout: Layout, blocks?: BlockSource, codec = new NodeCodec()) {
    this.codec = codec
    this.#rows = rows
    this.#layout = layout
    this.#blocks = blocks
  }

  /** The row of an applied node that was asked for or committed lately, without reading the store. */
  recent(id: BlockId): AppliedRow | undefined {
    return this.#recent.get(id)
  }

  /** At once where it is at hand, or where the datastore reads at once. */
  applied(id: BlockId): Eventual<AppliedRow | undefined> {
    return this.recent(id) ?? whenReady(this.#read([id]), ([row]) => row)
  }

  /** In the order of the ids asked for. */
  async appliedMany(ids: readonly BlockId[]): Promise<Array<AppliedRow | undefined>> {
    const found = ids.map((id) => this.recent(id))
    const unknown = ids.filter((_, index) => found[index] === undefined)
    if (unknown.length === 0) return found
    const rows = await this.#read(unknown)
    let next = 0
    return found.map((row) => row ?? rows[next++])
  }

  /** Reads the rows of nodes from the store, and remembers those that are there. */
  #read(ids: readonly BlockId[]): Eventual<Array<AppliedRow | undefined>> {
    const rows = ids.map((id) => this.#layout.applied(id))
    const forgotten = this.#forgotten
    return whenReady(this.#rows.getMany(rows), (values) =>
      values.map((value, index) => {
        if (value === undefined) return undefined
        const row = decodeApplied(rows[index] as string, value)
        if (forgotten === this.#forgotten) this.adopt(ids[index] as BlockId, row)
        return row
      })
    )
  }

  /** Whether blocks live elsewhere, so that they do not become durable with the commit itself. */
  get hasBlockstore(): boolean {
    return this.#blocks !== undefined
  }

  /**
   * Makes the blocks of nodes durable there, all together: a blockstore has much to do beside writing. However it ends,
   * nothing of it is under way any more.
   */
  async putBlocks(nodes: Iterable<DagNode>): Promise<void> {
    const puts = Array.from(nodes, async ({ id, bytes }) => await this.#blocks?.put(id, bytes))
    for (const put of await Promise.allSettled(puts)) if (put.status === 'rejected') throw put.reason
  }

  /** Puts the rows of an applied node into a commit. */
  write(node: DagNode, row: AppliedRow, changes: ChangeSet): void {
    changes.put(this.#layout.applied(node.id), encodeApplied(row))
    const bytes = this.#blocks === undefined ? node.bytes : undefined
    changes.put(this.#layout.log(row.sequence), encodeLog({ id: node.id, bytes }))
  }

  /** Takes an applied node over, once it is durable. */
  adopt(id: BlockId, row: AppliedRow): void {
    const oldest = this.#recent.keys().next().value
    if (oldest !== undefined && this.#recent.size >= RECENT_NODES_MAX) this.#recent.delete(oldest)
    this.#recent.set(id, row)
  }

  /** Every applied node, in no order that may be relied on. */
  async *appliedNodes(): AsyncGenerator<AppliedRow & { id: BlockId }> {
    for await (const { row, value } of this.#rows.scan(this.#layout.appliedNodes)) {
      yield { id: this.#layout.idOf(row), ...decodeApplied(row, value) }
    }
  }

  /** Puts into a commit that a node is no longer applied. A block in a blockstore stays there. */
  delete(id: BlockId, sequence: number, changes: ChangeSet): void {
    changes.delete(this.#layout.applied(id))
    changes.delete(this.#layout.log(sequence))
  }

  /** Forgets what is at hand of applied nodes: rows changed otherwise than by a commit of new ones. */
  forget(): void {
    this.#forgotten += 1
    this.#recent.clear()
  }

  /** The block of an applied node. */
  async block(id: BlockId): Promise<Uint8Array | undefined> {
    const applied = await this.applied(id)
    return applied === undefined ? undefined : (await this.at(applied.sequence))?.bytes
  }

  /** The entry with this sequence number. */
  async at(sequence: number): Promise<LoggedNode | undefined> {
    const row = this.#layout.log(sequence)
    const [value] = await this.#rows.getMany([row])
    return value === undefined ? undefined : await this.#entry(row, value)
  }

  /**
   * Entries from one sequence number to another, both included. They are read by key in hands of bounded size, so
   * that a slow reader holds on to no iterator and no snapshot of the store.
   */
  async *read(from: number, to: number): AsyncGenerator<LoggedNode> {
    let count = HAND_ENTRIES_MAX
    for (let first = from; first <= to; ) {
      const last = Math.min(first + count - 1, to)
      const hand = await this.#hand(first, last)
      yield* hand
      first = last + 1
      count = nextHand(hand)
    }
  }

  /** The same entries, newest first. */
  async *readBackwards(from: number, to: number): AsyncGenerator<LoggedNode> {
    let count = HAND_ENTRIES_MAX
    for (let last = to; last >= from; ) {
      const first = Math.max(last - count + 1, from)
      const hand = await this.#hand(first, last)
      yield* hand.reverse()
      last = first - 1
      count = nextHand(hand)
    }
  }

  async #hand(first: number, last: number): Promise<LoggedNode[]> {
    const rows = Array.from({ length: last - first + 1 }, (_, index) => this.#layout.log(first + index))
    const values = await this.#rows.getMany(rows)
    const entries: Array<Promise<LoggedNode>> = []
    for (const [index, row] of rows.entries()) {
      const value = values[index]
      if (value !== undefined) entries.push(this.#entry(row, value))
    }
    return await Promise.all(entries)
  }

  async #entry(row: string, value: Uint8Array): Promise<LoggedNode> {
    const { id, bytes: inline } = decodeLog(row, value)
    const bytes = inline ?? (await this.#blocks?.get(id))
    if (bytes === undefined) throw new CorruptRowError(row, `the block ${id} is gone from the blockstore`)
    return { sequence: this.#layout.sequenceOfLog(row), id, bytes }
  }
}

/**
 * Entries that are read from the log at once, unless their blocks are large. Serving a catch-up takes 20% more of the main
 * thread where each is read by itself.
 */
const HAND_ENTRIES_MAX = 64

function nextHand(hand: readonly LoggedNode[]): number {
  const bytes = hand.reduce((sum, entry) => sum + entry.bytes.length, 0)
  return nextHandSize(hand.length, bytes, HAND_ENTRIES_MAX)
}
