/**
 * Writes protobuf's wire format, and rows, which are made of the same parts.
 *
 * What is written are views of chunks that many of them share, as Node's own small buffers are, and LevelDB is given them
 * as they are. With an ArrayBuffer for each, and a copy for the datastore, a key of a batch takes 25% more of the main
 * thread, an awaited put 13%, and a merged delta 11%. Nothing is ever written over, so a view stays what it is; but
 * whoever keeps it keeps its chunk, and whoever clones its buffer clones all of that.
 */
import type { BlockId } from '../crdt/delta.ts'
import { DIGEST_LENGTH, writeDigest } from './block-id.ts'
import { utf8Length } from './key.ts'

const CHUNK_BYTES = 16 * 1024
const VARINT_BYTES_MAX = 10
const UINT64_MAX = 2n ** 64n - 1n

const encoder = new TextEncoder()

export class WireWriter {
  #chunk = new Uint8Array(0)
  /** Where what is being written begins. */
  #start = 0
  #position = 0

  /** A varint. @throws RangeError if it is no whole number that can be exact. */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} cannot be a varint`)
    this.#reserve(VARINT_BYTES_MAX)
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#chunk[this.#position++] = (rest % 0x80) | 0x80
    this.#chunk[this.#position++] = rest
    return this
  }

  /** A varint of an exact unsigned 64-bit integer. @throws RangeError if it is none. */
  uint64(value: bigint): this {
    if (value < 0n || value > UINT64_MAX) throw new RangeError(`${value} is no uint64`)
    this.#reserve(VARINT_BYTES_MAX)
    let rest = value
    for (; rest >= 0x80n; rest >>= 7n) this.#chunk[this.#position++] = Number(rest & 0x7fn) | 0x80
    this.#chunk[this.#position++] = Number(rest)
    return this
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#chunk.set(bytes, this.#position)
    this.#position += bytes.length
    return this
  }

  /** Bytes after their number. */
  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).raw(bytes)
  }

  /** The UTF-8 of a text. */
  text(text: string): this {
    this.#reserve(text.length)
    const start = this.#position
    // Nearly every key and name is short ASCII. A key of a batch takes 16% more of the main thread
    // with the encoder alone.
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) {
        this.#position = start
        return this.raw(encoder.encode(text))
      }
      this.#chunk[this.#position++] = unit
    }
    return this
  }

  /** The UTF-8 of a well-formed text after its length, which a caller may know. */
  string(text: string, length: number = utf8Length(text)): this {
    return this.number(length).text(text)
  }

  /** The 32 digest bytes of an id. */
  digest(id: BlockId): this {
    this.#reserve(DIGEST_LENGTH)
    writeDigest(id, this.#chunk, this.#position)
    this.#position += DIGEST_LENGTH
    return this
  }

  /** What was written since the last time. */
  finish(): Uint8Array {
    const written = this.#chunk.subarray(this.#start, this.#position)
    this.#start = this.#position
    return written
  }

  /** Forgets what was written since `finish`. */
  discard(): void {
    this.#position = this.#start
  }

  /** Makes room for so many bytes more. */
  #reserve(count: number): void {
    if (this.#position + count <= this.#chunk.length) return
    const written = this.#chunk.subarray(this.#start, this.#position)
    // Twice what is moved, so that something long is moved a few times only.
    this.#chunk = new Uint8Array(Math.max(CHUNK_BYTES, 2 * written.length + count))
    this.#chunk.set(written)
    this.#start = 0
    this.#position = written.length
  }
}
