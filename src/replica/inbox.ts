/**
 * Heads that peers told us of, by gossip or in a hello, one message after the other.
 *
 * Invariants: what waits to be handled is bounded in bytes, and what exceeds it is dropped and counted, since
 * every head is said again; no message can make the next one fail; handling a head never waits for a fetch.
 */
import type { AnnouncedHead } from '../codec/broadcast.ts'
import { announcedHeadSize } from '../codec/broadcast.ts'
import type { PeerName } from './ports.ts'

/** Heads that one peer told at once. */
export interface HeardHeads {
  heads: readonly AnnouncedHead[]
  from: PeerName
  /** Whether they were said to everybody, and so are likely to be one block ahead. */
  gossip: boolean
}

export interface InboxInit {
  bytesMax: number
  handle(head: AnnouncedHead, heard: HeardHeads): Promise<void>
  onDropped(heard: HeardHeads): void
  onError(error: unknown): void
}

export class Inbox {
  readonly #init: InboxInit
  readonly #waiting: HeardHeads[] = []
  #bytes = 0
  #running: Promise<void> | undefined
  #stopped = false

  constructor(init: InboxInit) {
    this.#init = init
  }

  push(heard: HeardHeads): void {
    if (this.#stopped) return
    const bytes = sizeOf(heard)
    if (this.#waiting.length > 0 && this.#bytes + bytes > this.#init.bytesMax) {
      this.#init.onDropped(heard)
      return
    }
    this.#waiting.push(heard)
    this.#bytes += bytes
    this.#running ??= this.#run()
  }

  /** Resolves when everything that was pushed so far is handled. */
  async idle(): Promise<void> {
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.length = 0
    await this.#running
  }

  async #run(): Promise<void> {
    for (let heard = this.#waiting.shift(); heard !== undefined; heard = this.#waiting.shift()) {
      this.#bytes -= sizeOf(heard)
      for (const head of heard.heads) {
        if (this.#stopped) break
        try {
          await this.#init.handle(head, heard)
        } catch (error) {
          this.#init.onError(error)
        }
      }
    }
    this.#bytes = 0
    this.#running = undefined
  }
}

function sizeOf({ heads }: HeardHeads): number {
  return heads.reduce((sum, head) => sum + announcedHeadSize(head), 0)
}
