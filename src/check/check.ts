/**
 * Checks a store against its own log of nodes, and mends it.
 *
 * 1. Every block of the log is hashed and merged into a scratch state, in bounded memory.
 * 2. Nodes that were applied and have no block any more are looked for at peers. As long as one is lost the state
 *    cannot be derived, and nothing else is compared or mended, for what only that node says would be thrown away.
 *    Where some came back all is derived anew, because what is remembered depends on the order of the log.
 * 3. Every row is compared with the scratch state; when it mends, until there is nothing left to mend.
 *
 * Invariants: writes and merges go on meanwhile, but no purge; what counts as a difference was seen when no commit was
 * under way and scratch and store had the same nodes; what is mended becomes what the log says, in the same turn of
 * the writer in which it was seen; no scratch row is left, however it ends.
 */
import type { BlockId } from '../crdt/delta.ts'
import { ChangeSet } from '../storage/commit.ts'
import type { LoggedNode } from '../storage/log-store.ts'
import { decodeApplied, decodeIgnored } from '../storage/rows.ts'
import type { CheckedStore, CheckOptions } from './checked.ts'
import {
  DERIVED_KINDS,
  type DerivedKind,
  differenceOf,
  type Sides,
  strayEntries,
  suspects
} from './compare.ts'
import type { CheckNumbers, RowDifference } from './difference.ts'
import { logPages, readable, scanLog, sequenceOf } from './log-scan.ts'
import { LostBlocks } from './lost-blocks.ts'
import { Scratch } from './scratch.ts'
import { StateCheck } from './state-check.ts'
import { type CheckParts, Turns } from './turns.ts'
import { WaitingRows } from './waiting-rows.ts'

/** Nodes and bytes that are merged into the scratch state at once. */
const NODES_MAX = 256
const BYTES_MAX = 2 * 1024 * 1024
/** How often all rows are compared. Mending may go on for as long as commits are made of rows that are damaged. */
const PASSES_MAX = 8

const HEADS = DERIVED_KINDS.find(({ kind }) => kind === 'head') as DerivedKind
/** What a replica has in memory, beside the state row. */
const LOADED_KINDS = DERIVED_KINDS.filter(({ kind }) => kind === 'gap' || kind === 'head')
const OTHER_KINDS = DERIVED_KINDS.filter((kind) => !LOADED_KINDS.includes(kind))

export class Check {
  readonly #store: CheckedStore
  readonly #options: CheckOptions
  readonly #turns: Turns
  readonly #parts: CheckParts
  readonly #sides: Sides
  readonly #numbers: CheckNumbers = { nodes: 0, nodesTotal: 0, rows: 0 }
  #scratch: Scratch
  #next = 1

