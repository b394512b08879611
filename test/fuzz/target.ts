// What can be fuzzed, described: where inputs come from, what is done with one, and what must hold of it.
import type { Chance } from './chance.ts'

/** One decoder or one handler. */
export interface Target {
  name: string
  /** Its share of a run, beside the shares of the others. */
  weight: number
  /** Inputs that real encoders and real peers make; the corpus begins with them. */
  seeds(): Uint8Array[]
  /** An input whose parts are plausible. */
  generate(chance: Chance): Uint8Array
  /**
   * Does everything with an input that the code under test would do with bytes of a peer or of a disk.
   *
   * @returns the class of what came of it: inputs of a class that was not seen yet are worth keeping.
   * @throws where an invariant does not hold, and whatever else escapes from the code under test.
   */
  run(input: Uint8Array): string | Promise<string>
}

/** Something that must hold does not. Its message has no parts of the input, so that a smaller one fails alike. */
export class Violation extends Error {
  override name = 'Violation'
}

export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Violation(message)
}

/** A count as a part of a class: none, one, some or many. */
export function few(count: number): string {
  if (count < 2) return `${count}`
  return count < 5 ? '+' : '*'
}

/** Bytes as text that compares and prints well. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

/** Text of a value for comparison; bytes, big integers and maps included. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`
    if (part === undefined) return 'undefined'
    if (part instanceof Uint8Array) return hexOf(part)
    return part
  })
}

/** Fails unless both say the same. */
export function demandSame(found: unknown, expected: unknown, what: string): void {
  if (textOf(found) !== textOf(expected))
    throw new Violation(`${what} differ`, { cause: { found, expected } })
}

/** Bytes that the parts of a value take, roughly as an engine of JavaScript keeps them. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length
  // A view has a hundred bytes of its own, whatever it is a view of.
  if (value instanceof Uint8Array) return 100
  if (typeof value !== 'object' || value === null) return 8
  let size = 16
  for (const part of Array.isArray(value) ? value : Object.values(value)) size += 8 + sizeOf(part)
  return size
}

/** What bytes become must not be out of proportion to them. */
export function demandBounded(value: unknown, input: Uint8Array, factor: number): void {
  demand(sizeOf(value) <= 2048 + factor * input.length, `More than ${factor} times the input`)
}
