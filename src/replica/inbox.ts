/**
 * Heads that peers told us of, by gossip or in a hello, one message after the other.
 *
 * Invariants: what waits to be handled is bounded in bytes, and what exceeds it is dropped and counted, since
 * every head is said again; no message can make the next one fail; handling a head never waits for a fetch.
 */
import { untilAborted } from '../abort.ts'
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
  /** Who waits until a message is handled. */
  readonly #watchers = new Map<HeardHeads, Array<() => void>>()
  #handling: HeardHeads | undefined
  #bytes = 0
  #running: Promise<void> | undefined
  #stopped = false

  constructor(init: InboxInit) {
    this.#init = init
  }

  push(heard: HeardHeads): void {
    // A message without heads would take room and be of no size.
    if (this.#stopped || heard.heads.length === 0) return
    const bytes = sizeOf(heard)
    if (this.#waiting.length > 0 && this.#bytes + bytes > this.#init.bytesMax) {
      this.#init.onDropped(heard)
      return
    }
    this.#waiting.push(heard)
    this.#bytes += bytes
    this.#running ??= this.#run()
  }

  /** Resolves when everything that was pushed so far is handled, whatever comes meanwhile. */
  async handled(signal?: AbortSignal): Promise<void> {
    const last = this.#waiting.at(-1) ?? this.#handling
    if (last === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#watchers.set(last, [...(this.#watchers.get(last) ?? []), resolve])
    await untilAborted(promise, signal)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const heard of this.#waiting.splice(0)) this.#handled(heard)
    await this.#running
  }

  async #run(): Promise<void> {
    // Not before `push` knows that it runs: it would call it running once it has ended.
    await undefined
    for (let heard = this.#waiting.shift(); heard !== undefined; heard = this.#waiting.shift()) {
      this.#bytes -= sizeOf(heard)
      this.#handling = heard
      for (const head of heard.heads) {
        if (this.#stopped) break
        try {
          await this.#init.handle(head, heard)
        } catch (error) {
          this.#init.onError(error)
        }
      }
      this.#handling = undefined
      this.#handled(heard)
    }
    this.#bytes = 0
    this.#running = undefined
  }

  #handled(heard: HeardHeads): void {
    for (const resolve of this.#watchers.get(heard) ?? []) resolve()
    this.#watchers.delete(heard)
  }
}

function sizeOf({ heads }: HeardHeads): number {
  return heads.reduce((sum, head) => sum + announcedHeadSize(head), 0)
}
