/**
 * A stream of libp2p 2: a duplex whose `source` is read and whose `sink` is given one iterable for good.
 *
 * Invariant: a write ends when the sink asks for the next one, which it does when it has passed the last one on, so
 * that the muxer's backpressure reaches the writer. Nothing is read ahead: who does not ask holds the sender back.
 */
import type { Bytes, ChunkStream } from './chunk-stream.ts'

/** What is used of libp2p 2's `Stream`. */
export interface DuplexStreamLike {
  source: AsyncIterable<Bytes>
  sink(source: AsyncIterable<Bytes>): Promise<void>
  abort(error: Error): void
}

/** Whether it has the shape of a stream of libp2p 2. */
export function isDuplexStream(stream: object): stream is DuplexStreamLike {
  const { source, sink } = stream as Partial<DuplexStreamLike>
  return typeof sink === 'function' && source !== undefined
}

export class DuplexStream implements ChunkStream {
  readonly #stream: DuplexStreamLike
  readonly #source: AsyncIterator<Bytes>
  readonly #feed = new Feed()
  readonly #sunk: Promise<void>
  readonly #chunks: Uint8Array[] = []
  #rejectRead: ((error: Error) => void) | undefined
  #error: Error | undefined

  constructor(stream: DuplexStreamLike) {
    this.#stream = stream
    this.#source = stream.source[Symbol.asyncIterator]()
    this.#sunk = stream.sink(this.#feed).then(
      () => this.#feed.fail(new Error('The stream is closed')),
      (error: unknown) => this.#feed.fail(error)
    )
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) return chunk
      if (this.#error !== undefined) throw this.#error
      const { done, value } = await new Promise<IteratorResult<Bytes>>((resolve, reject) => {
        this.#rejectRead = reject
        this.#source.next().then(resolve, reject)
      })
      if (done === true) return undefined
      if (value instanceof Uint8Array) return value
      for (const part of value) this.#chunks.push(part)
    }
  }

  write(bytes: Bytes): Promise<void> {
    return this.#feed.give(bytes)
  }

  async closeWrite(): Promise<void> {
    this.#feed.end()
    await this.#sunk
  }

  abort(error: Error): void {
    this.#stream.abort(error)
    this.#error ??= error
    this.#rejectRead?.(error)
    this.#chunks.length = 0
    this.#feed.fail(error)
  }
}

/** What the sink takes, one at a time. */
class Feed implements AsyncIterable<Bytes> {
  /** What waits to be taken, or was taken and not passed on yet. */
  #given: { bytes: Bytes; passedOn: PromiseWithResolvers<void>; taken: boolean } | undefined
  #ended = false
  #error: unknown
  #wake: (() => void) | undefined

  give(bytes: Bytes): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const passedOn = Promise.withResolvers<void>()
    this.#given = { bytes, passedOn, taken: false }
    this.#wake?.()
    return passedOn.promise
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#error ??= error
    this.#given?.passedOn.reject(error)
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes> {
    for (;;) {
      if (this.#given?.taken === true) {
        this.#given.passedOn.resolve()
        this.#given = undefined
      }
      if (this.#given !== undefined) {
        this.#given.taken = true
        yield this.#given.bytes
      } else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
