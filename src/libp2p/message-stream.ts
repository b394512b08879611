/**
 * A stream of libp2p 3: an event target with `message` events, `send`, `pause` and `resume`.
 *
 * Invariants: at most about `READ_AHEAD_BYTES` wait here, the rest with the muxer or the sender; what came before
 * the other side closed its end is read before the end is seen, also if it came while the stream was paused.
 */
import type { Bytes, ChunkStream } from './chunk-stream.ts'

/** What is used of libp2p 3's `Stream`. */
export interface MessageStreamLike {
  status: string
  readStatus: string
  remoteWriteStatus: string
  readBufferLength: number
  maxReadBufferLength: number
  direction: string
  writableNeedsDrain: boolean
  send(bytes: Bytes): boolean
  close(): Promise<void>
  abort(error: Error): void
  pause(): void
  resume(): void
  addEventListener(type: string, listener: (event: never) => void): void
}

/** Bytes that are read ahead of whoever consumes them; beyond it the stream is paused. */
const READ_AHEAD_BYTES = 256 * 1024
/** The same in chunks, because a chunk of one byte takes more than a byte. */
const READ_AHEAD_CHUNKS = 64
/**
 * A paused stream is reset by libp2p when more than `maxReadBufferLength` (4 MiB) waits in it, but a sender may
 * fill its window first, which yamux lets grow to 16 MiB. So an honest sender would be cut off.
 */
const WINDOW_BYTES_MAX = 17 * 1024 * 1024

/** Whether it has the shape of a stream of libp2p 3. */
export function isMessageStream(stream: object): stream is MessageStreamLike {
  const { send, addEventListener } = stream as Partial<MessageStreamLike>
  return typeof send === 'function' && typeof addEventListener === 'function'
}

export class MessageStream implements ChunkStream {
  readonly #stream: MessageStreamLike
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  /** Nothing more will be sent by the other side, though something may still be on its way to us. */
  #ending = false
  #closed = false
  #error: Error | undefined
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  constructor(stream: MessageStreamLike) {
    this.#stream = stream
    if (stream.direction === 'outbound') {
      stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, WINDOW_BYTES_MAX)
    }
    stream.addEventListener('drain', () => this.#wakeWriter?.())
    stream.addEventListener('remoteCloseWrite', () => this.#onEnding())
    stream.addEventListener('close', (event: { error?: Error }) => this.#onClose(event.error))
    stream.addEventListener('message', (event: { data: Bytes }) => this.#onMessage(event.data))
    if (stream.remoteWriteStatus === 'closed') this.#ending = true
    if (stream.status === 'closed') this.#onClose(undefined)
    else if (stream.status !== 'open' && stream.status !== 'closing') {
      this.#onClose(new Error(`The stream is ${stream.status}`))
    }
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#bytes -= chunk.length
        return chunk
      }
      if (this.#error !== undefined) throw this.#error
      // Delivers at once what came while it was paused.
      this.#setPaused(false)
      if (this.#chunks.length > 0) continue
      const drained = this.#stream.readBufferLength === 0 || this.#stream.readStatus === 'closed'
      if (this.#ending && drained) return undefined
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
    }
  }

  async write(bytes: Bytes): Promise<void> {
    this.#throwIfClosed()
    this.#stream.send(bytes)
    while (this.#stream.writableNeedsDrain) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve
      })
      // libp2p sends what it buffered in a microtask after `drain`, and may find itself full again.
      await undefined
      this.#throwIfClosed()
    }
  }

  async closeWrite(): Promise<void> {
    await this.#stream.close()
  }

  abort(error: Error): void {
    this.#stream.abort(error)
    this.#chunks.length = 0
    this.#onClose(error)
  }

  #onMessage(data: Bytes): void {
    if (data instanceof Uint8Array) this.#push(data)
    else for (const part of data) this.#push(part)
    if (this.#bytes > READ_AHEAD_BYTES || this.#chunks.length > READ_AHEAD_CHUNKS) this.#setPaused(true)
    this.#wakeReader?.()
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  #onEnding(): void {
    this.#ending = true
    this.#wakeReader?.()
  }

  #onClose(error: Error | undefined): void {
    this.#closed = true
    this.#error ??= error
    this.#wakeWriter?.()
    this.#onEnding()
  }

  #throwIfClosed(): void {
    if (this.#closed) throw this.#error ?? new Error('The stream is closed')
  }

  #setPaused(paused: boolean): void {
    if (this.#stream.readStatus !== (paused ? 'readable' : 'paused')) return
    if (paused) this.#stream.pause()
    else this.#stream.resume()
  }
}
