/**
 * The values of keys that were read or written lately, and that a key has none, bounded in bytes: what was not used
 * lately goes.
 *
 * A value that is here is read in a thirteenth of what LevelDB takes of the main thread, where most of it goes for the way
 * to its thread pool and back.
 *
 * Invariants: whoever reads here sees what a read of the row at the same moment would see. So the rows of a commit are
 * not here while it is under way: until it ends nobody knows whether they are the old ones or the new, and a reader who
 * saw one of them new must not see another one old. And a read that began before a commit of its row is not kept when
 * it ends. What is kept is a copy of its own, which no caller ever gets.
 */
import type { ChangeSet, Committer } from './commit.ts'
import type { Layout } from './keys.ts'
import { decodeCurrentValue } from './rows.ts'

/** What an entry takes beside its text and its value: string, places in maps, view, buffer. As measured in Node 24. */
const ENTRY_BYTES = 450
/**
 * A commit of so many keys makes known what it wrote: somebody may be about to read it. One of more keys, such as a large
 * batch or a catch-up, only replaces what was known already, or it would drive everything else out.
 */
const KEYS_KNOWN_MAX = 64

/** Reads that were answered from the cache, and those that it had no answer for. */
export interface ReadCounters {
  cacheHits: number
  cacheMisses: number
}

/** A read of a row that is under way. */
export type ReadTicket = number | undefined

/** Values in the order in which they came: a generation. */
class Generation {
  readonly values = new Map<string, Uint8Array | null>()
  bytes = 0

  /** @returns whether it was there. */
  drop(row: string): boolean {
    const value = this.values.get(row)
    if (value === undefined) return false
    this.values.delete(row)
    this.bytes -= bytesOf(row, value)
    return true
  }
}

export class ReadCache {
  readonly counters: ReadCounters = { cacheHits: 0, cacheMisses: 0 }
  readonly #layout: Layout
  readonly #generationBytesMax: number
  /**
   * What was used since the last change of generations, and what was used before. When the younger is full it becomes
   * the older, whose values go. Half of what is here is kept strictly; in return a hit is one lookup. With a map in
   * order of use a hit among 8,000 values takes 38% longer.
   */
  #young = new Generation()
  #old = new Generation()
  /** Reads whose value may be kept when they end: the newest one of each row. */
  readonly #reads = new Map<string, number>()
  #readCount = 0
  /** The rows of the commit that is under way. There is one at a time. */
  #committing: ChangeSet['rows'] | undefined

  /** @param bytesMax - more than 0. */
  constructor(layout: Layout, bytesMax: number) {
    this.#layout = layout
    this.#generationBytesMax = bytesMax / 2
  }

  /** Bytes that are taken, never more than the limit. */
  get bytes(): number {
    return this.#young.bytes + this.#old.bytes
  }

  /** A value, not to be handed out or changed; null if the key has none; undefined if that is not known here. */
  get(row: string): Uint8Array | null | undefined {
    let value = this.#young.values.get(row)
    if (value === undefined) {
      value = this.#old.values.get(row)
      if (value === undefined) {
        this.counters.cacheMisses += 1
        return undefined
      }
      this.#old.drop(row)
      this.#add(row, value)
    }
    this.counters.cacheHits += 1
    return value
  }

  /** A row that is not here is about to be read. */
  beginRead(row: string): ReadTicket {
    if (this.#committing?.has(row)) return undefined
    this.#readCount += 1
    this.#reads.set(row, this.#readCount)
    return this.#readCount
  }

  /** It was read. @param value - undefined if there is no row. */
  endRead(row: string, ticket: ReadTicket, value: Uint8Array | undefined): void {
    if (this.#forget(row, ticket)) this.#put(row, value)
  }

  /** It could not be read. */
  failRead(row: string, ticket: ReadTicket): void {
    this.#forget(row, ticket)
  }

  /**
   * A commit begins: nothing is known of its rows until it ends.
   *
   * @returns what to call once it is durable, and what to call if it failed.
   */
  beginCommit({ rows }: ChangeSet): { adopt(): void; abandon(): void } {
    this.#committing = rows
    const keys: string[] = []
    const known: string[] = []
    for (const row of rows.keys()) {
      if (!this.#layout.isCurrent(row)) continue
      this.#reads.delete(row)
      keys.push(row)
      if (this.#drop(row)) known.push(row)
    }
    const abandon = (): void => {
      this.#committing = undefined
    }
    const adopt = (): void => {
      abandon()
      for (const row of keys.length <= KEYS_KNOWN_MAX ? keys : known) {
        const bytes = rows.get(row) ?? undefined
        this.#put(row, bytes === undefined ? undefined : decodeCurrentValue(row, bytes))
      }
    }
    return { adopt, abandon }
  }

  /** Keeps a copy of what is not here: a row that is being read or committed never is. */
  #put(row: string, value: Uint8Array | undefined): void {
    if (bytesOf(row, value) > this.#generationBytesMax) return
    this.#add(row, value === undefined ? null : new Uint8Array(value))
  }

  #add(row: string, value: Uint8Array | null): void {
    const bytes = bytesOf(row, value)
    if (this.#young.bytes + bytes > this.#generationBytesMax) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    this.#young.values.set(row, value)
    this.#young.bytes += bytes
  }

  /** @returns whether it was there. */
  #drop(row: string): boolean {
    return this.#young.drop(row) || this.#old.drop(row)
  }

  /** @returns whether this was the newest read of its row, and no commit of it has begun since. */
  #forget(row: string, ticket: ReadTicket): boolean {
    return ticket !== undefined && this.#reads.get(row) === ticket && this.#reads.delete(row)
  }
}

function bytesOf(row: string, value: Uint8Array | null | undefined): number {
  return ENTRY_BYTES + row.length + (value?.length ?? 0)
}

/** Keeps a cache in step with what is committed. */
export function cachedCommitter(committer: Committer, cache: ReadCache): Committer {
  return {
    commit(changes) {
      const { adopt, abandon } = cache.beginCommit(changes)
      return committer.commit(changes).then(adopt, (error: unknown) => {
        abandon()
        throw error
      })
    }
  }
}
