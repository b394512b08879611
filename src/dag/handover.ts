/**
 * Hands things over from several who bring them to one who takes them.
 *
 * Invariant: whoever brings something waits until it is taken, so that nothing piles up.
 */
export class Handover<T> {
  readonly #waiting: Array<{ item: T; taken(): void }> = []
  #wake = Promise.withResolvers<void>()
  #ended = false

  /** Resolves when it is taken, or when nothing is taken any more. */
  async put(item: T): Promise<void> {
    if (this.#ended) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ item, taken: resolve })
    this.#wake.resolve()
    await promise
  }

  /** Nothing more comes, and what waits is not taken. */
  end(): void {
    this.#ended = true
    for (const { taken } of this.#waiting.splice(0)) taken()
    this.#wake.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        next.taken()
        yield next.item
      }
      if (this.#ended) return
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
  }
}
