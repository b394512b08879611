// Chance for fuzzing: the same choices for the same words, so that one input can be made again from its name alone.

/** Numbers at which lengths, counts, varints and doubles change their nature. */
const TELLING_NUMBERS = [
  0n,
  1n,
  2n,
  7n,
  8n,
  31n,
  32n,
  33n,
  34n,
  36n,
  63n,
  64n,
  127n,
  128n,
  255n,
  256n,
  16_383n,
  16_384n,
  65_535n,
  65_536n,
  2n ** 28n,
  2n ** 29n - 1n,
  2n ** 29n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n,
  2n ** 69n
]

/** A source of choices (sfc32, seeded by a hash of text). */
export class Chance {
  readonly #state = new Uint32Array(4)

  constructor(words: string) {
    const state = this.#state
    state.set([0x9e3779b9, 0x243f6a88, 0xb7e15162, 1])
    for (let index = 0; index < words.length; index++) {
      const word = index & 3
      state[word] = Math.imul(state[word]! ^ words.charCodeAt(index), 0x01000193)
      state[(word + 1) & 3]! ^= state[word]! >>> 15
    }
    for (let round = 0; round < 16; round++) this.uint32()
  }

  uint32(): number {
    const state = this.#state
    const [a, b, c, counter] = state as unknown as [number, number, number, number]
    const sum = (a + b + counter) >>> 0
    state[3] = counter + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + sum
    return sum
  }

  /** A whole number from 0 to `limit`, which is not included. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  /** True so often in a hundred times. */
  percent(times: number): boolean {
    return this.below(100) < times
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** Small numbers far more often than large ones. */
  small(limit: number): number {
    return this.below(this.below(limit) + 1)
  }

  /** A number that is likely to be at a limit of something. */
  number(): bigint {
    if (this.percent(60)) return this.pick(TELLING_NUMBERS)
    return this.percent(50) ? BigInt(this.below(300)) : (BigInt(this.uint32()) << 32n) | BigInt(this.uint32())
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let index = 0; index < length; index++) bytes[index] = this.uint32()
    return bytes
  }

  /** So many results, at most. */
  some<T>(countMax: number, make: () => T): T[] {
    return Array.from({ length: this.below(countMax + 1) }, make)
  }
}