  private constructor(store: CheckedStore, options: CheckOptions) {
    this.#store = store
    this.#options = options
    this.#turns = new Turns(store, options)
    this.#parts = { store, options, turns: this.#turns }
    this.#scratch = this.#newScratch()
    this.#sides = {
      ...{ rows: store.rows, live: store.layout, derived: this.#scratch.layout },
      onRows: async (count) => {
        this.#numbers.rows += count
        options.onProgress({ ...this.#numbers })
        await store.breathe()
      }
    }
  }

  /** @returns whether everything could be compared: no block is lost. */
  static async run(store: CheckedStore, options: CheckOptions): Promise<boolean> {
    const check = new Check(store, options)
    let isWhole: boolean
    try {
      isWhole = await check.#run()
    } catch (error) {
      // Why it failed matters more than what fails after it.
      await check.#finish().catch(() => {})
      throw error
    }
    await check.#finish()
    return isWhole
  }

  async #run(): Promise<boolean> {
    await this.#deriveAll()
    const lost = new LostBlocks({
      ...this.#parts,
      scratch: this.#scratch,
      catchUp: async () => this.#catchUp()
    })
    if ((await lost.seeTo()) > 0) {
      await this.#checkEntries(false)
      return false
    }
    if (lost.putBack > 0) await this.#deriveAll()
    const isPurging = await this.#isPurging()
    const state = new StateCheck({ ...this.#parts, scratch: this.#scratch, isPurging })
    for (let pass = 1; pass <= PASSES_MAX; pass++) {
      const written = this.#turns.rowsWritten
      await this.#compare(state)
      if (this.#turns.rowsWritten === written) break
    }
    return true
  }

  async #finish(): Promise<void> {
    try {
      if (this.#turns.rowsWritten > 0) await this.#turns.take(async () => this.#store.reload())
    } finally {
      await this.#scratch.clear(() => this.#store.rest())
    }
  }

  #newScratch(): Scratch {
    const store = this.#store
    return new Scratch(store, async (sequence) => {
      for await (const entry of scanLog(store, sequence, sequence)) if ('bytes' in entry) return entry.bytes
      return undefined
    })
  }

  /** Derives the state from the first node on. */
  async #deriveAll(): Promise<void> {
    await this.#store.breathe()
    await this.#scratch.clear(() => this.#store.breathe())
    this.#scratch = this.#newScratch()
    const end = this.#end
    const { ranges, rowCount } = await logPages(this.#store, end, () => this.#store.breathe())
    this.#numbers.nodesTotal += rowCount
    for (const { from, to } of ranges) await this.#derive(from, to)
    this.#next = end + 1
  }

  /** Beyond it a replica will write its own nodes, whatever is there. */
  get #end(): number {
    return this.#store.memory()?.committed.sequence ?? Number.MAX_SAFE_INTEGER
  }

  /** Merges nodes into the scratch state. */
  async #derive(from: number, to: number): Promise<void> {
    let nodes: LoggedNode[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      await this.#scratch.apply(await this.#placed(nodes))
      this.#numbers.nodes += nodes.length
      this.#numbers.nodesTotal = Math.max(this.#numbers.nodesTotal, this.#numbers.nodes)
      this.#options.onProgress({ ...this.#numbers })
      nodes = []
      bytes = 0
    }
    for await (const entry of scanLog(this.#store, from, to)) {
      if ('bytes' in entry) {
        nodes.push(entry)
        bytes += entry.bytes.length
        if (nodes.length >= NODES_MAX || bytes >= BYTES_MAX) await flush()
      } else this.#numbers.nodesTotal -= 1
      await this.#store.breathe()
    }
    if (nodes.length > 0) await flush()
  }

  /** Leaves out entries whose node stands in the log where its own row says. */
  async #placed(nodes: readonly LoggedNode[]): Promise<LoggedNode[]> {
    const { rows, layout } = this.#store
    const names = nodes.map(({ id }) => layout.applied(id))
    const values = await rows.getMany(names)
    const placed: LoggedNode[] = []
    for (const [index, node] of nodes.entries()) {
      const value = values[index]
      const applied = value === undefined ? undefined : readable(() => decodeApplied('', value))
      const place = applied === undefined || applied instanceof Error ? node.sequence : applied.sequence
      if (place === node.sequence || !(await this.#isAt(place, node.id))) placed.push(node)
    }
    return placed
  }

  async #isAt(sequence: number, id: BlockId): Promise<boolean> {
    if (sequence < 1 || sequence > this.#end) return false
    for await (const entry of scanLog(this.#store, sequence, sequence))
      return 'bytes' in entry && entry.id === id
    return false
  }

  /** Derives what was committed meanwhile. */
  async #catchUp(): Promise<void> {
    const to = this.#store.memory()?.committed.sequence ?? 0
    if (to < this.#next) return
    await this.#derive(this.#next, to)
    this.#next = to + 1
  }

  /** Runs a task when no commit is under way and both sides have the same nodes. */
  async #inStep<T>(task: () => Promise<T>): Promise<T> {
    // Writes wait for a turn, so most of what came meanwhile is derived before it.
    await this.#catchUp()
    return await this.#turns.take(async () => {
      await this.#catchUp()
      return await task()
    })
  }

  /** One pass over all rows. */
  async #compare(state: StateCheck): Promise<void> {
    const { mend } = this.#options
    // What a purge that was cut off leaves open is written by its end.
    const isOpen = !mend && (await this.#isPurging())
    if (!isOpen) for (const kind of LOADED_KINDS) await this.#compareKind(kind)
    // What commits count with has to be right before they build on rows that were mended.
    if (mend) await this.#inStep(async () => this.#checkState(state))
    for (const kind of OTHER_KINDS) await this.#compareKind(kind)
    await this.#checkEntries(mend)
    const waiting = new WaitingRows({ ...this.#parts, sides: this.#sides })
    await waiting.check()
    state.clockOfWaiting = waiting.clock
    await this.#inStep(async () => this.#checkState(state))
  }

  async #compareKind(kind: DerivedKind): Promise<void> {
    for await (const rows of suspects(this.#sides, kind)) {
      await this.#inStep(async () => this.#confirm(kind, rows))
    }
  }

  async #checkState(state: StateCheck): Promise<void> {
    // Commits that came after the heads were compared wrote them as they had them in memory.
    if (this.#options.mend) await this.#compareKind(HEADS)
    await state.check()
  }

  async #confirm(kind: DerivedKind, rows: readonly string[]): Promise<void> {
    const changes = new ChangeSet()
    for (const row of rows) {
      const found = await differenceOf(this.#sides, kind, row)
      if (found === undefined) continue
      const { expected, ...difference } = found
      if (expected === undefined) changes.delete(row)
      else changes.put(row, expected)
      this.#turns.tell(difference, this.#options.mend)
    }
    if (this.#options.mend) await this.#turns.write(changes)
  }

  /** Rows of the log that hold no node, or one that stands elsewhere in the log. */
  async #checkEntries(mend: boolean): Promise<void> {
    for await (const rows of strayEntries(this.#sides)) {
      await this.#inStep(async () => {
        const changes = new ChangeSet()
        for (const row of rows) {
          const difference = await this.#entryDifference(row)
          if (difference === undefined) continue
          changes.delete(row)
          this.#turns.tell(difference, mend)
        }
        if (mend) await this.#turns.write(changes)
      })
    }
  }

  async #entryDifference(row: string): Promise<RowDifference | undefined> {
    const { rows, layout } = this.#store
    const [derived, live] = await rows.getMany([this.#scratch.layout.rebase(row, layout), row])
    if (derived !== undefined || live === undefined) return undefined
    const sequence = sequenceOf(layout, row)
    const extra = { kind: 'block', problem: 'extra', row } as const
    if (sequence === undefined) return { ...extra, detail: 'its key has no sequence number' }
    if (sequence >= this.#next) return { ...extra, detail: 'it is beyond the end of the log' }
    for await (const entry of scanLog(this.#store, sequence, sequence)) {
      const { id } = entry
      const about = id === undefined ? {} : { id }
      if (!('bytes' in entry)) return { ...extra, problem: 'wrong', ...about, detail: entry.detail }
      const other = await this.#scratch.stores.log.applied(entry.id)
      if (other === undefined) return undefined
      return { ...extra, ...about, detail: `the node has the sequence number ${other.sequence}` }
    }
    return undefined
  }

  /** Whether the purge of any DAG was cut off and goes on at the next start. */
  async #isPurging(): Promise<boolean> {
    const { rows, layout } = this.#store
    for await (const { row, value } of rows.scan(layout.ignored)) {
      const ignored = readable(() => decodeIgnored(row, value))
      if (!(ignored instanceof Error) && !ignored.purged) return true
    }
    return false
  }
}
