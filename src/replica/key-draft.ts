/**
 * The keys that a commit touches: working copies of their rows, and in the end what becomes of the rows, the
 * counters and the digest.
 *
 * Invariants: a key that was not loaded cannot be touched; only touched keys are written.
 */
import { elementHash } from '../codec/element-hash.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { KeyVersions } from '../crdt/or-set.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { SetStore } from '../storage/set-store.ts'
import type { BlockValues } from './block-values.ts'
import type { StagedState } from './state.ts'

/** One key whose value is another after a commit. */
export interface KeyChange {
  key: string
  /** Absent where the key is gone. */
  value: Uint8Array | undefined
  /** Absent where the key is new. */
  previous: Uint8Array | undefined
  /** The node of the commit that touched the key last. */
  id: BlockId
}

const NO_VALUES: ReadonlyMap<BlockId, Uint8Array> = new Map()

export class KeyDraft {
  readonly #sets: SetStore
  readonly #values: BlockValues
  readonly #state: StagedState
  readonly #keys = new Map<string, KeyVersions>()
  readonly #touchedBy = new Map<string, BlockId>()

  constructor(sets: SetStore, values: BlockValues, state: StagedState) {
    this.#sets = sets
    this.#values = values
    this.#state = state
  }

  /** Loads keys, each named once; with all their alive versions where they are about to be removed. */
  async load(keys: Iterable<string>, toRemove: ReadonlySet<string>): Promise<void> {
    const unknown: string[] = []
    for (const key of keys) if (!this.#keys.has(key)) unknown.push(key)
    if (unknown.length > 0) {
      for (const versions of await this.#sets.load(unknown)) this.#keys.set(versions.key, versions)
    }
    for (const key of toRemove) {
      const versions = this.#keys.get(key)
      if (versions?.needsOthers) await this.#sets.loadOthers(versions)
    }
  }

  /** Loads the tombstones that are remembered for these pairs of loaded keys and blocks. */
  async loadTombstones(pairs: ReadonlyArray<{ key: string; id: BlockId }>): Promise<void> {
    const loaded = pairs.map(({ key, id }) => ({ versions: this.versions(key), id }))
    await this.#sets.loadTombstones(loaded.filter(({ versions, id }) => !versions.knowsTombstone(id)))
  }

  /** The working copy of a key that was loaded. */
  versions(key: string): KeyVersions {
    const versions = this.#keys.get(key)
    if (versions === undefined) throw new TypeError(`Key ${key} was not loaded into this commit`)
    return versions
  }

  /** A node changes the key: it will be written, and its change is attributed to the node. */
  touch(key: string, id: BlockId): KeyVersions {
    this.#touchedBy.set(key, id)
    return this.versions(key)
  }

  /** Decides every touched key, and puts its rows, the counters and the digest into the commit. */
  async settle(rows: ChangeSet): Promise<KeyChange[]> {
    const changes: KeyChange[] = []
    for (const [key, versions] of this.#keys) {
      const id = this.#touchedBy.get(key)
      if (id === undefined) continue
      const missing = versions.missingValues()
      versions.settle(missing.length === 0 ? NO_VALUES : await this.#readValues(key, missing))
      await this.#write(versions, rows)
      const { before, winner } = versions
      if (before?.id !== winner?.id) {
        changes.push({ key, value: winner?.value, previous: before?.value, id })
      }
    }
    return changes
  }

  async #write(versions: KeyVersions, rows: ChangeSet): Promise<void> {
    const { key, before, winner } = versions
    const changed = versions.changes()
    this.#sets.write(key, changed, rows)
    for (const id of changed.cameAlive) {
      const hash = elementHash(key, id)
      this.#state.elementCameAlive(hash instanceof Promise ? await hash : hash)
    }
    for (const id of changed.ceased) this.#state.elementCeased(await elementHash(key, id))
    for (const { dagNames, existed } of changed.tombstones) {
      this.#state.row.tombstones += (dagNames.length > 0 ? 1 : 0) - (existed ? 1 : 0)
    }
    this.#state.row.keys += (winner === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
  }

  async #readValues(key: string, ids: readonly BlockId[]): Promise<Map<BlockId, Uint8Array>> {
    const values = new Map<BlockId, Uint8Array>()
    for (const id of ids) values.set(id, await this.#values.get(id, key))
    return values
  }
}
