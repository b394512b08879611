/**
 * From hearing of heads that have to be fetched until everything heard of is merged or given up: one
 * synchronisation, whoever it comes from.
 *
 * Invariants: start, progress and end alternate in this order; what arrives whole with its announcement and can be
 * merged at once is no synchronisation.
 */
import type { ReplicaCounters } from './counters.ts'
import type { ReplicaListener, SyncNumbers } from './listener.ts'
import type { Clock, PeerName } from './ports.ts'

export interface SyncTrackerInit {
  clock: Clock
  counters: Readonly<ReplicaCounters>
  listener: ReplicaListener
  /** Whether nothing that was heard of is outstanding. */
  isLevel(): boolean
  pending(): number
  wanted(): number
}

export class SyncTracker {
  readonly #init: SyncTrackerInit
  #began: { at: number; nodes: number; droppedHeads: number } | undefined

  constructor(init: SyncTrackerInit) {
    this.#init = init
  }

  /** Something has to be fetched. */
  wanted(from: PeerName): void {
    const { clock, counters, listener } = this.#init
    if (this.#began !== undefined) return
    this.#began = { at: clock.now(), nodes: counters.remoteNodes, droppedHeads: counters.droppedHeads }
    listener.syncStarted(from)
  }

  /** Remote nodes were merged. */
  merged(): void {
    if (this.#began !== undefined) this.#init.listener.syncProgressed(this.#numbers(this.#began))
  }

  /** Something was merged, dropped or given up. @returns whether a synchronisation ended by it. */
  settled(): boolean {
    if (this.#began === undefined || !this.#init.isLevel()) return false
    const numbers = this.#numbers(this.#began)
    this.#began = undefined
    this.#init.listener.syncEnded(numbers)
    return true
  }

  #numbers(began: { at: number; nodes: number; droppedHeads: number }): SyncNumbers {
    const { clock, counters, pending, wanted } = this.#init
    return {
      nodes: counters.remoteNodes - began.nodes,
      pending: pending(),
      wanted: wanted(),
      droppedHeads: counters.droppedHeads - began.droppedHeads,
      elapsedMs: clock.now() - began.at
    }
  }
}
