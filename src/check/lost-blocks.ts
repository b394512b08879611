/**
 * Nodes that were applied and whose blocks are gone: looked for at peers, and put back or let go.
 *
 * Invariants: bytes that do not hash to the id are not believed; a block that comes back takes its old place in the
 * log, and never that of another node, whatever a damaged row says; what is lost is remembered on disk.
 */
import { blockIdOf, parseBlockId } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import { ChangeSet } from '../storage/commit.ts'
import { type AppliedRow, decodeApplied, encodeLog } from '../storage/rows.ts'
import { inHands } from './compare.ts'
import type { RowDifference } from './difference.ts'
import { readable } from './log-scan.ts'
import type { Scratch } from './scratch.ts'
import { SEQUENCE_AHEAD_MAX } from './state-detail.ts'
import type { CheckParts } from './turns.ts'

/** What is known of a node whose row in the store is damaged too. */
const UNKNOWN: AppliedRow = { sequence: 0, priority: 0n, dagName: '', origin: 'remote' }

const HOLES_HAND = 256

export interface LostBlocksInit extends CheckParts {
  scratch: Scratch
  /** Derives what was committed meanwhile. */
  catchUp(): Promise<void>
}

export class LostBlocks {
  readonly #init: LostBlocksInit
  /** Every sequence number before it is taken. */
  #hole = 1
  /** How many blocks were put back. */
  putBack = 0

  constructor(init: LostBlocksInit) {
    this.#init = init
  }

  /** @returns how many are still lost. */
  async seeTo(): Promise<number> {
    const { mend, forgetLostBlocks } = this.#init.options
    await this.#find()
    if (mend) await this.#fetch()
    let lost = 0
    for await (const { id, ...applied } of this.#init.scratch.lost()) {
      await this.#init.store.breathe()
      const forgets = mend && forgetLostBlocks
      const difference = await this.#difference(id, applied)
      if (forgets) await this.#forget(id)
      else lost += 1
      this.#init.turns.tell(
        { ...difference, detail: forgets ? 'forgotten: nobody has it' : 'it is lost' },
        forgets
      )
    }
    return lost
  }

  async #find(): Promise<void> {
    const { store, scratch, turns, catchUp } = this.#init
    const { rows, layout } = store
    const absent = async (names: readonly string[]): Promise<string[]> => {
      await store.breathe()
      const derived = await rows.getMany(names.map((name) => scratch.layout.rebase(name, layout)))
      return names.filter((_, index) => derived[index] === undefined)
    }
    for await (const names of inHands(rows.scanKeys(layout.appliedNodes), absent)) {
      await catchUp()
      await turns.take(async () => {
        await catchUp()
        const still = await absent(names)
        for (const [index, value] of (await rows.getMany(still)).entries()) {
          const row = still[index] as string
          const id = parseBlockId(layout.idOf(row))
          // A row that is about no node is one too many, and nothing is lost with it.
          if (value === undefined || id === undefined || layout.applied(id) !== row) continue
          const applied = readable(() => decodeApplied(row, value))
          await scratch.remember(id, applied instanceof Error ? UNKNOWN : applied)
        }
      })
    }
  }

  async #fetch(): Promise<void> {
    const { store, scratch, turns } = this.#init
    let asked = new Map<BlockId, AppliedRow>()
    const fetch = async (): Promise<void> => {
      for await (const { bytes } of store.fetch([...asked.keys()])) {
        const id = await blockIdOf(bytes)
        const applied = asked.get(id)
        if (applied === undefined || !asked.delete(id)) continue
        const difference = await this.#difference(id, applied)
        const isBack = await this.#putBack(id, bytes, applied.sequence)
        if (isBack) turns.tell({ ...difference, detail: 'fetched from a peer' }, true)
        if (asked.size === 0) break
      }
      asked = new Map()
    }
    for await (const { id, ...applied } of scratch.lost()) {
      asked.set(id, applied)
      if (asked.size >= store.fetchIdsMax) await fetch()
    }
    if (asked.size > 0) await fetch()
  }

  /** @returns false if there is no place for it in the log. */
  async #putBack(id: BlockId, bytes: Uint8Array, claimed: number): Promise<boolean> {
    const { store, scratch, turns } = this.#init
    const { blocks, layout } = store
    return await turns.take(async () => {
      const sequence = (await this.#isFree(claimed)) ? claimed : await this.#freeSequence()
      if (sequence === undefined) return false
      await blocks?.put(id, bytes)
      const changes = new ChangeSet()
      changes.put(layout.log(sequence), encodeLog({ id, bytes: blocks === undefined ? bytes : undefined }))
      await turns.write(changes)
      await scratch.apply([{ id, bytes, sequence }])
      await scratch.forget(id)
      this.putBack += 1
      return true
    })
  }

  async #forget(id: BlockId): Promise<void> {
    const { layout } = this.#init.store
    const changes = new ChangeSet()
    // What is left of it in the log is found with all else there that is no node.
    for (const row of [layout.applied(id), layout.deferredNode(id)]) changes.delete(row)
    await this.#init.turns.write(changes)
    await this.#init.scratch.forget(id)
  }

  async #difference(id: BlockId, { sequence }: AppliedRow): Promise<RowDifference> {
    const { layout } = this.#init.store
    const row = (await this.#isFree(sequence)) ? layout.log(sequence) : layout.applied(id)
    return { kind: 'block', problem: 'missing', row, id }
  }

  /** Whether no node of the log has this number, and the writer will not give it. */
  async #isFree(sequence: number): Promise<boolean> {
    const { store, scratch } = this.#init
    if (sequence < 1 || sequence > this.#end) return false
    const [taken] = await store.rows.getMany([scratch.layout.log(sequence)])
    return taken === undefined
  }

  /** Where the log ends, and the writer goes on. Nobody goes on in a store that is not started. */
  get #end(): number {
    const { store, scratch } = this.#init
    return store.memory()?.committed.sequence ?? scratch.state.committed.sequence + SEQUENCE_AHEAD_MAX
  }

  async #freeSequence(): Promise<number | undefined> {
    const { store, scratch } = this.#init
    for (; this.#hole <= this.#end; this.#hole += HOLES_HAND) {
      const numbers = Array.from({ length: HOLES_HAND }, (_, index) => this.#hole + index)
      const taken = await store.rows.getMany(numbers.map((number) => scratch.layout.log(number)))
      const free = numbers.find((number, index) => taken[index] === undefined && number <= this.#end)
      if (free !== undefined) return free
    }
    return undefined
  }
}
