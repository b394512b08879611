/**
 * Protobuf as the oracle reads it: fields as they stand on the wire, with what protobuf-go allows and refuses. Nothing of
 * the rest of `src` is used.
 */

export const VARINT = 0
const FIXED64 = 1
export const LENGTH = 2
const GROUP = 3
const GROUP_END = 4
const FIXED32 = 5

// What protobuf-go allows: a field number of a message ends at 2^29 - 1, but inside of a skipped group only
// at 2^31 - 1, and the skipping goes 10,000 groups below the first.
const GREATEST_NUMBER = 2n ** 29n - 1n
const GREATEST_NUMBER_IN_GROUP = 2n ** 31n - 1n
const MOST_OPEN_GROUPS = 10_001

/** A field as it stands on the wire: `varint` counts only with wire type VARINT, `bytes` only with LENGTH. */
export interface Field {
  number: number
  wire: number
  varint: bigint
  bytes: Uint8Array
}

export function decodeFields(message: Uint8Array): Field[] {
  const reader = new Reader(message)
  const fields: Field[] = []
  while (!reader.atEnd()) {
    const { number, wire } = reader.tag(GREATEST_NUMBER)
    const field: Field = { number, wire, varint: 0n, bytes: new Uint8Array(0) }
    if (wire === VARINT) field.varint = reader.varint()
    else if (wire === LENGTH) field.bytes = reader.take(reader.varint())
    else reader.skip(number, wire)
    fields.push(field)
  }
  return fields
}

export class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next bytes, as many as the length says. */
  take(length: bigint): Uint8Array {
    if (length > BigInt(this.#bytes.length - this.#at)) throw new Malformed('the message is truncated')
    const from = this.#at
    this.#at += Number(length)
    return this.#bytes.subarray(from, this.#at)
  }

  /**
   * Seven bits a byte, the lowest first, up to 64 bits in ten bytes. Needless zero bits at the end are
   * allowed.
   */
  varint(): bigint {
    let value = 0n
    for (let index = 0n; index < 10n; index++) {
      const byte = this.take(1n)[0] ?? 0
      value += BigInt(byte & 0x7f) << (7n * index)
      if (value >= 2n ** 64n) break
      if (byte < 0x80) return value
    }
    throw new Malformed('a varint has more than 64 bits')
  }

  /** The varint of CIDs, which has 63 bits at most and one spelling for a number. */
  minimalVarint(): bigint {
    const from = this.#at
    const value = this.varint()
    const last = this.#bytes[this.#at - 1]
    if (this.#at - from > 9 || (this.#at - from > 1 && last === 0))
      throw new Malformed('a varint is not minimal')
    return value
  }

  tag(greatestNumber: bigint): { number: number; wire: number } {
    const tag = this.varint()
    const number = tag >> 3n
    if (number < 1n || number > greatestNumber) throw new Malformed('a field number is out of range')
    return { number: Number(number), wire: Number(tag & 7n) }
  }

  /** Skips the value of a field whose tag has been read. A group is skipped with all that is in it. */
  skip(number: number, wire: number): void {
    if (wire !== GROUP) {
      this.#skipPlain(wire)
      return
    }
    // This is a loop and not a recursion, because the nesting is up to whoever made the bytes.
    const open = [number]
    while (open.length > 0) {
      if (open.length > MOST_OPEN_GROUPS) throw new Malformed('groups are nested too deep')
      const inner = this.tag(GREATEST_NUMBER_IN_GROUP)
      if (inner.wire === GROUP) open.push(inner.number)
      else if (inner.wire !== GROUP_END) this.#skipPlain(inner.wire)
      else if (open.pop() !== inner.number) throw new Malformed('a group ends that is not open')
    }
  }

  #skipPlain(wire: number): void {
    if (wire === VARINT) this.varint()
    else if (wire === FIXED64) this.take(8n)
    else if (wire === LENGTH) this.take(this.varint())
    else if (wire === FIXED32) this.take(4n)
    else throw new Malformed('a wire type is unknown, or a group ends that is not open')
  }
}

export function decodeString(bytes: Uint8Array): string {
  // Without ignoreBOM the decoder would drop a byte order mark from the start of a key.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Malformed('a string is not UTF-8')
  }
}

export class Malformed extends Error {}

/**
 * The result, or undefined if the bytes are malformed. Any other error is the oracle's own fault and passes.
 */
export function orUndefined<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
