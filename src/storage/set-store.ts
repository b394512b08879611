/**
 * The add-wins set on disk: what a key is now, and working copies of keys for a commit.
 *
 * Invariants: a key without an alive element has no row at all; the current row alone answers a read; alive
 * versions beside the winner have a row each and are counted in the current row, so that a key with one version,
 * the usual one, costs one row and needs no iterator.
 */
import type { BlockId } from '../crdt/delta.ts'
import { type KeyRowChanges, KeyVersions } from '../crdt/or-set.ts'
import type { Version } from '../crdt/winner.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import type { ChangeSet } from './commit.ts'
import type { Layout } from './keys.ts'
import type { ReadCache, ReadCounters, ReadTicket } from './read-cache.ts'
import type { RowStore } from './row-store.ts'
import {
  type CurrentRow,
  decodeCurrent,
  decodeCurrentValue,
  decodeDagNames,
  decodePriority,
  encodeCurrent,
  encodeDagNames,
  encodePriority
} from './rows.ts'

/** A key and its value. */
export interface Entry {
  key: string
  value: Uint8Array
}

export class SetStore {
  readonly #rows: RowStore
  readonly #layout: Layout
  readonly #cache: ReadCache | undefined

  /** @param cache - of values; whoever commits keeps it in step. */
  constructor(rows: RowStore, layout: Layout, cache?: ReadCache) {
    this.#rows = rows
    this.#layout = layout
    this.#cache = cache
  }

  /** Zero where there is no cache. */
  get counters(): ReadCounters {
    return this.#cache?.counters ?? { cacheHits: 0, cacheMisses: 0 }
  }

  /** The value of a key, in bytes that are the caller's own; at once where it was read or written lately. */
  value(key: string): Eventual<Uint8Array | undefined> {
    const row = this.#layout.current(key)
    const known = this.#cache?.get(row)
    if (known === undefined) return this.#readValue(row)
    return known ?? undefined
  }

  /** The values of keys, in their order, in bytes that are the caller's own: those that are not known here together. */
  async values(keys: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    const rows = keys.map((key) => this.#layout.current(key))
    const known = rows.map((row) => this.#cache?.get(row))
    const unknown = rows.filter((_, index) => known[index] === undefined)
    const read = unknown.length === 0 ? [] : await this.#readValues(unknown)
    let next = 0
    return known.map((value) => (value === undefined ? read[next++] : (value ?? undefined)))
  }

  /** The length of a key's value, where it has one. */
  size(key: string): Eventual<number | undefined> {
    const row = this.#layout.current(key)
    const known = this.#cache?.size(row)
    if (known !== undefined) return known ?? undefined
    return this.#readValue(row).then((value) => value?.length)
  }

  async #readValue(row: string): Promise<Uint8Array | undefined> {
    const ticket = this.#cache?.beginRead(row)
    return this.#valueRead(row, ticket, await this.#rows.get(row))
  }

  async #readValues(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    const tickets = rows.map((row) => this.#cache?.beginRead(row))
    const found = await this.#rows.readMany(rows)
    return rows.map((row, index) => this.#valueRead(row, tickets[index], found[index]))
  }

  /** A row was read: what is there is remembered. */
  #valueRead(row: string, ticket: ReadTicket, bytes: Uint8Array | undefined): Uint8Array | undefined {
    const value = bytes === undefined ? undefined : decodeCurrentValue(row, bytes)
    this.#cache?.endRead(row, ticket, value)
    return value
  }

  /** The version whose value the key has. */
  async winner(key: string): Promise<Version | undefined> {
    const row = this.#layout.current(key)
    const bytes = await this.#rows.get(row)
    return bytes === undefined ? undefined : decodeCurrent(row, bytes).winner
  }

