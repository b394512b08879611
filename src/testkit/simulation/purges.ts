/**
 * DAGs that replicas of a simulation drop and take up again.
 *
 * Invariants: at the end every replica takes up whatever it dropped, so that all of them can become level; what a replica
 * dropped may have been the only copy, and its nodes come back in another order than they had.
 */
import type { SimulatedReplica } from '../simulated-replica.ts'

export class Purges {
  readonly #onPurge: (replica: string) => void
  readonly #dropped = new Map<string, Set<string>>()
  readonly #busy = new Map<string, number>()

  /** @param onPurge - nodes of this replica go. */
  constructor(onPurge: (replica: string) => void) {
    this.#onPurge = onPurge
  }

  /** Whether a purge is under way there, which others see half done. */
  isBusy(replica: string): boolean {
    return (this.#busy.get(replica) ?? 0) > 0
  }

  /** Begins to drop a DAG or to take it up, without waiting for it. */
  begin(replica: SimulatedReplica, what: 'purge' | 'resume', dagName: string): void {
    if (!replica.isRunning) return
    const { name, store } = replica
    if (what === 'resume') {
      store.dag.resume(dagName).catch(() => {})
      return
    }
    const dropped = this.#dropped.get(name) ?? new Set()
    this.#dropped.set(name, dropped.add(dagName))
    this.#onPurge(name)
    this.#busy.set(name, (this.#busy.get(name) ?? 0) + 1)
    const { deaths } = replica
    const ended = (isDone: boolean): void => {
      const left = (this.#busy.get(name) ?? 0) - (isDone ? 1 : 0)
      // A purge that a stop or a failing disk cut off goes on at the next start, and tells of what goes then.
      if (replica.deaths !== deaths || !replica.isRunning || left < 0) return
      if (left === 0) this.#busy.delete(name)
      else this.#busy.set(name, left)
      this.#onPurge(name)
    }
    store.dag.purge(dagName).then(
      () => ended(true),
      () => ended(false)
    )
  }

  /** Its next process is open: it has ended every purge that was under way when the one before was gone. */
  started(replica: string): void {
    if (this.#busy.delete(replica)) this.#onPurge(replica)
  }

  /** Takes up everything that the replica dropped. */
  async resumeAll({ name, store }: SimulatedReplica): Promise<void> {
    for (const dagName of this.#dropped.get(name) ?? []) await store.dag.resume(dagName)
  }
}
