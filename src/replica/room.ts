/**
 * The room in memory for blocks that were verified and not yet written: whoever brings more has to wait.
 */

/**
 * What a block takes in memory beside its bytes, and most blocks are much smaller than this: a kilobyte decoded and
 * queued, and as garbage the more the longer it waits. What outlives two collections of young garbage stays until a full
 * one, so that a queue of seven thousand small blocks took a sixth more memory than this one of thirteen hundred, which is
 * five commits and no slower.
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
