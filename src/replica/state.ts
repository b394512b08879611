/**
 * The clock, the counters and the digest of a replica: one row, written anew by every commit.
 *
 * Invariant: everything but the clock is what the newest commit wrote. The clock may run ahead of it, because a
 * block counts from the moment it was received and verified; it becomes durable with the next commit.
 */
import { addHash, emptyDigest, subtractHash } from '../crdt/digest.ts'
import { observe } from '../crdt/merkle-clock.ts'
import { decodeState, encodeState, type StateRow, type StoredHead } from '../storage/rows.ts'

export class ReplicaState {
  #row: StateRow
  #clock: bigint
  /** The clock as the next start will find it. */
  #storedClock: bigint
  /** What the clock was when a block came that leaves nothing else on the disk. */
  #owedClock = 0n

  private constructor(row: StateRow) {
    this.#row = row
    this.#clock = row.clock
    this.#storedClock = row.clock
  }

  static load(rowKey: string, bytes: Uint8Array | undefined): ReplicaState {
    if (bytes !== undefined) return new ReplicaState(decodeState(rowKey, bytes))
    const digest = emptyDigest()
    const counters = { keys: 0, elements: 0, tombstones: 0, gaps: 0, deferred: 0 }
    return new ReplicaState({ clock: 0n, sequence: 0, digest, ...counters, heads: [] })
  }

  get committed(): Readonly<StateRow> {
    return this.#row
  }

  /** The greatest priority of any block received and verified. */
  get clock(): bigint {
    return this.#clock
  }

  /** Whether the clock has to be written for its own sake. */
  get isClockOwed(): boolean {
    return this.#owedClock > this.#storedClock
  }

  observe(priority: bigint): void {
    this.#clock = observe(this.#clock, priority)
  }

  /** A block that counted for the clock leaves no row whose commit would write it. */
  oweClock(): void {
    this.#owedClock = this.#clock
  }

  /** A copy for one commit to change. */
  stage(): StagedState {
    return new StagedState(this)
  }

  /** Takes a staged copy over, once it is durable. */
  adopt(staged: StagedState): void {
    this.#row = staged.row
    this.#storedClock = staged.row.clock
  }

  /** Takes over a row that was mended. The clock never goes back. */
  replace(row: StateRow): void {
    this.observe(row.clock)
    this.#row = row
    this.#storedClock = row.clock
  }

  /**
   * The row as it is now, with the clock as it is now: for commits that change nothing else of it.
   *
   * @returns its bytes, and what to call once they are durable.
   */
  encode(): { bytes: Uint8Array; stored(): void } {
    const clock = this.#clock
    const stored = (): void => {
      this.#storedClock = clock
    }
    return { bytes: encodeState({ ...this.#row, clock }), stored }
  }
}

/** The state as one commit will leave it. */
export class StagedState {
  readonly row: StateRow
  readonly #live: ReplicaState

  constructor(live: ReplicaState) {
    this.#live = live
    this.row = { ...live.committed, digest: live.committed.digest.slice() }
  }

  /** @param known - the number that the node has already, where the state is derived anew. */
  nextSequence(known = this.row.sequence + 1): number {
    this.row.sequence = Math.max(this.row.sequence, known)
    return known
  }

  elementCameAlive(hash: Uint8Array): void {
    addHash(this.row.digest, hash)
    this.row.elements += 1
  }

  elementCeased(hash: Uint8Array): void {
    subtractHash(this.row.digest, hash)
    this.row.elements -= 1
  }

  /** @param heads - those that the row has to hold; undefined where they have rows of their own. */
  encode(heads: readonly StoredHead[] | undefined): Uint8Array {
    this.row.heads = heads
    this.row.clock = this.#live.clock
    return encodeState(this.row)
  }
}
