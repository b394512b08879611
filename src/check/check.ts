/**
 * Checks a store against its own log of nodes, and mends it.
 *
 * 1. Every block of the log is hashed and merged into a scratch state, in bounded memory.
 * 2. Nodes that were applied and have no block any more are looked for at peers. As long as one is lost the state
 *    cannot be derived, and nothing else is compared or mended, for what only that node says would be thrown away.
 * 3. Every derived row is compared with the store's.
 *
 * Invariants: writes and merges go on meanwhile; what counts as a difference was seen when no commit was under way
 * and scratch and store had the same nodes; what is mended becomes what the log says, in the same turn of the
 * writer in which it was seen.
 */
import { blockIdOf } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { ReceivedBlock } from '../replica/ports.ts'
import { ChangeSet, type Committer } from '../storage/commit.ts'
import type { LoggedNode } from '../storage/log-store.ts'
import { type AppliedRow, decodeApplied, decodePending, encodeLog, type StateRow } from '../storage/rows.ts'
import { DERIVED_KINDS, differenceOf, type Sides, suspects } from './compare.ts'
import type { CheckNumbers, RowDifference } from './difference.ts'
import { type LogParts, lastSequence, scanLog } from './log-scan.ts'
import { Scratch } from './scratch.ts'
import { stateDetail } from './state-detail.ts'

/** Nodes and bytes that are merged into the scratch state at once. */
const NODES_MAX = 256
const BYTES_MAX = 2 * 1024 * 1024

/** A store as a check sees it: one that runs, or one that could not even be opened. */
export interface CheckedStore extends LogParts {
  committer: Committer
  /** The state as it is; undefined where its row is gone or damaged. Its heads are complete. */
  state(): StateRow | undefined
  /** Runs a task when no commit is under way. */
  exclusively<T>(task: () => Promise<T>): Promise<T>
  /** Blocks from peers, as far as they have them. */
  fetch(ids: readonly BlockId[]): AsyncIterable<ReceivedBlock>
  /** How many ids may be asked for at once. */
  fetchIdsMax: number
  /** Rows were mended: whatever is in memory of them is read again. */
  reload(): Promise<void>
  /** Lets the rest of the program run, and throws where the check is to end. */
  breathe(): Promise<void> | undefined
}

export interface CheckOptions {
  mend: boolean
  /** Lets go of nodes whose blocks nobody has, as if they had never been applied. */
  forgetLostBlocks: boolean
  onDifference(difference: RowDifference, mended: boolean): void
  onProgress(numbers: CheckNumbers): void
}

export class Check {
  readonly #store: CheckedStore
  readonly #options: CheckOptions
  readonly #scratch: Scratch
  readonly #sides: Sides
  readonly #numbers: CheckNumbers = { nodes: 0, nodesTotal: 0, rows: 0 }
  #next = 1
  #mended = false
  #hasTurn = false

  private constructor(store: CheckedStore, options: CheckOptions, scratch: Scratch) {
    this.#store = store
    this.#options = options
    this.#scratch = scratch
    this.#sides = { rows: store.rows, live: store.layout, derived: scratch.layout }
  }

  /** @returns whether everything could be compared: no block is lost. */
  static async run(store: CheckedStore, options: CheckOptions): Promise<boolean> {
    const scratch = await Scratch.begin(store.rows, store.layout, async (sequence) => {
      for await (const entry of scanLog(store, sequence, sequence)) if ('bytes' in entry) return entry.bytes
      return undefined
    })
    try {
      return await new Check(store, options, scratch).#run()
    } finally {
      await scratch.clear()
    }
  }

