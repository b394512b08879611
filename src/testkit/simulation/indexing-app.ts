/**
 * An app on a replica that keeps an index of all keys by `watch`, remembers how far it came, and goes on from there after
 * a restart: what somebody does who must not miss how a key ended.
 *
 * Invariants: the index and the sequence number that it is good for are kept together, over crashes of the replica too;
 * when the numbers mean something else, because the disk is another or a DAG was purged, it begins anew.
 */
import type { Random } from '../../replica/ports.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'

/** The longest that it takes over one change, in virtual milliseconds. */
const CHANGE_MS_MAX = 40

export class IndexingApp {
  readonly replica: SimulatedReplica
  readonly #random: Random
  #index = new Map<string, Uint8Array>()
  #since = 0
  /** Changes once for every loop, so that one that was left hanging touches nothing any more. */
  #loop = 0
  /** What a loop failed with, which nothing explains. */
  readonly failures: unknown[] = []

  constructor(replica: SimulatedReplica, random: Random) {
    this.replica = replica
    this.#random = random
  }

  /** Begins to follow the process that runs, from where it came to. */
  follow(): void {
    void this.#run(++this.#loop).catch((error: unknown) => {
      // The watch of a store that is closed ends; one of a store that failed cannot go on.
      if (this.replica.isRunning && !isEndOfStore(error)) this.failures.push(error)
    })
  }

  /** Forgets everything, since sequence numbers mean something else from here on. */
  beginAnew(): void {
    this.#index = new Map()
    this.#since = 0
    this.#loop++
  }

  /** The index, as it is now. */
  index(): ReadonlyMap<string, Uint8Array> {
    return this.#index
  }

  async #run(loop: number): Promise<void> {
    const { store, world } = this.replica
    for await (const { key, value, sequence } of store.watch({ since: this.#since })) {
      if (loop !== this.#loop) return
      const ms = this.#random() < 0.3 ? this.#random() * CHANGE_MS_MAX : 0
      if (ms > 0) await new Promise<void>((resolve) => void world.clock.setTimeout(resolve, ms))
      // The process may have died meanwhile, and with it what it had not handled.
      if (loop !== this.#loop) return
      if (value === undefined) this.#index.delete(key.toString())
      else this.#index.set(key.toString(), value)
      // A node with many keys makes many changes of one number, and it may be cut off among them.
      this.#since = sequence - 1
    }
  }
}

function isEndOfStore(error: unknown): boolean {
  return error instanceof Error && /^(ClosedError|NotStartedError|StoreFailedError)$/.test(error.name)
}
