/**
 * What happened in a world, line by line, with the virtual time of each.
 *
 * Invariants: every line goes into the hash, so that two runs with one hash did the same, byte by byte; only the
 * newest lines are kept, so that a long run needs no more memory than a short one.
 */
import { createHash } from 'node:crypto'

/** Lines that are kept for a failure's report. */
const LINES_KEPT = 20_000

/** The lines of a world. */
export class Trace {
  readonly #now: () => number
  readonly #hash = createHash('sha256')
  readonly #lines: string[] = []
  #count = 0

  /** @param now - the virtual time. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Adds a line. Values have to be written the same way in every run. */
  add(actor: string, what: string, detail = ''): void {
    const line = `${this.#now().toFixed(3)} ${actor} ${what}${detail === '' ? '' : ` ${detail}`}`
    this.#hash.update(line).update('\n')
    this.#count++
    this.#lines.push(line)
    if (this.#lines.length >= 2 * LINES_KEPT) this.#lines.splice(0, LINES_KEPT)
  }

  /** How many lines there were in all. */
  get count(): number {
    return this.#count
  }

  /** The newest lines. */
  lines(): readonly string[] {
    return this.#lines.slice(-LINES_KEPT)
  }

  /** Equal for two runs that did the same. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
