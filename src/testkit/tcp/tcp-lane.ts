/**
 * One direction of one connection through the TCP proxy: bytes are read from a socket, wait for as long as the faults
 * of their direction say, and are written to another socket.
 *
 * Invariants: bytes leave in the order in which they came, and the end of the stream after the last of them; no more
 * than `queueBytesMax` and one read of the socket wait here, since the source is paused beyond it; once bytes were
 * dropped nothing follows them, for a stream with a hole in it is what no network delivers.
 */
import type { Socket } from 'node:net'
import type { TcpFaults } from './tcp-faults.ts'

/** What the lanes of one direction share. */
export interface TcpDirection {
  faults: TcpFaults
  /** Bytes that were read from the senders, written to the receivers, and dropped. */
  bytesIn: number
  bytesOut: number
  bytesDropped: number
  /** When the next byte may pass, by `performance.now()`: all connections share the bandwidth. */
  freeAt: number
}

/** What a lane connects, and how. */
export interface TcpLaneInit {
  source: Socket
  sink: Socket
  direction: TcpDirection
  queueBytesMax: number
  /** Uniform in [0, 1). */
  random: () => number
}

/** Bytes, or the end of the stream. */
type Item = { dueAt: number } & ({ bytes: Buffer } | { end: 'fin' | 'rst' })

/** Slices that are written before other work of the process gets its turn. */
const SLICES_AT_ONCE = 64
/** How finely a bandwidth is divided. */
const BANDWIDTH_STEP_MS = 10

export class TcpLane {
  readonly #init: TcpLaneInit
  readonly #queue: Item[] = []
  #queuedBytes = 0
  #lastDueAt = 0
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #waitsForDrain = false
  #hasHole = false
  /** Its end was seen, or has passed. */
  #ending: 'fin' | 'rst' | undefined
  #stopped = false

  constructor(init: TcpLaneInit) {
    this.#init = init
    const { source, sink } = init
    source.on('data', (bytes: Buffer) => this.#onData(bytes))
    source.on('end', () => this.#onEnd('fin'))
    source.on('close', (hadError) => this.#onEnd(hadError ? 'rst' : 'fin'))
    // What became of it is told by `close`.
    source.on('error', () => {})
    sink.on('drain', () => {
      this.#waitsForDrain = false
      this.work()
    })
    sink.on('close', () => {
      this.stop()
      // Nobody reads it any more, but it has to be read for its own end to be seen.
      source.resume()
    })
  }

  /** Lets pass what may pass by now. Called again whenever the faults change. */
  work(): void {
    if (this.#stopped || this.#waitsForDrain) return
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    if (this.#init.direction.faults.dropped) this.#dropQueue()
    for (let slices = 0; slices < SLICES_AT_ONCE; slices++) {
      const item = this.#queue[0]
      if (item === undefined || !this.#mayPass(item) || this.#waitsForDrain) break
      const waitMs = Math.max(item.dueAt, this.#freeAt(item)) - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.work(), Math.ceil(waitMs))
        break
      }
      if ('end' in item) this.#pass(item.end)
      else this.#write(item)
      if (slices === SLICES_AT_ONCE - 1) this.#immediate = setImmediate(() => this.work())
    }
    this.#flow()
  }

  /** Ends the lane without a word to either side. */
  stop(): void {
    this.#stopped = true
    this.#queue.length = 0
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  #onData(bytes: Buffer): void {
    const { direction, random } = this.#init
    direction.bytesIn += bytes.length
    // A sink that is gone takes nothing: what the sender is told of it comes by the other direction.
    if (this.#stopped) return
    if (direction.faults.dropped || this.#hasHole) {
      this.#drop(bytes.length)
      return
    }
    const { latencyMs, jitterMs } = direction.faults
    const delayMs = latencyMs + jitterMs * random()
    if (delayMs > 0 || this.#queue.length > 0) {
      this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + delayMs)
    }
    this.#queue.push({ bytes, dueAt: this.#lastDueAt })
    this.#queuedBytes += bytes.length
    this.work()
  }

  #onEnd(end: 'fin' | 'rst'): void {
    // A sender that said its FIN may still be reset, which takes its other direction down as well.
    if (this.#stopped || this.#ending === end || this.#ending === 'rst') return
    this.#ending = end
    if (end === 'rst') {
      // It overtakes what is on its way, and waits for no room.
      this.#queue.length = 0
      this.#queuedBytes = 0
      this.#waitsForDrain = false
    }
    this.#queueEnd(end)
  }

  #queueEnd(end: 'fin' | 'rst'): void {
    if (this.#init.direction.faults.dropped || this.#hasHole) {
      this.#hasHole = true
      return
    }
    const { latencyMs } = this.#init.direction.faults
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + latencyMs)
    this.#queue.push({ end, dueAt: this.#lastDueAt })
    this.work()
  }

  #mayPass(item: Item): boolean {
    const { stalled, withholdsEnd } = this.#init.direction.faults
    return !stalled && !('end' in item && withholdsEnd)
  }

  #freeAt(item: Item): number {
    const { direction } = this.#init
    return 'end' in item || direction.faults.bytesPerSecond === Number.POSITIVE_INFINITY
      ? 0
      : direction.freeAt
  }

  #write(item: { bytes: Buffer; dueAt: number }): void {
    const { sink, direction } = this.#init
    const { sliceBytes, bytesPerSecond } = direction.faults
    const step = Math.max(1, Math.floor((bytesPerSecond * BANDWIDTH_STEP_MS) / 1000))
    const piece = item.bytes.subarray(0, Math.min(sliceBytes, step))
    item.bytes = item.bytes.subarray(piece.length)
    if (item.bytes.length === 0) this.#queue.shift()
    this.#queuedBytes -= piece.length
    direction.freeAt = Math.max(direction.freeAt, performance.now()) + (piece.length * 1000) / bytesPerSecond
    direction.bytesOut += piece.length
    // `drain` comes after a write that says so, and never for a sink that is gone.
    if (!sink.destroyed && !sink.write(piece)) this.#waitsForDrain = true
  }

  #pass(end: 'fin' | 'rst'): void {
    const { sink } = this.#init
    this.#queue.shift()
    if (end === 'fin') sink.end()
    else sink.resetAndDestroy()
  }

  #dropQueue(): void {
    if (this.#queue.length === 0) return
    this.#drop(this.#queuedBytes)
    this.#queue.length = 0
    this.#queuedBytes = 0
  }

  #drop(count: number): void {
    this.#hasHole = true
    this.#init.direction.bytesDropped += count
  }

  /** Holds the sender back while too much waits. */
  #flow(): void {
    const { source, queueBytesMax } = this.#init
    if (source.destroyed) return
    if (this.#queuedBytes > queueBytesMax) source.pause()
    else if (source.isPaused()) source.resume()
  }
}
