/**
 * Protobuf messages over one stream, each a frame with its length before it.
 *
 * Invariants: a frame over the limit is refused by its length, before any of it is kept, and one of too many entries
 * before any of them is made; bytes that are no valid message abort the stream; a read or write that waits too long for the other side aborts the stream, and aborting
 * ends whatever waits on it. So no call here hangs, and each rejects with a `SyncError` or the stream's own error.
 */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { decode, encode } from 'it-length-prefixed'
import type { Clock } from '../../replica/ports.ts'
import { ByteStream, StreamEndedError } from '../streams.ts'
import type { SyncCounters } from './counters.ts'
import { countEntries, ENTRIES_MAX } from './entries.ts'
import { Pace, type PaceLimits } from './pace.ts'
import { SyncError } from './sync-error.ts'

/** Bytes that are written before the other side must have taken some. */
const WRITE_BYTES = 64 * 1024

/** What a channel is made of. */
export interface ChannelInit<In extends DescMessage, Out extends DescMessage> {
  stream: object
  /** What is read. */
  input: In
  /** What is written. */
  output: Out
  frameBytesMax: number
  pace: PaceLimits
  clock: Clock
  counters: SyncCounters
}

export class Channel<In extends DescMessage, Out extends DescMessage> {
  /** Whose counters are counted in; a stream belongs to a store only from its hello on. */
  counters: SyncCounters
  readonly #bytes: ByteStream
  readonly #frames: AsyncIterator<{ subarray(): Uint8Array }>
  readonly #input: In
  readonly #output: Out
  readonly #reading: Pace
  readonly #writing: Pace
  #written = 0
  #error: Error | undefined

  constructor({ stream, input, output, frameBytesMax, pace, clock, counters }: ChannelInit<In, Out>) {
    this.#bytes = new ByteStream(stream)
    this.#frames = framesOf(this.#bytes, frameBytesMax)
    this.#input = input
    this.#output = output
    this.counters = counters
    const expire = (error: SyncError): void => this.abort(error)
    this.#reading = new Pace(clock, pace, () => this.#bytes.received, expire)
    this.#writing = new Pace(clock, pace, () => this.#written, expire)
  }

  /** The next message of the other side is the first of an answer, or a new request. */
  expect(pace?: PaceLimits): void {
    this.#reading.reset(pace)
  }

  /** The next message, or undefined if the other side has no more to say. */
  async read(): Promise<MessageShape<In> | undefined> {
    let frame: Uint8Array
    try {
      const { done, value } = await this.#reading.watch(this.#frames.next())
      if (done === true) return undefined
      frame = value.subarray()
    } catch (error) {
      throw this.fail(this.#error ?? readError(error))
    }
    this.counters.bytesIn += frame.length
    if (countEntries(frame) > ENTRIES_MAX) throw this.invalid('A message has too many entries')
    try {
      return fromBinary(this.#input, frame, { readUnknownFields: false })
    } catch (error) {
      throw this.fail(new SyncError('invalid', 'A frame is no valid message', { cause: error }))
    }
  }

  /** Ends when the stream can take another message. */
  async write(message: MessageShape<Out>): Promise<void> {
    const frame = encode.single(toBinary(this.#output, message), { maxDataLength: Number.POSITIVE_INFINITY })
    this.counters.bytesOut += frame.byteLength
    this.#writing.reset()
    try {
      for (let start = 0; start < frame.byteLength; start += WRITE_BYTES) {
        const part = frame.sublist(start, Math.min(start + WRITE_BYTES, frame.byteLength))
        const length = part.byteLength
        await this.#writing.watch(this.#bytes.write(part))
        this.#written += length
      }
    } catch (error) {
      throw this.fail(this.#error ?? error)
    }
  }

  /** Says nothing more, and waits until the other side does the same. Anything else it says breaks the protocol. */
  async finish(): Promise<void> {
    try {
      this.#writing.reset()
      await this.#writing.watch(this.#bytes.closeWrite())
      this.expect()
      const { done } = await this.#reading.watch(this.#frames.next())
      if (done !== true) this.abort(new SyncError('invalid', 'The other side went on after the end'))
    } catch (error) {
      this.fail(error)
    }
  }

  /** Ends the stream at once, in both directions, and every wait on it. */
  abort(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#bytes.abort(error)
  }

  /** Long work that nobody waits for any more ends here. */
  throwIfAborted(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Breaks the stream off because of what the other side sent. */
  invalid(message: string): SyncError {
    return this.fail(new SyncError('invalid', message)) as SyncError
  }

  /** Breaks the stream off, and counts why if that was the other side's bytes. */
  fail(error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error))
    if (this.#error === undefined && failure instanceof SyncError && failure.reason === 'invalid') {
      this.counters.invalidFrames++
    }
    this.abort(failure)
    return failure
  }
}

function readError(error: unknown): unknown {
  const name = error instanceof Error ? error.name : ''
  if (error instanceof StreamEndedError || name === 'UnexpectedEOFError') {
    return new SyncError('closed', 'The stream ended in the middle of a frame')
  }
  // What it-length-prefixed throws for a length that is too long or none at all.
  if (/^Invalid(Data|Message)Length/.test(name)) {
    return new SyncError('invalid', 'A frame is longer than the limit, or its length is none', {
      cause: error
    })
  }
  return error
}

/**
 * Frames, without their lengths. What is fed to the decoder is never more than it waits for, so that it buffers
 * nothing. (Its own `fromReader` is meant for that, but reads a frame byte by byte.)
 */
function framesOf(bytes: ByteStream, frameBytesMax: number): AsyncGenerator<{ subarray(): Uint8Array }> {
  let wanted = 1
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (wanted === 0) throw new SyncError('invalid', 'A frame is empty')
      const piece = await bytes.read(wanted)
      if (piece === undefined) return
      wanted = 1
      yield piece
    }
  }
  const onLength = (length: number): void => {
    wanted = length
  }
  return decode(pieces(), { maxDataLength: frameBytesMax, onLength })
}
