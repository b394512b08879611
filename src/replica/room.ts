/**
 * The room in memory for blocks that were verified and not yet written: whoever brings more has to wait.
 */

/**
 * What a block takes in memory beside its bytes, and most blocks are much smaller than this: a kilobyte decoded and
 * queued, and as garbage the more the longer it waits, since what outlives two collections of young garbage stays until a
 * full one. This makes a queue of thirteen hundred small blocks, which is five commits. A longer one makes a catch-up no
 * faster: where a block counted as one kilobyte, 20,000 deltas took 4% to 9% more memory.
 */
export const BLOCK_OVERHEAD_BYTES = 6 * 1024

export class Room {
  readonly #bytesMax: number
  #bytes = 0
  #closed = false
  #freed: PromiseWithResolvers<void> | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /**
   * Waits until there is room for more; it may be exceeded by what each of those who waited brings.
   *
   * @returns undefined where there is room now, as there nearly always is.
   */
  wait(): Promise<void> | undefined {
    return this.#isFull ? this.#untilFreed() : undefined
  }

  take(blockBytes: number): void {
    this.#bytes += blockBytes + BLOCK_OVERHEAD_BYTES
  }

  free(blockBytes: number): void {
    this.#bytes -= blockBytes + BLOCK_OVERHEAD_BYTES
    if (this.#bytes <= this.#bytesMax) this.#wake()
  }

  /** Lets whoever waits go on: nothing more is taken. */
  close(): void {
    this.#closed = true
    this.#wake()
  }

  get #isFull(): boolean {
    return this.#bytes > this.#bytesMax && !this.#closed
  }

  async #untilFreed(): Promise<void> {
    while (this.#isFull) {
      this.#freed ??= Promise.withResolvers()
      await this.#freed.promise
    }
  }

  #wake(): void {
    this.#freed?.resolve()
    this.#freed = undefined
  }
}
