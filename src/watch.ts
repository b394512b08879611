/**
 * Watching: changes in commit order, for consumers of any speed.
 *
 * Changes are handed over as they are committed, and wait for a consumer in a buffer of bounded size. One that is
 * too slow for that, or that asks for what was before it came (`since`), is served from the log instead, as
 * `inspect/replay.ts` has it. So nobody misses how a key ended, and nobody's slowness costs memory.
 *
 * Invariants: sequence numbers never decrease from one change to the next; between what is replayed and what is
 * live nothing is left out, but for what a purge took out of the log; a watch that ended, in whatever way, is
 * forgotten.
 */
import type { AbortOptions } from 'abort-error'
import { untilAbortedEach } from './abort.ts'
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
   * whoever may be cut off among them resumes with the number before, and handles some twice. What `dag.purge` takes
   * out is told to those who watch meanwhile and keep up with it, and to nobody afterwards: it leaves no node behind.
   *
   * @default what is committed from now on
   */
  since?: number
}

/**
 * @param newest - the newest sequence number that the store has given.
 * @throws InvalidOptionError naming the option.
 */
export function checkWatchOptions({ prefix, origin, since }: WatchOptions, newest: number): void {
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw new InvalidOptionError('prefix', prefix, 'the text that keys start with')
  }
  if (origin !== undefined && origin !== 'local' && origin !== 'remote') {
    throw new InvalidOptionError('origin', origin, "'local' or 'remote'")
  }
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

  /** Changes of one commit, in order. */
  committed(changes: readonly Change[], sequence: number): void {
    // A purge changes keys and adds no node.
    const addsNodes = sequence > this.#sequence
    this.#sequence = Math.max(this.#sequence, sequence)
    for (const watch of this.#watches) watch.push(changes, this.#sequence, addsNodes)
  }

  /** Ends every watch once it has handed over what waits. */
  stop(): void {
    for (const watch of this.#watches) watch.end()
  }

  /** The store cannot be read any more: every watch rejects once it has handed over what waits. */
  fail(reason: unknown): void {
    for (const watch of this.#watches) watch.fail(reason)
  }

  /** Begins at once, not with the first call of `next`. */
  open(options: WatchOptions): AsyncGenerator<Change> {
    options.signal?.throwIfAborted()
    const watch: Watch = new Watch({
      ...{ source: this.#source, options, bufferBytesMax: this.#bufferBytesMax, sequence: this.#sequence },
      onEnd: () => this.#watches.delete(watch)
    })
    this.#watches.add(watch)
    return watch.open()
  }
}

interface WatchInit {
  source: WatchSource
  options: WatchOptions
  bufferBytesMax: number
  /** Of the newest commit. */
  sequence: number
  onEnd(): void
}

class Watch {
  readonly #init: WatchInit
  /** Aborted when it ends, so that no reading of the log holds that up. */
  readonly #end = new AbortController()
  #buffer: Change[] = []
  /** Of what is in the buffer and what was taken out of it to be handed over. */
  #bytes = 0
  #bytesTaken = 0
  /** Everything up to this sequence number was handed over, or is about to be. */
  #delivered: number
  /** The newest commit that is handed over or in the buffer. */
  #buffered: number
  /** Whether there is more than the buffer has. */
  #lags: boolean
  #failure: { reason: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(init: WatchInit) {
    const { options, sequence } = init
    this.#init = init
    this.#delivered = options.since ?? sequence
    this.#buffered = Math.max(this.#delivered, sequence)
    this.#lags = this.#delivered < sequence
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  open(): AsyncGenerator<Change> {
    const changes = this.#changes()
    const { return: leave, throw: fail } = changes
    // A generator that was never begun runs no `finally`, and one that waits would be left only after its wait.
    changes.return = async (value) => {
      this.end()
      return await leave.call(changes, value)
    }
    changes.throw = async (error) => {
      this.end()
      return await fail.call(changes, error)
    }
    return changes
  }

  push(changes: readonly Change[], sequence: number, addsNodes: boolean): void {
    const { since = 0 } = this.#init.options
    this.#buffered = Math.max(this.#buffered, sequence)
    // What is committed while it lags is replayed with the rest.
    if (!this.#lags) {
      for (const change of changes) {
        // A commit is told a moment after it can be read, so that `since` may name it already.
        if (!this.#matches(change) || (addsNodes && change.sequence <= since)) continue
        this.#buffer.push(change)
        this.#bytes += bytesOf(change)
      }
      if (this.#bytes > this.#init.bufferBytesMax) this.#lag()
    }
    this.#wake?.()
  }

  /** Takes nothing more. What waits in the buffer is still handed over, unless it is aborted. */
  end(): void {
    if (this.#hasEnded) return
    this.#end.abort()
    this.#init.options.signal?.removeEventListener('abort', this.#onAbort)
    this.#init.onEnd()
    this.#wake?.()
  }

  fail(reason: unknown): void {
    this.#failure = { reason }
    this.end()
  }

  readonly #onAbort = (): void => this.end()

  get #hasEnded(): boolean {
    return this.#end.signal.aborted
  }

  async *#changes(): AsyncGenerator<Change> {
    const { signal } = this.#init.options
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (this.#lags && !this.#hasEnded) yield* this.#replay()
        else if (this.#buffer.length > 0) yield* this.#drain()
        else if (this.#failure !== undefined) throw this.#failure.reason
        else if (this.#hasEnded) return
        else await this.#more()
      }
    } finally {
      this.end()
    }
  }

  #matches({ key, origin }: Change): boolean {
    const { prefix = '', origin: wanted } = this.#init.options
    return (wanted === undefined || origin === wanted) && key.toString().startsWith(prefix)
  }

  #lag(): void {
    this.#buffer = []
    this.#bytes = this.#bytesTaken
    this.#lags = true
  }

  async *#replay(): AsyncGenerator<Change> {
    const { source, options } = this.#init
    const to = this.#buffered
    // From here on the buffer takes what is committed.
    this.#lags = false
    try {
      const changes = source.replay(this.#delivered + 1, to, options.prefix ?? '')
      for await (const change of untilAbortedEach(changes, this.#end.signal)) {
        if (this.#matches(change)) yield change
      }
      this.#delivered = to
    } catch (error) {
      if (error !== this.#end.signal.reason) throw error
      // What came after the part that was not replayed must not follow the part that was.
      this.#lag()
    }
  }

  async *#drain(): AsyncGenerator<Change> {
    const changes = this.#buffer
    const to = this.#buffered
    this.#buffer = []
    this.#bytesTaken = this.#bytes
    for (const change of changes) {
      if (this.#init.options.signal?.aborted) return
      const bytes = bytesOf(change)
      this.#bytesTaken -= bytes
      this.#bytes -= bytes
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
