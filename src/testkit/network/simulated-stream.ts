/**
 * A stream between two simulated nodes, in the shape of libp2p 2's: bytes with latency, bandwidth and a window.
 *
 * Invariants: bytes arrive in order; a writer is held back while a window of what it wrote is unread, as a muxer holds
 * it back; an abort of either side, or the end of the connection, ends every wait of both; of the reason of an abort the
 * other side learns nothing, as it does not from a reset.
 */
import type { Link } from './link.ts'

const WINDOW_BYTES = 256 * 1024

type Chunk = Uint8Array | { subarray(): Uint8Array }

/** What one side writes and the other reads. */
class Pipe {
  readonly #link: Link
  readonly #arrived: Uint8Array[] = []
  #unreadBytes = 0
  #isEnded = false
  /** Why it is at its end, for who reads and for who writes. */
  #error: { reader: Error; writer: Error } | undefined
  #change = Promise.withResolvers<void>()

  constructor(link: Link) {
    this.#link = link
  }

  async write(bytes: Uint8Array): Promise<void> {
    while (this.#unreadBytes > WINDOW_BYTES && this.#error === undefined) await this.#change.promise
    if (this.#error !== undefined) throw this.#error.writer
    this.#unreadBytes += bytes.length
    this.#link.stream(bytes.length, () => {
      this.#arrived.push(bytes)
      this.#changed()
    })
  }

  end(): void {
    this.#link.stream(0, () => {
      this.#isEnded = true
      this.#changed()
    })
  }

  fail(error: { reader: Error; writer: Error }): void {
    this.#error ??= error
    this.#changed()
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error.reader
      const bytes = this.#arrived.shift()
      if (bytes !== undefined) {
        this.#unreadBytes -= bytes.length
        this.#changed()
        yield bytes
      } else if (this.#isEnded) return
      else await this.#change.promise
    }
  }

  #changed(): void {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }
}

/** One end of a stream. */
export class SimulatedStream {
  readonly source: AsyncGenerator<Uint8Array>
  readonly #incoming: Pipe
  readonly #outgoing: Pipe

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.source = incoming.read()
  }

  readonly sink = async (source: AsyncIterable<Chunk> | Iterable<Chunk>): Promise<void> => {
    for await (const chunk of source) await this.#outgoing.write(chunk.subarray().slice())
    this.#outgoing.end()
  }

  /** Ends it on both sides, at once. */
  abort(error: Error): void {
    const reset = Object.assign(new Error('The stream has been reset'), { name: 'StreamResetError' })
    this.#incoming.fail({ reader: error, writer: reset })
    this.#outgoing.fail({ reader: reset, writer: error })
  }
}

/** The two ends of a new stream, the opener's first. */
export function streamPair(there: Link, back: Link): [SimulatedStream, SimulatedStream] {
  const [outgoing, incoming] = [new Pipe(there), new Pipe(back)]
  return [new SimulatedStream(incoming, outgoing), new SimulatedStream(outgoing, incoming)]
}
