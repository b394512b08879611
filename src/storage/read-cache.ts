/**
 * The values of keys that were read or written lately, and that a key has none, bounded in bytes: what was not used
 * lately goes.
 *
 * A value that is here is read in a twelfth of what LevelDB takes of the main thread, where most of it goes for the way
 * to its thread pool and back.
 *
 * Invariants: whoever reads here sees what a read of the row at the same moment would see. So the rows of a commit are
 * not known while it is under way: until it ends nobody knows whether they are the old ones or the new, and a reader who
 * saw one of them new must not see another one old. And a read during which a commit begins is not kept when it
 * ends. What is kept is a copy of its own, which no caller ever gets.
 */
import type { ChangeSet, Committer } from './commit.ts'
import type { Layout } from './keys.ts'
import { decodeCurrentValue } from './rows.ts'
import { ValueArena } from './value-arena.ts'

/**
 * A commit of so many rows makes known what it wrote: somebody may be about to read it. One of more rows, such as a large
 * batch or a catch-up, only replaces what was known already, or it would drive everything else out.
 */
const ROWS_KNOWN_MAX = 256

/** Longer values are not kept: most of what reading them takes is copying, which this would do as well. */
const VALUE_BYTES_MAX = 64 * 1024

/** Reads that were answered from the cache, and those that it had no answer for. */
export interface ReadCounters {
  cacheHits: number
  cacheMisses: number
}

/** A read of a row that is under way. */
export type ReadTicket = number | undefined

export class ReadCache {
  readonly counters: ReadCounters = { cacheHits: 0, cacheMisses: 0 }
  readonly #layout: Layout
  readonly #generationBytesMax: number
  /**
   * What was used since the last change of generations, and what was used before. When the younger is full it becomes
   * the older, whose values go. What is in both is as the younger has it. Half of what is here is kept strictly; in return
   * a hit moves nothing: to move it to the end of a map in order of use takes 35% longer for one of 8,000.
   */
  #young: ValueArena
  #old: ValueArena
  /** How many commits have begun. */
  #commits = 0
  /** The rows of the commit that is under way. There is one at a time. */
  #committing: ChangeSet['rows'] | undefined

  /** @param bytesMax - more than 0. */
  constructor(layout: Layout, bytesMax: number) {
    this.#layout = layout
    this.#generationBytesMax = bytesMax / 2
    this.#young = new ValueArena(this.#generationBytesMax)
    this.#old = new ValueArena(this.#generationBytesMax)
  }

  /** Bytes that are taken, never more than the limit. */
  get bytes(): number {
    return this.#young.bytes + this.#old.bytes
  }

  /** A value, in bytes that are the caller's own; null if the key has none; undefined if that is not known here. */
  get(row: string): Uint8Array | null | undefined {
    return this.#find(row)?.get(row)
  }

  /** The length of a value; null if the key has none; undefined if that is not known here. */
  size(row: string): number | null | undefined {
    return this.#find(row)?.size(row)
  }

  /** A row that is not here is about to be read. */
  beginRead(row: string): ReadTicket {
    return this.#committing?.has(row) ? undefined : this.#commits
  }

  /** It was read. @param value - undefined if there is no row. */
  endRead(row: string, ticket: ReadTicket, value: Uint8Array | undefined): void {
    // Of any row: to know of which would cost every read more than it saves those that a commit overtakes.
    if (ticket === this.#commits) this.#put(row, value)
  }

  /** A commit begins: until it ends, nothing is known of its rows. */
  beginCommit({ rows }: ChangeSet): void {
    this.#committing = rows
    this.#commits += 1
  }

  /** It is durable. */
  adoptCommit({ rows }: ChangeSet): void {
    this.#committing = undefined
    const isSmall = rows.size <= ROWS_KNOWN_MAX
    for (const [row, bytes] of rows) {
      if (!this.#layout.isCurrent(row) || !(isSmall || this.#young.has(row) || this.#old.has(row))) continue
      this.#put(row, bytes === null ? undefined : decodeCurrentValue(row, bytes))
    }
  }

  /** It failed: what its rows are now is for the next read to find out. */
  abandonCommit({ rows }: ChangeSet): void {
    this.#committing = undefined
    for (const row of rows.keys()) this.#drop(row)
  }

  /** Where a row is known: in the younger generation, from now on. Counts a read. */
  #find(row: string): ValueArena | undefined {
    if (this.#committing?.has(row) || !(this.#young.has(row) || this.#renew(row))) {
      this.counters.cacheMisses += 1
      return undefined
    }
    this.counters.cacheHits += 1
    return this.#young
  }

  /** Takes a row from the older generation into the younger. @returns whether it was there. */
  #renew(row: string): boolean {
    const value = this.#old.get(row)
    if (value === undefined) return false
    this.#put(row, value ?? undefined)
    return true
  }

  #put(row: string, value: Uint8Array | undefined): void {
    if (value !== undefined && value.length > VALUE_BYTES_MAX) {
      this.#drop(row)
      return
    }
    if (this.#young.put(row, value)) return
    const fresh = new ValueArena(this.#generationBytesMax)
    if (fresh.put(row, value)) {
      this.#old = this.#young
      this.#young = fresh
    } else this.#drop(row)
  }

  #drop(row: string): void {
    this.#young.drop(row)
    this.#old.drop(row)
  }
}

/** Keeps a cache in step with what is committed. */
export function cachedCommitter(committer: Committer, cache: ReadCache): Committer {
  return {
    commit(changes) {
      cache.beginCommit(changes)
      return committer.commit(changes).then(
        () => cache.adoptCommit(changes),
        (error: unknown) => {
          cache.abandonCommit(changes)
          throw error
        }
      )
    }
  }
}
