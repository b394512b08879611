/**
 * A disk that outlives the processes which use it: what was written, what of it is safe, and how it fails.
 *
 * It keeps what a log-structured store such as LevelDB keeps. Writes go into one log; a crash of the process leaves all
 * of it, because the operating system has it; a loss of power leaves what was flushed, and of the rest a beginning of
 * chance length, because a record that was not written whole is not found.
 *
 * Invariants: a write is there as a whole or not at all; a write that was flushed is never lost; reads see every write
 * that was made, flushed or not.
 */
import type { Random } from '../../replica/ports.ts'
import { below } from '../seeded-random.ts'

/** The rows of a write; `undefined` for one that is deleted. */
export type Write = ReadonlyMap<string, Uint8Array | undefined>

/** How a disk is to fail, decided for each write by its number, counted from 1. */
export interface DiskFaults {
  /** Whether the write fails, and nothing of it is made. */
  failWrite?: ((write: number) => boolean) | undefined
  /** Whether the write is made and fails all the same, as one whose answer was lost. */
  failAfterWrite?: ((write: number) => boolean) | undefined
  /** Whether a read fails. */
  failRead?: (() => boolean) | undefined
  /** The process dies at this write: it is not made, nor is any after it. */
  stopAt?: number | undefined
  /** How long a write takes, in virtual milliseconds. */
  writeMs?: (() => number) | undefined
}

/** A disk. A test can set its `faults`, take its power and copy it. */
export class SimulatedDisk {
  /** How it fails from now on; an empty object for not at all. */
  faults: DiskFaults = {}
  /** Writes that were asked for, failed ones included. */
  writes = 0
  /** Called when the disk stops its process. */
  onStop: () => void = () => {}
  readonly #rows: Map<string, Uint8Array>
  /** What each write since the last flush replaced, oldest first, so that it can be undone. */
  #unflushed: Array<Map<string, Uint8Array | undefined>> = []

  /** @param rows - what it holds, all of it safe. */
  constructor(rows: Iterable<readonly [string, Uint8Array]> = []) {
    this.#rows = new Map(rows)
  }

  /** The row, as it was last written. */
  get(row: string): Uint8Array | undefined {
    return this.#rows.get(row)
  }

  /** The rows whose keys are wanted, in the order of their keys, as of now. */
  select(isWanted: (row: string) => boolean): Array<[string, Uint8Array]> {
    const found: Array<[string, Uint8Array]> = []
    for (const entry of this.#rows) if (isWanted(entry[0])) found.push(entry)
    return found.sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** All rows, in no order. */
  entries(): IterableIterator<[string, Uint8Array]> {
    return this.#rows.entries()
  }

  /** How many rows there are. */
  get size(): number {
    return this.#rows.size
  }

  /** Writes rows in one piece. */
  write(changes: Write): void {
    const replaced = new Map<string, Uint8Array | undefined>()
    for (const [row, value] of changes) {
      replaced.set(row, this.#rows.get(row))
      if (value === undefined) this.#rows.delete(row)
      else this.#rows.set(row, value)
    }
    this.#unflushed.push(replaced)
  }

  /** Everything that was written so far is safe. */
  flush(): void {
    this.#unflushed = []
  }

  /**
   * Takes back what a loss of power at this moment destroys: writes that were not flushed, the newest first.
   *
   * @returns how many writes were lost.
   */
  losePower(random: Random): number {
    const lost = below(random, this.#unflushed.length + 1)
    for (const replaced of this.#unflushed.splice(this.#unflushed.length - lost).reverse()) {
      for (const [row, value] of replaced) {
        if (value === undefined) this.#rows.delete(row)
        else this.#rows.set(row, value)
      }
    }
    this.flush()
    return lost
  }

  /** A copy of what it holds, without its faults: a backup, or what a machine finds after a crash. */
  copy(): SimulatedDisk {
    return new SimulatedDisk(this.#rows)
  }
}
