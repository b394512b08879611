/**
 * Watching: changes in commit order, for consumers of any speed.
 *
 * Changes are handed over as they are committed, and wait for a consumer in a buffer of bounded size. One that is
 * too slow for that, or that asks for what was before it came (`since`), is served from the log instead, as
 * `inspect/replay.ts` has it. So nobody misses how a key ended, and nobody's slowness costs memory.
 *
 * Invariants: sequence numbers never decrease from one change to the next; between what is replayed and what is
 * live nothing is left out; a watch that ended, in whatever way, is forgotten.
 */
import type { AbortOptions } from 'abort-error'
import { InvalidOptionError } from './errors.ts'
import type { Change } from './events.ts'

/** What to watch. */
export interface WatchOptions extends AbortOptions {
  /**
   * Only keys whose text starts with it, as in a query.
   *
   * @default '' (all keys)
   */
  prefix?: string
  /** Only what this replica wrote, or only what others did. */
  origin?: 'local' | 'remote'
  /**
   * Begin with what nodes after this sequence number changed: 0 is the beginning of the store, and the `sequence`
   * of the last change that was handled resumes behind it. A node with many keys makes many changes of one number, so
   * whoever may be cut off among them resumes with the number before, and handles some twice.
   *
   * @default what is committed from now on
   */
  since?: number
}

/** @throws InvalidOptionError if it is no sequence number that a store whose newest is `newest` can have given. */
export function checkSince(since: number | undefined, newest: number): void {
  if (since === undefined || (Number.isSafeInteger(since) && since >= 0 && since <= newest)) return
  const hint = 'a greater number is of another store, or of this one before it was lost: begin with 0'
  throw new InvalidOptionError('since', since, `a whole number from 0 to ${newest}, the newest here; ${hint}`)
}

/** What watches read when the buffer does not have it. */
export interface WatchSource {
  /** The changes of nodes from one sequence number to another, both included. */
  replay(from: number, to: number, prefix: string): AsyncGenerator<Change>
}

/** All watches of one store, from its start to its stop. */
export class Watches {
  readonly #source: WatchSource
  readonly #bufferBytesMax: number
  readonly #watches = new Set<Watch>()
  #sequence: number

  /** @param sequence - of the newest commit. */
  constructor(source: WatchSource, bufferBytesMax: number, sequence: number) {
    this.#source = source
    this.#bufferBytesMax = bufferBytesMax
    this.#sequence = sequence
  }

  get isEmpty(): boolean {
    return this.#watches.size === 0
  }

  /** The sequence number of the newest commit that was handed over. */
  get sequence(): number {
    return this.#sequence
  }

  /** Changes of one commit, in order. */
  committed(changes: readonly Change[], sequence: number): void {
    // A purge changes keys and adds no node.
    this.#sequence = Math.max(this.#sequence, sequence)
    for (const watch of this.#watches) watch.push(changes, this.#sequence)
  }

  /** Ends every watch once it has handed over what waits. */
  stop(): void {
    for (const watch of this.#watches) watch.end()
    this.#watches.clear()
  }

  /** Begins at once, not with the first call of `next`. */
  open(options: WatchOptions): AsyncGenerator<Change> {
    const { signal } = options
    signal?.throwIfAborted()
    const watch = new Watch(this.#source, options, this.#bufferBytesMax, this.#sequence)
    const end = (): void => {
      this.#watches.delete(watch)
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      end()
      watch.fail(signal?.reason)
    }
    this.#watches.add(watch)
    signal?.addEventListener('abort', onAbort, { once: true })
    const changes = watch.changes()
    const { return: leave } = changes
    // A generator that was never begun runs no `finally`.
    changes.return = async (value) => {
      end()
      watch.end()
      return await leave.call(changes, value)
    }
    return changes
  }
}

class Watch {
  readonly #source: WatchSource
  readonly #prefix: string
  readonly #origin: WatchOptions['origin']
  readonly #bufferBytesMax: number
  #buffer: Change[] = []
  #bytes = 0
  /** Everything up to this sequence number was handed over. */
  #delivered: number
  /** The newest commit that is handed over or in the buffer. */
  #buffered: number
  /** Whether there is more than the buffer has. */
  #lags: boolean
  #ended = false
  #failure: { reason: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(source: WatchSource, options: WatchOptions, bufferBytesMax: number, sequence: number) {
    const { prefix = '', origin, since } = options
    this.#source = source
    this.#prefix = prefix
    this.#origin = origin
    this.#bufferBytesMax = bufferBytesMax
    this.#delivered = since ?? sequence
    this.#buffered = sequence
    this.#lags = since !== undefined && since < sequence
  }

  push(changes: readonly Change[], sequence: number): void {
    this.#buffered = sequence
    // What is committed while it lags is replayed with the rest.
    if (!this.#lags) {
      for (const change of changes) {
        if (!this.#matches(change)) continue
        this.#buffer.push(change)
        this.#bytes += bytesOf(change)
      }
      if (this.#bytes > this.#bufferBytesMax) this.#lag()
    }
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  fail(reason: unknown): void {
    this.#failure = { reason }
    this.end()
  }

  async *changes(): AsyncGenerator<Change> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      if (this.#lags && !this.#ended) yield* this.#replay()
      else if (this.#buffer.length > 0) yield* this.#drain()
      else if (this.#ended) return
      else await this.#more()
    }
  }

  #matches({ key, origin }: Change): boolean {
    return (this.#origin === undefined || origin === this.#origin) && key.toString().startsWith(this.#prefix)
  }

  #lag(): void {
    this.#buffer = []
    this.#bytes = 0
    this.#lags = true
  }

  async *#replay(): AsyncGenerator<Change> {
    const to = this.#buffered
    // From here on the buffer takes what is committed.
    this.#lags = false
    for await (const change of this.#source.replay(this.#delivered + 1, to, this.#prefix)) {
      if (this.#failure !== undefined || this.#ended) return
      this.#delivered = change.sequence - 1
      if (this.#matches(change)) yield change
    }
    this.#delivered = to
  }

  async *#drain(): AsyncGenerator<Change> {
    const changes = this.#buffer
    const to = this.#buffered
    this.#buffer = []
    for (const change of changes) {
      if (this.#failure !== undefined) return
      this.#bytes -= bytesOf(change)
      this.#delivered = Math.max(this.#delivered, change.sequence - 1)
      yield change
    }
    this.#delivered = to
  }

  async #more(): Promise<void> {
    this.#delivered = this.#buffered
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
    this.#wake = undefined
  }
}

/** About what a change takes in memory. */
function bytesOf({ key, value, previous }: Change): number {
  return 256 + 2 * key.toString().length + (value?.length ?? 0) + (previous?.length ?? 0)
}
