/**
 * Some rows of a history, which one peer sends, and what of them was received and not handed on yet.
 *
 * Invariants: no batch that is added has more blocks than rows, as sessions see to, so that what comes for a span ends;
 * what it holds is bounded by whoever reads into it, and looks at `bytes` before each frame.
 */
import type { PeerName } from '../../replica/ports.ts'
import type { PulledBatch } from './client.ts'
import type { Seam } from './tail.ts'

export class Span {
  /** The first row. */
  readonly start: number
  /** The last row; `Infinity` for whatever there is. */
  end: number
  /** Who sends it, or sent it. */
  peer: PeerName | undefined
  /** The generation whose rows it is of, if it goes on where another stream ended: not every peer still has it. */
  generation: string | undefined
  /** How many rows early it begins. */
  overlap = 0
  /** Where it begins, once some of it was handed on. */
  seam: Seam | undefined
  isComplete = false
  /** Bytes that wait to be handed on. */
  bytes = 0
  readonly #batches: PulledBatch[] = []
  /** The last row that was received. */
  #row: number

  constructor(start: number, end: number) {
    this.start = start
    this.end = end
    this.#row = start - 1
  }

  /** The last row that was received, or the one before the start. */
  get position(): number {
    return Math.max(this.#row, this.start - 1)
  }

  get isDrained(): boolean {
    return this.#batches.length === 0
  }

  /** A peer begins to send it. @returns the row after which it is to begin. */
  begin(peer: PeerName, overlap: number): number {
    this.peer = peer
    this.overlap = Math.min(overlap, this.start - 1)
    this.#row = this.start - 1 - this.overlap
    return this.#row
  }

  /** Whether a batch says where in the history it belongs: not if the two found common ground, or began anew. */
  isPlaced({ cursor }: PulledBatch): boolean {
    return cursor !== undefined && (this.generation ?? cursor.generation) === cursor.generation
  }

  /**
   * Takes what came.
   *
   * @param isPlaced - whether the number of its last row tells its place.
   */
  add(batch: PulledBatch, isPlaced: boolean): void {
    const { cursor } = batch
    let { blocks } = batch
    if (isPlaced && cursor !== undefined) {
      const rows = cursor.sequence - this.#row
      // What goes beyond the end comes from elsewhere too. Where rows were left out it cannot be told from the others.
      if (rows === blocks.length) blocks = blocks.slice(0, rows - Math.max(0, cursor.sequence - this.end))
      this.#row = cursor.sequence
      if (this.#row >= this.end) this.isComplete = true
    }
    for (const block of blocks) this.bytes += block.length
    this.#batches.push({ ...batch, blocks })
  }

  /** The next of what waits. */
  take(): PulledBatch | undefined {
    const batch = this.#batches.shift()
    for (const block of batch?.blocks ?? []) this.bytes -= block.length
    return batch
  }

  /** Nothing more comes of it. @returns the rows that did not come; undefined if all did. */
  cutShort(): Span | undefined {
    if (this.isComplete) return undefined
    this.isComplete = true
    const rest = new Span(this.position + 1, this.end)
    this.end = this.position
    return rest
  }
}
