/**
 * The keys and values that benchmarks write. A value says which key it belongs to, so that every read can be checked
 * at next to no cost, and may carry the time of its writing.
 */
import { Key } from 'interface-datastore'

/** The length of a value. */
export const VALUE_BYTES = 100

export interface Entry {
  key: Key
  value: Uint8Array
}

/** The key with a number. */
export function makeKey(prefix: string, index: number): Key {
  return new Key(`/${prefix}/${index.toString().padStart(7, '0')}`)
}

/**
 * The value of the key with a number. Its bytes do not repeat: some databases compress, and would keep next to nothing of
 * a value that does.
 *
 * @param stamp - a time in nanoseconds.
 */
export function makeValue(index: number, stamp = 0n): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES)
  const view = new DataView(value.buffer)
  // Marsaglia's xorshift; the multiplier keeps the states of neighbours apart, and 0 would stay 0.
  let state = Math.imul(index + 1, 0x9e3779b1) | 1
  for (let offset = 0; offset < VALUE_BYTES; offset += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    view.setUint32(offset, state >>> 0)
  }
  view.setUint32(0, index)
  view.setBigUint64(4, stamp)
  return value
}

/** The number that a value was made with; -1 if it is none of ours. */
export function numberOf(value: Uint8Array): number {
  if (value.length !== VALUE_BYTES) return -1
  return new DataView(value.buffer, value.byteOffset).getUint32(0)
}

/** The time that a value was made with. */
export function stampOf(value: Uint8Array): bigint {
  return new DataView(value.buffer, value.byteOffset).getBigUint64(4)
}

/** Keys and values with the numbers from `from` on. */
export function makeEntries(prefix: string, count: number, from = 0): Entry[] {
  return Array.from({ length: count }, (_, offset) => ({
    key: makeKey(prefix, from + offset),
    value: makeValue(from + offset)
  }))
}

/** The numbers below `count` in an order that is the same in every run and looks like none. */
export function shuffled(count: number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index)
  // A linear congruential generator (the constants are those of Numerical Recipes) drives a Fisher-Yates shuffle.
  let state = 1
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (last + 1)
    const moved = numbers[last]!
    numbers[last] = numbers[other]!
    numbers[other] = moved
  }
  return numbers
}
