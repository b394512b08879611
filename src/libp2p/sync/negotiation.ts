/**
 * The asker's side of finding common ground: what to offer, and what to offer next.
 *
 * First the heads, and nodes at doubling distances from the end of its own log, of which a replica that shares any
 * history is likely to know one. Then nodes spread evenly over those rows that are neither below what is known to be
 * common nor newer than what is known not to be; each round leaves a fraction of them.
 *
 * Invariants: a node above a gap is never offered; the number of rounds grows with the logarithm of what is not
 * common, and never passes `syncRoundsMax`. Finding less common ground than there is costs bandwidth only.
 */

import { breather } from '../../breather.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { Limits } from '../../options.ts'
import type { Clock, PeerClaim, ReplicaView } from '../../replica/ports.ts'
import { rowsNotBelow } from './common-ground.ts'

/** What one Want offers. */
export interface Offer {
  have: BlockId[]
  samples: BlockId[]
  /** Nothing better will be offered. */
  final: boolean
}

/** What a negotiation works with. */
export interface NegotiationInit {
  view: ReplicaView
  /** What the peer said of itself. */
  claim: PeerClaim
  limits: Limits
  clock: Clock
  /** Throws if nobody waits for the result any more. */
  throwIfAborted(): void
}

/** With so few rows left, sending some that the other has is cheaper than another round. */
const ROWS_LEFT_MAX = 64

interface OfferedNode {
  id: BlockId
  sequence: number
}

/** Rows of which it is not known whether the other has them. */
interface RowsInDoubt {
  count: number
  /** So many of them, evenly spread. */
  spread(samples: number): number[]
}

/** The other side would not wait as long as a search takes. */
class OutOfTime extends Error {
  override name = 'OutOfTime'
}

export class Negotiation {
  readonly #init: NegotiationInit
  readonly #breathe: () => Promise<void> | undefined
  /** The log as of the beginning: its end, its heads, and the row from which on nothing may be offered. */
  readonly #top: number
  readonly #heads: BlockId[]
  readonly #limit: number
  /** The last offer, in its order. */
  #offered: OfferedNode[] = []
  readonly #common = new Map<BlockId, number>()
  #newestCommon = 0
  readonly #unknown = new Set<number>()
  #rowsLeft = Number.POSITIVE_INFINITY
  #rounds = 0
  #deadline = Number.POSITIVE_INFINITY

  constructor(init: NegotiationInit) {
    const { sequence, heads } = init.view.snapshot()
    this.#init = init
    this.#top = sequence
    this.#heads = heads.map(({ id }) => id)
    this.#limit = Math.min(init.view.commonGroundLimit(), sequence + 1)
    this.#breathe = breather(init.clock, () => {
      init.throwIfAborted()
      if (init.clock.now() > this.#deadline) throw new OutOfTime()
    })
  }

  /** What to offer first. From an empty log that is nothing. */
  async first(): Promise<Offer> {
    this.#rounds = 1
    const newest = this.#limit - 1
    const have = await this.#headsInCommon()
    const rows: number[] = newest > 0 ? [newest] : []
    for (let distance = 1; distance < newest; distance *= 2) rows.push(newest - distance)
    return this.#offer(have, await this.#nodesAt(rows, new Set(have.map(({ id }) => id))))
  }

  /**
   * What to offer next.
   *
   * @param known - indexes of the last offer, of nodes that the other has too.
   */
  async next(known: readonly number[]): Promise<Offer> {
    this.#learn(new Set(known))
    const { syncRoundsMax, syncSamplesMax, syncIdleTimeoutMs } = this.#init.limits
    if (++this.#rounds >= syncRoundsMax) return this.#offer([], [])
    this.#deadline = this.#init.clock.now() + syncIdleTimeoutMs / 2
    try {
      const rows = await this.#rowsInDoubt()
      const shrinking = rows.count <= this.#rowsLeft / 2
      this.#rowsLeft = rows.count
      if (rows.count <= ROWS_LEFT_MAX || !shrinking) return this.#offer([], [])
      return this.#offer([], await this.#nodesAt(rows.spread(syncSamplesMax), new Set()))
    } catch (error) {
      if (!(error instanceof OutOfTime)) throw error
      return this.#offer([], [])
    }
  }

  #learn(known: ReadonlySet<number>): void {
    for (const [index, { id, sequence }] of this.#offered.entries()) {
      if (known.has(index)) {
        this.#common.set(id, sequence)
        this.#newestCommon = Math.max(this.#newestCommon, sequence)
      } else this.#unknown.add(sequence)
    }
  }

  #offer(have: OfferedNode[], samples: OfferedNode[]): Offer {
    this.#offered = [...have, ...samples]
    return {
      have: have.map(({ id }) => id),
      samples: samples.map(({ id }) => id),
      final: this.#offered.length === 0
    }
  }

  /** Our heads, and those heads of the other that are here. */
  async #headsInCommon(): Promise<OfferedNode[]> {
    const { view, claim, limits } = this.#init
    const candidates = new Set([...claim.heads.map(({ id }) => id), ...this.#heads])
    const found: OfferedNode[] = []
    for (const id of candidates) {
      if (found.length >= limits.helloHeadsMax) break
      const sequence = await view.sequenceOf(id)
      if (sequence !== undefined && sequence < this.#limit) found.push({ id, sequence })
      await this.#breathe()
    }
    return found
  }

  /** Rows that are not known to be common, and older than the oldest not common that follows something common. */
  async #rowsInDoubt(): Promise<RowsInDoubt> {
    let end = this.#limit
    for (const row of this.#unknown) if (row > this.#newestCommon && row < end) end = row
    // With nothing in common every row is in doubt, and none has to be read to know it.
    if (this.#common.size === 0) {
      const count = Math.max(0, end - 1)
      return { count, spread: (samples) => ranks(samples, count).map((rank) => rank + 1) }
    }
    const found = await rowsNotBelow({
      log: this.#init.view,
      top: this.#top,
      heads: this.#heads,
      common: this.#common,
      ignoredDags: new Set(this.#init.claim.ignoredDags),
      breathe: this.#breathe
    })
    const inDoubt = (row: number): boolean => row < end && !this.#unknown.has(row)
    let count = 0
    for (const row of found) if (inDoubt(row)) count++
    const spread = (samples: number): number[] => {
      const chosen = new Set(ranks(samples, count))
      let rank = 0
      return [...found].filter((row) => inDoubt(row) && chosen.has(rank++))
    }
    return { count, spread }
  }

  async #nodesAt(rows: readonly number[], without: ReadonlySet<BlockId>): Promise<OfferedNode[]> {
    const found: OfferedNode[] = []
    for (const row of rows) {
      if (found.length >= this.#init.limits.syncSamplesMax) break
      // A purged DAG leaves holes in the log: a hole is just no sample.
      for await (const { id, sequence } of this.#init.view.readLog(row, row)) {
        if (!without.has(id)) found.push({ id, sequence })
      }
      await this.#breathe()
    }
    return found
  }
}

/** So many numbers below `count`, evenly spread, and neither the first nor the last. */
function ranks(samples: number, count: number): number[] {
  return Array.from({ length: samples }, (_, index) => Math.floor(((index + 1) * count) / (samples + 1)))
}
