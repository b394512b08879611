// A stream of libp2p 3 whose other end is the test.
import { Uint8ArrayList } from 'uint8arraylist'

export class FakeMessageStream extends EventTarget {
  status = 'open'
  readStatus = 'readable'
  remoteWriteStatus = 'writable'
  readBufferLength = 0
  maxReadBufferLength = 4 * 1024 * 1024
  direction = 'outbound'
  writableNeedsDrain = false
  full = false
  readonly sent: Uint8Array[] = []
  #buffered: Uint8Array[] = []

  send(bytes: Uint8Array | Uint8ArrayList): boolean {
    this.sent.push(bytes.subarray())
    this.writableNeedsDrain = this.full
    return !this.full
  }

  drain(): void {
    this.full = false
    this.dispatchEvent(new Event('drain'))
    queueMicrotask(() => {
      this.writableNeedsDrain = false
    })
  }

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
    const all = this.#buffered.splice(0)
    this.readBufferLength = 0
    if (all.length > 0) this.#deliver(new Uint8ArrayList(...all))
    if (this.remoteWriteStatus === 'closed') this.readStatus = 'closed'
  }

  receive(...parts: Uint8Array[]): void {
    if (this.readStatus === 'readable') {
      this.#deliver(new Uint8ArrayList(...parts))
      return
    }
    this.#buffered.push(...parts)
    this.readBufferLength += parts.reduce((sum, part) => sum + part.length, 0)
  }

  receiveEnd(): void {
    this.remoteWriteStatus = 'closed'
    this.dispatchEvent(new Event('remoteCloseWrite'))
  }

  async close(): Promise<void> {
    this.status = 'closing'
  }

  abort(error: Error): void {
    this.status = 'aborted'
    this.dispatchEvent(Object.assign(new Event('close'), { error }))
  }

  #deliver(data: Uint8ArrayList): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
}
