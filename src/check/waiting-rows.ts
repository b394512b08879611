/**
 * Blocks that wait for their ancestors, and heads that are wanted. They are no part of the state, so one that is gone
 * is not missed here: peers say it again.
 */
import { blockIdOf, parseBlockId } from '../codec/block-id.ts'
import type { ReceivedBlock } from '../replica/ports.ts'
import { ChangeSet } from '../storage/commit.ts'
import { decodePending, encodePending, PRESENT } from '../storage/rows.ts'
import type { Sides } from './compare.ts'
import type { RowDifference } from './difference.ts'
import { readable } from './log-scan.ts'
import type { CheckParts } from './turns.ts'

export interface WaitingRowsInit extends CheckParts {
  sides: Sides
}

export class WaitingRows {
  /** The greatest priority of the blocks that wait. */
  clock = 0n
  readonly #init: WaitingRowsInit

  constructor(init: WaitingRowsInit) {
    this.#init = init
  }

  async check(): Promise<void> {
    const { rows, layout } = this.#init.store
    for await (const { row, value } of rows.scan(layout.pending)) {
      await this.#init.sides.onRows(1)
      if (await this.#isPending(row, value)) continue
      const fetched = await this.#fetch(layout.idOf(row))
      await this.#inTurn(row, async (still) => {
        if (!(await this.#isPending(row, still))) await this.#mendPending(row, still, fetched)
      })
    }
    for await (const { row, value } of rows.scan(layout.wanted)) {
      await this.#init.sides.onRows(1)
      if (this.#isWanted(row, value)) continue
      await this.#inTurn(row, async (still) => {
        if (!this.#isWanted(row, still)) await this.#mendWanted(row)
      })
    }
  }

  async #inTurn(row: string, task: (value: Uint8Array) => Promise<void>): Promise<void> {
    const { store, turns } = this.#init
    await turns.take(async () => {
      const value = await store.rows.get(row)
      if (value !== undefined) await task(value)
    })
  }

  async #isPending(row: string, value: Uint8Array): Promise<boolean> {
    const { layout, codec } = this.#init.store
    const id = layout.idOf(row)
    const pending = readable(() => decodePending(row, value))
    if (pending instanceof Error || layout.pendingBlock(id) !== row) return false
    if ((await blockIdOf(pending.bytes)) !== id) return false
    const { priority } = codec.decode(id, pending.bytes).delta
    if (priority > this.clock) this.clock = priority
    return true
  }

  /** A replica that runs counts on the row, so there it is put back or left; at a start its branch is fetched anew. */
  async #mendPending(row: string, value: Uint8Array, fetched: ReceivedBlock | undefined): Promise<void> {
    const { layout, memory } = this.#init.store
    const id = parseBlockId(layout.idOf(row))
    const changes = new ChangeSet()
    if (id === undefined || layout.pendingBlock(id) !== row) {
      changes.delete(row)
      return await this.#mend({ kind: 'pending', problem: 'extra', row }, changes)
    }
    const pending = readable(() => decodePending(row, value))
    if (fetched !== undefined) {
      const { from } = pending instanceof Error ? fetched : pending
      changes.put(row, encodePending({ from, bytes: fetched.bytes }))
    } else if (memory() === undefined) changes.delete(row)
    await this.#mend({ kind: 'pending', problem: 'wrong', row, id }, changes)
  }

  async #fetch(text: string): Promise<ReceivedBlock | undefined> {
    const id = parseBlockId(text)
    if (!this.#init.options.mend || id === undefined) return undefined
    for await (const block of this.#init.store.fetch([id])) {
      if ((await blockIdOf(block.bytes)) === id) return block
    }
    return undefined
  }

  #isWanted(row: string, value: Uint8Array): boolean {
    const { layout } = this.#init.store
    const id = parseBlockId(layout.idOf(row))
    return id !== undefined && layout.wantedHead(id) === row && value.length === 1 && value[0] === PRESENT[0]
  }

  async #mendWanted(row: string): Promise<void> {
    const { layout } = this.#init.store
    const id = parseBlockId(layout.idOf(row))
    const changes = new ChangeSet()
    if (id === undefined || layout.wantedHead(id) !== row) {
      changes.delete(row)
      return await this.#mend({ kind: 'wanted', problem: 'extra', row }, changes)
    }
    changes.put(row, PRESENT)
    await this.#mend({ kind: 'wanted', problem: 'wrong', row, id }, changes)
  }

  async #mend(difference: RowDifference, changes: ChangeSet): Promise<void> {
    const { turns, options } = this.#init
    const mends = options.mend && changes.rows.size > 0
    turns.tell(difference, mends)
    if (mends) await turns.write(changes)
  }
}
