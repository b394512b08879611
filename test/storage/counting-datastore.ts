// A datastore that counts what is asked of it, for tests of cost: rows, never time.
import { MemoryDatastore } from 'datastore-core'
import type { Key, KeyQuery, Pair, Query } from 'interface-datastore'

export class CountingDatastore extends MemoryDatastore {
  /** Rows that were read by their key. */
  gets = 0
  /** Rows, with their values, that queries gave. */
  rowsQueried = 0
  /** Keys that queries for keys gave. */
  keysQueried = 0
  /** Rows that were written or deleted. */
  writes = 0

  reset(): void {
    this.gets = 0
    this.rowsQueried = 0
    this.keysQueried = 0
    this.writes = 0
  }

  /** Everything that was read, whatever the way. */
  get reads(): number {
    return this.gets + this.rowsQueried + this.keysQueried
  }

  override get(key: Key): Uint8Array | Promise<Uint8Array> {
    this.gets += 1
    return super.get(key)
  }

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    this.writes += 1
    return super.put(key, value)
  }

  override delete(key: Key): void | Promise<void> {
    this.writes += 1
    return super.delete(key)
  }

  override async *query(query: Query): AsyncGenerator<Pair> {
    for await (const pair of super.query(query)) {
      this.rowsQueried += 1
      yield pair
    }
  }

  override async *queryKeys(query: KeyQuery): AsyncGenerator<Key> {
    for await (const key of super.queryKeys(query)) {
      this.keysQueried += 1
      yield key
    }
  }
}
