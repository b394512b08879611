/**
 * Values by their row, copied into chunks that many of them share, and given back as copies.
 *
 * With a buffer of its own a value of 100 bytes takes 393 bytes of memory in place of 199, its row included, and an awaited
 * put 5% more of the main thread, since there is more to collect than chunks. In return the bytes of a value that was
 * replaced by a longer one, or dropped, stay taken until the whole arena goes.
 *
 * Invariants: the bytes that are taken never shrink and are never more than may be; what is kept is nobody else's.
 */

/** What a row takes beside the text of its key and its value: the string and its place in the map, as measured in Node 24. */
const ENTRY_BYTES = 90
/** Chunks are no longer than this, but for a value that needs more; places are counted in it. */
const CHUNK_BYTES_MAX = 64 * 1024
/** The length of a value stands before it. */
const LENGTH_BYTES = 4

/** The place of a row that has no value. */
const NO_VALUE = -1

export class ValueArena {
  readonly #bytesMax: number
  readonly #chunkBytes: number
  /** Where the values begin, in chunks and bytes within one. */
  readonly #places = new Map<string, number>()
  readonly #chunks: Uint8Array[] = []
  /** Where the last chunk is free. */
  #position = 0
  #bytes = 0

  /** @param bytesMax - what it may take: chunks are a small part of that. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.ceil(bytesMax / 32))
  }

  /** Bytes that are taken, chunks that are not full included. */
  get bytes(): number {
    return this.#bytes
  }

  has(row: string): boolean {
    return this.#places.has(row)
  }

  /** A copy of a value; null if the row is known to have none; undefined if it is not known. */
  get(row: string): Uint8Array | null | undefined {
    const place = this.#places.get(row)
    if (place === undefined) return undefined
    if (place === NO_VALUE) return null
    const { chunk, start } = this.#at(place)
    return chunk.slice(start, start + lengthAt(chunk, start))
  }

  /** The length of a value; null if the row is known to have none; undefined if it is not known. */
  size(row: string): number | null | undefined {
    const place = this.#places.get(row)
    if (place === undefined) return undefined
    if (place === NO_VALUE) return null
    const { chunk, start } = this.#at(place)
    return lengthAt(chunk, start)
  }

  /**
   * Keeps a copy of a value, or that there is none.
   *
   * @returns whether there was room for it; if not, nothing has changed.
   */
  put(row: string, value: Uint8Array | undefined): boolean {
    const before = this.#places.get(row)
    if (value !== undefined && this.#fitsAt(before, value)) {
      this.#write(before, value)
      return true
    }
    const entryBytes = before === undefined ? ENTRY_BYTES + row.length : 0
    if (this.#bytes + entryBytes + this.#chunkBytesFor(value) > this.#bytesMax) return false
    this.#bytes += entryBytes
    this.#places.set(row, value === undefined ? NO_VALUE : this.#append(value))
    return true
  }

  drop(row: string): void {
    this.#places.delete(row)
  }

  /** Whether a value can stand where another one stood. */
  #fitsAt(place: number | undefined, value: Uint8Array): place is number {
    if (place === undefined || place === NO_VALUE) return false
    const { chunk, start } = this.#at(place)
    return value.length <= lengthAt(chunk, start)
  }

  /** How long a chunk has to be made for a value; 0 if there is room in the last one. */
  #chunkBytesFor(value: Uint8Array | undefined): number {
    if (value === undefined) return 0
    const needed = LENGTH_BYTES + value.length
    const left = (this.#chunks.at(-1)?.length ?? 0) - this.#position
    return needed <= left ? 0 : Math.max(this.#chunkBytes, needed)
  }

  /** @returns the place of the value. */
  #append(value: Uint8Array): number {
    const chunkBytes = this.#chunkBytesFor(value)
    if (chunkBytes > 0) {
      this.#chunks.push(new Uint8Array(chunkBytes))
      this.#bytes += chunkBytes
      this.#position = 0
    }
    const place = (this.#chunks.length - 1) * CHUNK_BYTES_MAX + this.#position
    this.#position += LENGTH_BYTES + value.length
    this.#write(place, value)
    return place
  }

  #write(place: number, value: Uint8Array): void {
    const { chunk, start } = this.#at(place)
    writeLength(chunk, start, value.length)
    chunk.set(value, start)
  }

  /** The chunk of a value, and where its bytes begin. */
  #at(place: number): { chunk: Uint8Array; start: number } {
    const offset = place % CHUNK_BYTES_MAX
    const chunk = this.#chunks[(place - offset) / CHUNK_BYTES_MAX] as Uint8Array
    return { chunk, start: offset + LENGTH_BYTES }
  }
}

function lengthAt(chunk: Uint8Array, start: number): number {
  let length = 0
  for (let index = start - LENGTH_BYTES; index < start; index++)
    length = length * 256 + (chunk[index] as number)
  return length
}

function writeLength(chunk: Uint8Array, start: number, length: number): void {
  let rest = length
  for (let index = start - 1; index >= start - LENGTH_BYTES; index--) {
    chunk[index] = rest
    rest = Math.floor(rest / 256)
  }
}
