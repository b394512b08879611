/**
 * The values that applied blocks give their keys, for what is not in a row: alive versions beside the winner.
 *
 * Invariant: a bounded number of decoded blocks is kept at hand, because the versions of neighbouring keys tend to
 * lie in the same blocks.
 */
import type { BlockId } from '../crdt/delta.ts'
import { CorruptRowError } from '../errors.ts'
import type { Layout } from '../storage/keys.ts'
import type { LogStore } from '../storage/log-store.ts'

const DECODED_BLOCKS_MAX = 16

export class BlockValues {
  readonly #log: LogStore
  readonly #layout: Layout
  readonly #decoded = new Map<BlockId, Map<string, Uint8Array>>()

  constructor(log: LogStore, layout: Layout) {
    this.#log = log
    this.#layout = layout
  }

  /** The value that a block gives a key; undefined if it gives none, or is not here. */
  async find(id: BlockId, key: string): Promise<Uint8Array | undefined> {
    return (await this.#valuesOf(id)).get(key)
  }

  /** @throws CorruptRowError where the block does not give the key a value, though a row says so. */
  async get(id: BlockId, key: string): Promise<Uint8Array> {
    const value = await this.find(id, key)
    if (value === undefined) {
      throw new CorruptRowError(this.#layout.applied(id), `its block gives ${key} no value`)
    }
    return value
  }

  async #valuesOf(id: BlockId): Promise<Map<string, Uint8Array>> {
    const known = this.#decoded.get(id)
    if (known !== undefined) return known
    const bytes = await this.#log.block(id)
    const elements = bytes === undefined ? [] : this.#log.codec.decode(id, bytes).delta.elements
    const values = new Map(elements.map(({ key, value }) => [key, value]))
    const oldest = this.#decoded.keys().next().value
    if (oldest !== undefined && this.#decoded.size >= DECODED_BLOCKS_MAX) this.#decoded.delete(oldest)
    this.#decoded.set(id, values)
    return values
  }
}