  async #run(): Promise<boolean> {
    this.#numbers.nodesTotal = await lastSequence(this.#store)
    await this.#derive(this.#numbers.nodesTotal)
    const isWhole = await this.#seeToLostBlocks()
    if (isWhole) {
      for (const kind of DERIVED_KINDS) {
        for await (const rows of suspects(this.#sides, kind, (count) => this.#compared(count))) {
          await this.#store.breathe()
          await this.#inTurn(async () => this.#confirm(kind, rows))
        }
      }
      await this.#checkPending()
      await this.#inTurn(async () => this.#checkState())
    }
    if (this.#mended) await this.#inTurn(async () => this.#store.reload())
    return isWhole
  }

  /** Merges the nodes up to a sequence number, those that were not merged yet. */
  async #derive(to: number): Promise<void> {
    let nodes: LoggedNode[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      await this.#scratch.apply(nodes)
      this.#numbers.nodes += nodes.length
      this.#options.onProgress({ ...this.#numbers })
      nodes = []
      bytes = 0
    }
    for await (const entry of scanLog(this.#store, this.#next, to)) {
      if ('bytes' in entry) {
        nodes.push(entry)
        bytes += entry.bytes.length
        if (nodes.length >= NODES_MAX || bytes >= BYTES_MAX) await flush()
      } else await this.#removeBadEntry(entry)
      await this.#store.breathe()
    }
    if (nodes.length > 0) await flush()
    this.#next = Math.max(this.#next, to + 1)
  }

  /** Runs a task when no commit is under way; within another such task, at once. */
  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.#hasTurn) return await task()
    return await this.#store.exclusively(async () => {
      this.#hasTurn = true
      try {
        return await task()
      } finally {
        this.#hasTurn = false
      }
    })
  }

  /** Derives what was committed meanwhile. Only where no commit is under way. */
  async #catchUp(): Promise<void> {
    await this.#derive(this.#store.state()?.sequence ?? 0)
  }

  async #removeBadEntry({ row, id, detail }: { row: string; id?: BlockId; detail: string }): Promise<void> {
    const { mend } = this.#options
    const changes = new ChangeSet()
    changes.delete(row)
    if (mend) await this.#mend(changes)
    this.#tell({ kind: 'block', problem: 'wrong', row, ...(id === undefined ? {} : { id }), detail }, mend)
  }

  /** @returns whether there is none left. */
  async #seeToLostBlocks(): Promise<boolean> {
    const { rows, layout } = this.#store
    for await (const { row, value } of rows.scan(layout.appliedNodes)) {
      await this.#store.breathe()
      const id = layout.idOf(row)
      const applied = readApplied(row, value)
      // A damaged row is compared with the others later: if its node is in the log, nothing is lost.
      if (applied === undefined || (await this.#scratch.stores.log.applied(id)) !== undefined) continue
      await this.#inTurn(async () => {
        await this.#catchUp()
        const isHere = (await this.#scratch.stores.log.applied(id)) !== undefined
        // It may have been purged since it was read.
        const [still] = await rows.getMany([row])
        if (!isHere && still !== undefined) await this.#scratch.remember(id, applied)
      })
    }
    if (this.#options.mend) await this.#fetchLostBlocks()
    let lost = 0
    for await (const { id, ...applied } of this.#scratch.lost()) {
      const forgets = this.#options.mend && this.#options.forgetLostBlocks
      if (forgets) await this.#forget(id, applied)
      else lost += 1
      const detail = forgets ? 'forgotten: nobody has it' : 'nobody has it'
      this.#tell({ ...this.#lostBlock(id, applied), detail }, forgets)
    }
    return lost === 0
  }

  async #fetchLostBlocks(): Promise<void> {
    let asked = new Map<BlockId, AppliedRow>()
    const fetch = async (): Promise<void> => {
      for await (const { bytes } of this.#store.fetch([...asked.keys()])) {
        const id = await blockIdOf(bytes)
        const applied = asked.get(id)
        if (applied === undefined || !asked.delete(id)) continue
        await this.#putBack({ id, bytes, sequence: applied.sequence })
        this.#tell({ ...this.#lostBlock(id, applied), detail: 'fetched from a peer' }, true)
      }
      asked = new Map()
    }
    for await (const { id, ...applied } of this.#scratch.lost()) {
      asked.set(id, applied)
      if (asked.size >= this.#store.fetchIdsMax) await fetch()
    }
    if (asked.size > 0) await fetch()
  }

  async #putBack(node: LoggedNode): Promise<void> {
    const { blocks, layout } = this.#store
    const { id, bytes, sequence } = node
    await blocks?.put(id, bytes)
    const changes = new ChangeSet()
    changes.put(layout.log(sequence), encodeLog({ id, bytes: blocks === undefined ? bytes : undefined }))
    await this.#mend(changes)
    await this.#scratch.apply([node])
    await this.#scratch.forget(id)
  }

  async #forget(id: BlockId, { sequence }: AppliedRow): Promise<void> {
    const { layout } = this.#store
    const changes = new ChangeSet()
    for (const row of [layout.applied(id), layout.log(sequence), layout.deferredNode(id)]) changes.delete(row)
    await this.#mend(changes)
    await this.#scratch.forget(id)
  }

  async #confirm(kind: (typeof DERIVED_KINDS)[number], rows: readonly string[]): Promise<void> {
    await this.#catchUp()
    const changes = new ChangeSet()
    for (const row of rows) {
      const found = await differenceOf(this.#sides, kind, row)
      if (found === undefined) continue
      const { expected, ...difference } = found
      if (expected === undefined) changes.delete(row)
      else changes.put(row, expected)
      this.#tell(difference, this.#options.mend)
    }
    if (this.#options.mend && changes.rows.size > 0) await this.#write(changes)
  }

  /** Blocks that wait are no part of the state; a damaged one is dropped, and its branch is fetched anew. */
  async #checkPending(): Promise<void> {
    const { rows, layout } = this.#store
    for await (const { row, value } of rows.scan(layout.pending)) {
      this.#compared(1)
      if (await isPendingBlock(layout.idOf(row), row, value)) continue
      const changes = new ChangeSet()
      changes.delete(row)
      if (this.#options.mend) await this.#mend(changes)
      this.#tell({ kind: 'pending', problem: 'wrong', row }, this.#options.mend)
    }
  }

  async #checkState(): Promise<void> {
    await this.#catchUp()
    const { layout } = this.#store
    const state = this.#store.state()
    const derived = this.#scratch.state.committed
    const heads = this.#scratch.stores.heads.list()
    const detail = state === undefined ? undefined : stateDetail(state, { ...derived, heads })
    if (state === undefined && derived.sequence === 0) return
    if (detail === '' && !this.#mended) return
    if (detail !== '') {
      const problem = state === undefined ? 'missing' : 'wrong'
      const about = detail === undefined ? {} : { detail }
      this.#tell({ kind: 'state', problem, row: layout.state, ...about }, this.#options.mend)
    }
    if (!this.#options.mend) return
    const sequence = Math.max(state?.sequence ?? 0, derived.sequence)
    const clock = state !== undefined && state.clock > derived.clock ? state.clock : derived.clock
    const changes = new ChangeSet()
    changes.put(layout.state, this.#scratch.encodeState({ ...derived, sequence, clock }))
    for (const kind of DERIVED_KINDS.filter((one) => one.kind === 'head')) {
      // Commits that came after the heads were compared wrote them as they had them in memory.
      for await (const rows of suspects(this.#sides, kind, () => {})) await this.#confirm(kind, rows)
    }
    await this.#write(changes)
    await this.#store.reload()
  }

  #compared(count: number): void {
    this.#numbers.rows += count
    this.#options.onProgress({ ...this.#numbers })
  }

  #lostBlock(id: BlockId, { sequence }: AppliedRow): RowDifference {
    return { kind: 'block', problem: 'missing', row: this.#store.layout.log(sequence), id }
  }

  #tell(difference: RowDifference, mended: boolean): void {
    this.#options.onDifference(difference, mended)
  }

  async #mend(changes: ChangeSet): Promise<void> {
    await this.#inTurn(async () => this.#write(changes))
  }

  async #write(changes: ChangeSet): Promise<void> {
    this.#mended = true
    await this.#store.committer.commit(changes)
  }
}

function readApplied(row: string, value: Uint8Array): AppliedRow | undefined {
  try {
    return decodeApplied(row, value)
  } catch {
    return undefined
  }
}

async function isPendingBlock(id: BlockId, row: string, value: Uint8Array): Promise<boolean> {
  try {
    return (await blockIdOf(decodePending(row, value).bytes)) === id
  } catch {
    return false
  }
}
