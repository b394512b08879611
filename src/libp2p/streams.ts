/**
 * One kind of byte stream out of a stream of libp2p 2, which is a duplex of `source` and `sink`, or of libp2p 3,
 * which is an event target.
 *
 * Invariants: reading is paused while nobody reads, so that a sender is held back and no more than a window of the
 * muxer waits in memory; a write ends when the stream can take the next one; `abort` ends every wait at once.
 */
import type { Bytes, ChunkStream } from './chunk-stream.ts'
import { DuplexStream, isDuplexStream } from './duplex-stream.ts'
import { isMessageStream, MessageStream } from './message-stream.ts'

/** The other side stopped sending in the middle of something. */
export class StreamEndedError extends Error {
  static override readonly name = 'StreamEndedError'
  override name = 'StreamEndedError'

  constructor() {
    super('The stream ended in the middle of a frame')
  }
}

/** Bytes that are set aside at first for a read of unknown honesty; it grows with what really comes. */
const READ_BYTES_FIRST = 64 * 1024

/** A stream that is read in pieces of known size. */
export class ByteStream {
  readonly #chunks: ChunkStream
  readonly #aborted = Promise.withResolvers<never>()
  #chunk = new Uint8Array(0)
  /** Bytes that came so far, those not read yet included. */
  received = 0

  /** @throws TypeError if it is no stream of libp2p 2 or 3. */
  constructor(stream: object) {
    // That nobody waits for it when it comes is no error.
    this.#aborted.promise.catch(() => {})
    if (isDuplexStream(stream)) this.#chunks = new DuplexStream(stream)
    else if (isMessageStream(stream)) this.#chunks = new MessageStream(stream)
    else throw new TypeError('Neither a stream of libp2p 2 nor one of libp2p 3')
  }

  /**
   * Exactly so many bytes, or undefined if the stream ended before the first of them.
   *
   * @throws StreamEndedError if it ended after that.
   */
  async read(count: number): Promise<Uint8Array | undefined> {
    if (this.#chunk.length === 0 && !(await this.#more())) return undefined
    if (this.#chunk.length >= count) return this.#take(count)
    // Tiny chunks are copied together at once: kept one by one they would take a hundred times their size.
    let gathered = new Uint8Array(Math.min(count, Math.max(READ_BYTES_FIRST, this.#chunk.length)))
    let length = 0
    for (;;) {
      const part = this.#take(Math.min(count - length, this.#chunk.length))
      if (length + part.length > gathered.length) {
        const larger = new Uint8Array(Math.min(count, Math.max(2 * gathered.length, length + part.length)))
        larger.set(gathered.subarray(0, length))
        gathered = larger
      }
      gathered.set(part, length)
      length += part.length
      if (length === count) return gathered
      if (!(await this.#more())) throw new StreamEndedError()
    }
  }

  write(bytes: Bytes): Promise<void> {
    return this.#chunks.write(bytes)
  }

  /** Ends with the stream, too: libp2p 2 leaves it pending for ever if the connection is lost meanwhile. */
  closeWrite(): Promise<void> {
    return Promise.race([this.#aborted.promise, this.#chunks.closeWrite()])
  }

  abort(error: Error): void {
    this.#aborted.reject(error)
    this.#chunks.abort(error)
  }

  #take(count: number): Uint8Array {
    const taken = this.#chunk.subarray(0, count)
    this.#chunk = this.#chunk.subarray(count)
    return taken
  }

  async #more(): Promise<boolean> {
    do {
      const chunk = await this.#chunks.next()
      if (chunk === undefined) return false
      this.#chunk = chunk as Uint8Array<ArrayBuffer>
      this.received += chunk.length
    } while (this.#chunk.length === 0)
    return true
  }
}
