/**
 * The state row: counters, digest, clock, sequence and, where they are few, heads; and what a replica that runs has of
 * them in memory.
 */
import { ChangeSet } from '../storage/commit.ts'
import { decodeState, type StateRow } from '../storage/rows.ts'
import type { RowDifference } from './difference.ts'
import { readable } from './log-scan.ts'
import type { Scratch } from './scratch.ts'
import { type PurgePart, SEQUENCE_AHEAD_MAX, stateDetail } from './state-detail.ts'
import type { CheckParts } from './turns.ts'

export interface StateCheckInit extends CheckParts {
  scratch: Scratch
  /** Whether a purge was cut off. */
  isPurging: boolean
}

export class StateCheck {
  /** The greatest priority of any block that waits for its ancestors: the clock counts it. */
  clockOfWaiting = 0n
  readonly #init: StateCheckInit

  constructor(init: StateCheckInit) {
    this.#init = init
  }

  /** Only in a turn, where both sides have the same nodes. */
  async check(): Promise<void> {
    const { store, turns, options } = this.#init
    const bytes = await store.rows.get(store.layout.state)
    const row = bytes === undefined ? undefined : readable(() => decodeState(store.layout.state, bytes))
    const found = this.#differenceOf(row)
    if (found === undefined) return
    const about = found.detail === '' ? {} : { detail: found.detail }
    turns.tell({ kind: 'state', problem: found.problem, row: store.layout.state, ...about }, options.mend)
    if (!options.mend) return
    const changes = new ChangeSet()
    changes.put(store.layout.state, this.#mended(row instanceof Error ? undefined : row))
    await turns.write(changes)
    await store.reload()
  }

  #differenceOf(
    row: StateRow | Error | undefined
  ): (Pick<RowDifference, 'problem'> & { detail: string }) | undefined {
    const derived = this.#derived
    const memory = this.#init.store.memory()
    if (row === undefined) {
      // The first commit writes it.
      if (Math.max(derived.sequence, memory?.committed.sequence ?? 0) === 0) return undefined
      return { problem: 'missing', detail: '' }
    }
    if (row instanceof Error) return { problem: 'wrong', detail: 'it cannot be read' }
    const { isPurging, options } = this.#init
    const open: PurgePart[] = isPurging && !options.mend ? ['gaps', 'heads'] : []
    const detail = stateDetail(row, derived, open)
    if (detail !== '') return { problem: 'wrong', detail }
    if (memory === undefined) return undefined
    const { committed, clock, heads } = memory
    if (row.sequence !== committed.sequence || row.clock > clock) {
      return { problem: 'wrong', detail: 'it is not what the last commit wrote' }
    }
    const expected = { ...derived, heads: this.#init.scratch.stores.heads.list() }
    const inMemory = stateDetail({ ...committed, clock, heads }, expected, open)
    return inMemory === '' ? undefined : { problem: 'wrong', detail: `in memory: ${inMemory}` }
  }

  /** The row as it has to be. The clock and the sequence may be ahead of the log, and never go back. */
  #mended(row: StateRow | undefined): Uint8Array {
    const { scratch, store } = this.#init
    const derived = this.#derived
    const memory = store.memory()
    const sequence = memory?.committed.sequence ?? row?.sequence ?? 0
    const isSane = sequence <= derived.sequence + SEQUENCE_AHEAD_MAX
    const clock = memory?.clock ?? row?.clock ?? 0n
    return scratch.encodeState({
      ...derived,
      sequence: isSane ? Math.max(sequence, derived.sequence) : derived.sequence,
      clock: clock > derived.clock ? clock : derived.clock
    })
  }

  get #derived(): StateRow {
    const { committed } = this.#init.scratch.state
    const { clockOfWaiting } = this
    return { ...committed, clock: clockOfWaiting > committed.clock ? clockOfWaiting : committed.clock }
  }
}
