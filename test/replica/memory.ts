// A datastore in memory whose batch is atomic, and which can be copied, held up and lose its power.
import { BaseDatastore } from 'datastore-core'
import { type Batch, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'
import { NotFoundError } from 'interface-store'

/** The datastore is off: nothing that is asked of it happens any more. */
export class PowerError extends Error {
  override name = 'PowerError'
}

export class AtomicMemory extends BaseDatastore {
  /** How many more writes are made before the power fails; a batch is one write. */
  writesLeft = Number.POSITIVE_INFINITY
  /** Writes that fail from now on, before others are made again. */
  failures = 0
  writes = 0
  /** Rows that were read by their key. */
  reads = 0
  readonly #rows: Map<string, Uint8Array>
  #held: PromiseWithResolvers<void> | undefined

  constructor(rows: Iterable<[string, Uint8Array]> = []) {
    super()
    this.#rows = new Map(rows)
  }

  /** Writes wait from now on; call what is returned to let them go on. */
  hold(): () => void {
    const held = Promise.withResolvers<void>()
    this.#held = held
    return () => {
      this.#held = undefined
      held.resolve()
    }
  }

  /** What a machine finds after a crash at this moment. */
  copy(): AtomicMemory {
    return new AtomicMemory(this.#rows)
  }

  /** The keys of the rows that start with this. */
  rows(prefix: string): string[] {
    return [...this.#rows.keys()].filter((row) => row.startsWith(prefix))
  }

  override async get(key: Key): Promise<Uint8Array> {
    this.reads++
    const value = this.#rows.get(key.toString())
    if (value === undefined) throw new NotFoundError()
    return value
  }

  override async has(key: Key): Promise<boolean> {
    return this.#rows.has(key.toString())
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.#write()
    this.#rows.set(key.toString(), value)
    return key
  }

  override async delete(key: Key): Promise<void> {
    await this.#write()
    this.#rows.delete(key.toString())
  }

  override async *query({ prefix = '' }: Query): AsyncGenerator<Pair> {
    for (const [row, value] of [...this.#rows]) {
      if (row.startsWith(prefix)) yield { key: new Key(row, false), value }
    }
  }

  override async *queryKeys({ prefix = '' }: KeyQuery): AsyncGenerator<Key> {
    for (const row of this.rows(prefix)) yield new Key(row, false)
  }

  override batch(): Batch {
    const changes = new Map<string, Uint8Array | undefined>()
    return {
      put: (key, value) => void changes.set(key.toString(), value),
      delete: (key) => void changes.set(key.toString(), undefined),
      commit: async () => {
        await this.#write()
        for (const [row, value] of changes) {
          if (value === undefined) this.#rows.delete(row)
          else this.#rows.set(row, value)
        }
      }
    }
  }

  async #write(): Promise<void> {
    await this.#held?.promise
    if (this.writesLeft <= 0) throw new PowerError('The power is off')
    if (this.failures > 0) {
      this.failures--
      throw new Error('The disk is full')
    }
    this.writesLeft--
    this.writes++
  }
}
