/**
 * Whether a history comes more slowly than this replica could take it.
 *
 * The time that is spent waiting for frames does not tell it alone: while the main thread merges, frames wait for it and
 * not the other way round. So what was handed on has to be merged as well, but for what came last.
 *
 * Invariant: it looks back no further than to its last answer, so that it follows what a network does.
 */

export class Demand {
  readonly #bytesMin: number
  readonly #spanMsMin: number
  #waitedMs = 0
  #tookMs = 0
  #bytes = 0
  #blocks = 0

  /**
   * @param bytesMin - so many bytes tell.
   * @param spanMsMin - and so does whatever came within that time, so that a slow peer is found out early.
   */
  constructor(bytesMin: number, spanMsMin: number) {
    this.#bytesMin = bytesMin
    this.#spanMsMin = spanMsMin
  }

  /** Blocks were waited for, and taken. */
  add(blocks: readonly Uint8Array[], waitedMs: number, tookMs: number): void {
    this.#waitedMs += waitedMs
    this.#tookMs += tookMs
    this.#blocks += blocks.length
    for (const block of blocks) this.#bytes += block.length
  }

  /**
   * Whether the network is what is slow.
   *
   * @param unmerged - how many blocks were handed on and are not merged yet; asked for only where it matters.
   * @returns undefined while that cannot be told.
   */
  isUnmet(unmerged: () => number): boolean | undefined {
    if (this.#bytes < this.#bytesMin && this.#waitedMs + this.#tookMs < this.#spanMsMin) return undefined
    const isUnmet = this.#waitedMs > this.#tookMs && unmerged() <= this.#blocks
    this.#waitedMs = 0
    this.#tookMs = 0
    this.#bytes = 0
    this.#blocks = 0
    return isUnmet
  }
}
