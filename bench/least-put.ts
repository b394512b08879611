/**
 * The least that any awaited put of a Merkle-CRDT over LevelDB does, in a straight line and without a check: it asks whether
 * the key has a value, puts a node of the usual size together, hashes it, hashes the element for the digest, and writes the
 * four rows in one atomic batch: the node's block, where it stands in the log, the key's value, and the state.
 */
import { hash } from 'node:crypto'
import type { LevelDatastore } from 'datastore-level'
import type { Entry } from './workload.ts'

const ENCODINGS = { keyEncoding: 'utf8', valueEncoding: 'view' } as const
/** Clock, sequence number, digest, counters and one head. */
const STATE = new Uint8Array(90)
/** A link, and what a block holds besides it, the key and the value. */
const FRAMING_BYTES = 30

/** The parts of classic-level that are used. */
interface Level {
  getSync(key: string, options: object): Uint8Array | undefined
  batch(operations: Array<{ type: 'put'; key: string; value: Uint8Array }>, options: object): Promise<void>
}

export class LeastPuts {
  readonly #level: Level
  #head = new Uint8Array(32 + FRAMING_BYTES)
  #sequence = 0

  constructor({ db }: LevelDatastore) {
    this.#level = db as unknown as Level
  }

  async putOneByOne(entries: readonly Entry[]): Promise<void> {
    for (const { key, value } of entries) await this.#put(key.toString(), value)
  }

  #put(key: string, value: Uint8Array): Promise<void> {
    const row = `/crdt/k${key}`
    this.#level.getSync(row, ENCODINGS)
    const block = Buffer.concat([this.#head, Buffer.from(key), value])
    const digest = hash('sha256', block, 'buffer')
    hash('sha256', Buffer.concat([digest, Buffer.from(key)]), 'buffer')
    this.#head.set(digest)
    const sequence = (this.#sequence++).toString(16).padStart(14, '0')
    return this.#level.batch(
      [
        { type: 'put', key: `/crdt/a/${digest.toString('hex')}`, value: digest.subarray(0, 6) },
        { type: 'put', key: `/crdt/b/${sequence}`, value: Buffer.concat([digest, block]) },
        { type: 'put', key: row, value: Buffer.concat([digest, value]) },
        { type: 'put', key: '/crdt/s', value: STATE }
      ],
      ENCODINGS
    )
  }
}