  /** Every alive version of a key, in no order: the winner is among them. */
  async *alive(key: string): AsyncGenerator<{ id: BlockId; priority: bigint }> {
    const row = this.#layout.current(key)
    const bytes = await this.#rows.get(row)
    if (bytes === undefined) return
    yield decodeCurrent(row, bytes).winner
    for await (const { row, value } of this.#rows.scan(this.#layout.others(key))) {
      yield { id: this.#layout.idOf(row), priority: decodePriority(row, value) }
    }
  }

  /** Keys that start with a prefix, with their values, in hands as the datastore gives them. */
  async *entries(prefix: string): AsyncGenerator<Entry[]> {
    for await (const rows of this.#rows.scanHands(this.#layout.currentPrefix(prefix))) {
      const entries: Entry[] = []
      for (const { row, value } of rows) {
        const key = this.#layout.keyOfCurrent(row)
        if (key.startsWith(prefix)) entries.push({ key, value: decodeCurrentValue(row, value) })
      }
      yield entries
    }
  }

  /** Keys that start with a prefix, in hands. Values are not read. */
  async *keys(prefix: string): AsyncGenerator<string[]> {
    for await (const rows of this.#rows.scanKeyHands(this.#layout.currentPrefix(prefix))) {
      yield rows.map((row) => this.#layout.keyOfCurrent(row)).filter((key) => key.startsWith(prefix))
    }
  }

  /**
   * Working copies of keys, without their other versions and tombstones, which most commits never ask for; at once
   * where their rows are read at once.
   */
  load(keys: readonly string[]): Eventual<KeyVersions[]> {
    const rows = keys.map((key) => this.#layout.current(key))
    return whenReady(this.#rows.getMany(rows), (values) =>
      keys.map((key, index) => {
        const value = values[index]
        const current = value === undefined ? undefined : decodeCurrent(rows[index] as string, value)
        return new KeyVersions(key, current?.winner, current?.otherCount ?? 0)
      })
    )
  }

  /** A key's winner and the number of its other versions, at once where the row is read at once. */
  current(key: string): Eventual<CurrentRow | undefined> {
    const row = this.#layout.current(key)
    return whenReady(this.#rows.getMany([row]), ([value]) =>
      value === undefined ? undefined : decodeCurrent(row, value)
    )
  }

  /** Puts into a commit that a version wins over the winner that a key had, which stays alive. */
  putWinner(key: string, winner: Version, before: CurrentRow | undefined, changes: ChangeSet): void {
    const otherCount = before === undefined ? 0 : before.otherCount + 1
    this.#writeCurrent(key, { winner, otherCount }, changes)
    if (before === undefined) return
    const { id, priority } = before.winner
    changes.put(this.#layout.other(key, id), encodePriority(priority))
  }

  /** Completes a working copy with the alive versions beside the winner. */
  async loadOthers(versions: KeyVersions): Promise<void> {
    const others: Array<{ id: BlockId; priority: bigint }> = []
    for await (const { row, value } of this.#rows.scan(this.#layout.others(versions.key))) {
      others.push({ id: this.#layout.idOf(row), priority: decodePriority(row, value) })
    }
    versions.loadOthers(others)
  }

  /** Completes working copies with the tombstones remembered for these pairs. */
  async loadTombstones(pairs: ReadonlyArray<{ versions: KeyVersions; id: BlockId }>): Promise<void> {
    const rows = pairs.map(({ versions, id }) => this.#layout.tombstone(versions.key, id))
    const values = await this.#rows.getMany(rows)
    for (const [index, { versions, id }] of pairs.entries()) {
      const value = values[index]
      if (value !== undefined) versions.loadTombstone(id, decodeDagNames(rows[index] as string, value))
    }
  }

  /** Puts what changed for a key into a commit. */
  write(key: string, changed: KeyRowChanges, changes: ChangeSet): void {
    if (changed.current === null) changes.delete(this.#layout.current(key))
    else if (changed.current !== undefined) this.#writeCurrent(key, changed.current, changes)
    for (const { id, priority } of changed.othersPut) {
      changes.put(this.#layout.other(key, id), encodePriority(priority))
    }
    for (const id of changed.othersDeleted) changes.delete(this.#layout.other(key, id))
    for (const { id, dagNames } of changed.tombstones) {
      const row = this.#layout.tombstone(key, id)
      if (dagNames.length === 0) changes.delete(row)
      else changes.put(row, encodeDagNames(dagNames))
    }
  }

  #writeCurrent(key: string, current: CurrentRow, changes: ChangeSet): void {
    changes.put(this.#layout.current(key), encodeCurrent(current))
  }
}
