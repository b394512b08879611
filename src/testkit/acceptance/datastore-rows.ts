/**
 * What the tests of a datastore share: what they are given, and rows of many kinds.
 */
import assert from 'node:assert/strict'
import { type Datastore, Key } from 'interface-datastore'

/** A datastore to be tried, empty and open. */
export interface DatastoreUnderTest {
  datastore: Datastore
  /**
   * Whether its `batch()` is all or nothing, as the store's option of that name says it; then the suite holds it to that.
   *
   * @default false
   */
  atomicBatch?: boolean
  /**
   * Ends whatever uses the data now, as a crash of the process does if that can be had, and opens it anew. It is called
   * at any moment, also in the middle of a write. Without it the tests of what survives are passed over.
   */
  reopen?(): Promise<Datastore>
  /** Closes the datastore that is open, and removes its data. */
  end(): Promise<void>
  /** How many iterators are open; for a check that those which are left early are closed. */
  openIterators?(): number
}

/** Defines a test with a datastore of its own. */
export type WithDatastore = (
  name: string,
  run: (datastore: Datastore, made: DatastoreUnderTest) => Promise<void>
) => void

/** Bytes that tell their length and their number, all over. */
export function bytesOf(length: number, number = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = index * 31 + number * 7 + length
  return bytes
}

/** A key like those of rows, without being cleaned. */
export function row(key: string): Key {
  return new Key(key, false)
}

/** All rows of a prefix. */
export async function rowsOf(datastore: Datastore, prefix: string): Promise<Map<string, Uint8Array>> {
  const rows = new Map<string, Uint8Array>()
  for await (const { key, value } of datastore.query({ prefix })) {
    assert.ok(!rows.has(key.toString()), `${key} comes once`)
    rows.set(key.toString(), value)
  }
  return rows
}

/** Whether two pieces of bytes are equal, without a message of a megabyte. */
export function assertBytes(shown: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  const isSame = shown !== undefined && Buffer.compare(shown, expected) === 0
  assert.ok(isSame, `${what} is not as it was put: ${shown?.length} bytes, and ${expected.length} were put`)
}
