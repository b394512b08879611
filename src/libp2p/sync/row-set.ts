/**
 * A set of sequence numbers, a bit each, in pages that exist only where there is one: a `Set` of a million of them takes
 * 21 MB, and this an eighth of a megabyte.
 */

const PAGE_ROWS = 8192

export class RowSet {
  readonly #pages = new Map<number, Uint8Array>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(sequence: number): void {
    const number = Math.floor(sequence / PAGE_ROWS)
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = new Uint8Array(PAGE_ROWS / 8)
      this.#pages.set(number, page)
    }
    const bit = sequence % PAGE_ROWS
    const before = page[bit >> 3] as number
    const after = before | (1 << (bit & 7))
    page[bit >> 3] = after
    if (after !== before) this.#size++
  }

  has(sequence: number): boolean {
    const page = this.#pages.get(Math.floor(sequence / PAGE_ROWS))
    const bit = sequence % PAGE_ROWS
    return page !== undefined && ((page[bit >> 3] as number) & (1 << (bit & 7))) !== 0
  }

  /** All of them, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (const number of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const page = this.#pages.get(number) as Uint8Array
      for (const [index, byte] of page.entries()) {
        for (let bits = byte, bit = 0; bits !== 0; bits >>= 1, bit++) {
          if ((bits & 1) !== 0) yield number * PAGE_ROWS + index * 8 + bit
        }
      }
    }
  }

  /** Spans that hold them all, ascending, none of them with a run of more than so many others in it. */
  *spans(othersMax: number): Generator<{ from: number; to: number }> {
    let span: { from: number; to: number } | undefined
    for (const sequence of this) {
      if (span !== undefined && sequence - span.to - 1 <= othersMax) span.to = sequence
      else {
        if (span !== undefined) yield span
        span = { from: sequence, to: sequence }
      }
    }
    if (span !== undefined) yield span
  }
}
