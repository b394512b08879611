/**
 * Reads protobuf's wire format exactly as protobuf-go does.
 *
 * Whether a delta counts must be the same on every replica, TypeScript or Go, so the edge cases matter: over-long
 * varints are accepted up to ten bytes, an eleventh or a set 65th bit is an error, lengths are full 64-bit
 * numbers, groups nest, field numbers end at 2^29 - 1. The readers that npm's protobuf libraries expose truncate
 * or reject some of these, which is why this file exists beside them.
 */

/** Wire types of the protobuf encoding. */
export const WIRE_VARINT = 0
export const WIRE_FIXED64 = 1
export const WIRE_BYTES = 2
export const WIRE_START_GROUP = 3
export const WIRE_END_GROUP = 4
export const WIRE_FIXED32 = 5

const FIELD_NUMBER_MAX = 2 ** 29 - 1
/** Inside a group that it skips, protobuf-go looks less closely. */
const GROUP_FIELD_NUMBER_MAX = 2 ** 31 - 1
/** protobuf-go's `protowire.DefaultRecursionLimit`; the outermost group is not counted. */
const GROUP_DEPTH_MAX = 10_001
const TWO_32 = 2 ** 32

/** The bytes are no valid protobuf message. */
export class WireError extends Error {
  override name = 'WireError'
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class WireReader {
  readonly #bytes: Uint8Array
  #position = 0
  /** The two halves of the varint read last, as unsigned 32-bit numbers. */
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#position >= this.#bytes.length
  }

  /** The next tag: eight times the field number, plus the wire type. */
  tag(): number {
    return this.#tag(FIELD_NUMBER_MAX)
  }

  /** A varint as an exact unsigned 64-bit integer. */
  uint64(): bigint {
    this.#varint()
    return this.#high === 0 ? BigInt(this.#low) : (BigInt(this.#high) << 32n) | BigInt(this.#low)
  }

  /** A varint truncated to its low 32 bits, as proto3's uint32 is. */
  uint32(): number {
    this.#varint()
    return this.#low
  }

  /** A view of a length-delimited field; it shares the input's memory. */
  bytes(): Uint8Array {
    return this.take(this.#length())
  }

  /** A reader of a length-delimited field that is a message itself. */
  message(): WireReader {
    return new WireReader(this.bytes())
  }

  /** Whatever has not been read yet; it shares the input's memory. */
  rest(): Uint8Array {
    const start = this.#position
    this.#position = this.#bytes.length
    return this.#bytes.subarray(start)
  }

  /** The next `count` bytes as they are, without a length before them. */
  take(count: number): Uint8Array {
    const start = this.#position
    this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }

  skipVarint(): void {
    this.#varint()
  }

  /** A varint that has to be a safe integer: a count, a length or a sequence number of our own rows. */
  safeInteger(): number {
    this.#varint()
    const value = this.#high * TWO_32 + this.#low
    if (!Number.isSafeInteger(value)) throw new WireError('A number is out of range')
    return value
  }

  /** A varint that has to fit into 32 bits: what our own rows hold of counts and features. */
  smallInteger(): number {
    this.#varint()
    if (this.#high !== 0) throw new WireError('A number is out of range')
    return this.#low
  }

  /** A length-delimited field as text. Invalid UTF-8 makes the message invalid. */
  string(): string {
    const bytes = this.bytes()
    try {
      return utf8.decode(bytes)
    } catch {
      throw new WireError('A string field is not valid UTF-8')
    }
  }

  /** Skips the value of an unknown field, or of a known one with another wire type than it should have. */
  skip(tag: number): void {
    const open: number[] = []
    let current = tag
    do {
      const type = current % 8
      const number = Math.floor(current / 8)
      if (type === WIRE_VARINT) this.#varint()
      else if (type === WIRE_FIXED64) this.#advance(8)
      else if (type === WIRE_BYTES) this.#advance(this.#length())
      else if (type === WIRE_FIXED32) this.#advance(4)
      else if (type === WIRE_START_GROUP) {
        if (open.length >= GROUP_DEPTH_MAX) throw new WireError('Groups are nested too deeply')
        open.push(number)
      } else if (type === WIRE_END_GROUP) {
        if (open.pop() !== number) throw new WireError('A group ends that did not begin')
      } else throw new WireError(`Wire type ${type} is reserved`)
      if (open.length > 0) current = this.#tag(GROUP_FIELD_NUMBER_MAX)
    } while (open.length > 0)
  }

  #tag(numberMax: number): number {
    this.#varint()
    const tag = this.#high * TWO_32 + this.#low
    const number = Math.floor(tag / 8)
    if (number < 1 || number > numberMax) throw new WireError(`Field number ${number} is out of range`)
    return tag
  }

  /** How many bytes a length-delimited field has. */
  #length(): number {
    this.#varint()
    return this.#high * TWO_32 + this.#low
  }

  #advance(count: number): void {
    if (count > this.#bytes.length - this.#position) throw new WireError('The message is cut off')
    this.#position += count
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let index = 0; index < 10; index++) {
      if (this.#position >= this.#bytes.length) throw new WireError('The message is cut off')
      const byte = this.#bytes[this.#position++] as number
      const payload = byte & 0x7f
      if (index < 4) low |= payload << (7 * index)
      else if (index === 4) {
        low |= payload << 28
        high |= payload >>> 4
      } else if (index < 9) high |= payload << (7 * index - 32)
      else {
        if (payload > 1) break
        high |= payload << 31
      }
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw new WireError('A varint is longer than 64 bits')
  }
}
