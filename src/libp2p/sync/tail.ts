/**
 * The last blocks that were handed on, to see whether what another peer sends goes on where they end.
 *
 * Peers that have the same nodes have them in nearly the same order, but for branches that were written at the same time.
 * So each span begins some rows early. A peer whose log has another order is found out by these rows, and nodes that
 * are out of place by less than so many rows are not lost between two spans.
 *
 * Invariant: what is kept is bounded, in blocks and in bytes.
 */
import { blockIdOf } from '../../codec/block-id.ts'
import type { BlockId } from '../../crdt/delta.ts'

/** The most rows that overlap. */
export const OVERLAP_ROWS_MAX = 64

/** Where one span ends and another begins: the blocks that the first ended with, and how many the second has of them. */
export class Seam {
  readonly #known: ReadonlySet<BlockId>
  #left: number
  #isSeen = false

  /**
   * @param known - the blocks that the first ended with.
   * @param overlap - how many rows early the second begins.
   */
  constructor(known: ReadonlySet<BlockId>, overlap: number) {
    this.#known = known
    this.#left = known.size === 0 ? 0 : overlap
  }

  /**
   * Takes the next blocks of the second.
   *
   * @returns those that are not known; undefined if it does not go on where the first ends.
   */
  async take(blocks: readonly Uint8Array[]): Promise<readonly Uint8Array[] | undefined> {
    if (this.#left === 0) return blocks
    const first = blocks.slice(0, this.#left)
    this.#left -= first.length
    const rest: Uint8Array[] = []
    for (const block of first) if (!this.#known.has(await blockIdOf(block))) rest.push(block)
    const matches = first.length - rest.length
    // A quarter, because where rows are not sent, as those of ignored DAGs, what does not overlap comes soon.
    if (!this.#isSeen && (matches === 0 || matches * 4 < first.length)) return undefined
    this.#isSeen = true
    return [...rest, ...blocks.slice(first.length)]
  }
}

export class Tail {
  readonly #bytesMax: number
  /** The ids of those that would take too much room; they come before the others. */
  #ids: BlockId[] = []
  #blocks: Uint8Array[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#ids.length + this.#blocks.length === 0
  }

  clear(): void {
    this.#ids = []
    this.#blocks = []
    this.#bytes = 0
  }

  /** These were handed on. Most are forgotten before anybody asks for their ids, so that only large ones are hashed. */
  async keep(blocks: readonly Uint8Array[]): Promise<void> {
    for (const block of blocks.slice(-OVERLAP_ROWS_MAX)) {
      this.#blocks.push(block)
      this.#bytes += block.length
    }
    while (this.#ids.length + this.#blocks.length > OVERLAP_ROWS_MAX) {
      if (this.#ids.shift() === undefined) this.#bytes -= this.#blocks.shift()?.length ?? 0
    }
    while (this.#bytes > this.#bytesMax) {
      const block = this.#blocks.shift() ?? new Uint8Array()
      this.#bytes -= block.length
      this.#ids.push(await blockIdOf(block))
    }
  }

  /** Where a span begins that is to go on here. */
  async seam(overlap: number): Promise<Seam> {
    const known = new Set(this.#ids)
    for (const block of this.#blocks) known.add(await blockIdOf(block))
    return new Seam(known, overlap)
  }
}
