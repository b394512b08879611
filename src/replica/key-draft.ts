/**
 * The keys that a commit touches: working copies of their rows, and in the end what becomes of the rows, the
 * counters and the digest.
 *
 * Invariants: a key that was not loaded cannot be touched; only touched keys are written.
 */
import { elementHash } from '../codec/element-hash.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { KeyVersions } from '../crdt/or-set.ts'
import { type Eventual, whenReady } from '../eventual.ts'
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
  /** The sequence number of that node. */
  sequence: number
}

const NO_VALUES: ReadonlyMap<BlockId, Uint8Array> = new Map()

export class KeyDraft {
  readonly #sets: SetStore
  readonly #values: BlockValues
  readonly #state: StagedState
  readonly #keys = new Map<string, KeyVersions>()
  readonly #touchedBy = new Map<string, BlockId>()
  /** By key, what no row says. */
  #valuesRead: Map<string, ReadonlyMap<BlockId, Uint8Array>> | undefined

  constructor(sets: SetStore, values: BlockValues, state: StagedState) {
    this.#sets = sets
    this.#values = values
    this.#state = state
  }

  /** Loads keys, each named once; with all their alive versions where they are about to be removed. */
  load(keys: Iterable<string>, toRemove: ReadonlySet<string>): Eventual<void> {
    const unknown: string[] = []
    for (const key of keys) if (!this.#keys.has(key)) unknown.push(key)
    const loaded = unknown.length === 0 ? [] : this.#sets.load(unknown)
    return whenReady(loaded, (copies) => {
      for (const versions of copies) this.#keys.set(versions.key, versions)
      return toRemove.size === 0 ? undefined : this.#loadOthers(toRemove)
    })
  }

  async #loadOthers(keys: Iterable<string>): Promise<void> {
    for (const key of keys) {
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

  /**
   * Decides every touched key, and puts its rows, the counters and the digest into the commit.
   *
   * @returns what changed, in the order of the nodes that changed it.
   */
  settle(rows: ChangeSet, sequenceOf: (id: BlockId) => number): Eventual<KeyChange[]> {
    return whenReady(this.#readMissing(), () => {
      const changes: KeyChange[] = []
      const hashing: Array<Promise<void>> = []
      for (const [key, versions] of this.#keys) {
        const id = this.#touchedBy.get(key)
        if (id === undefined) continue
        versions.settle(this.#valuesRead?.get(key) ?? NO_VALUES)
        this.#write(versions, rows, hashing)
        const { before, winner } = versions
        if (before?.id !== winner?.id) {
          const sequence = sequenceOf(id)
          changes.push({ key, value: winner?.value, previous: before?.value, id, sequence })
        }
      }
      changes.sort((a, b) => a.sequence - b.sequence)
      return hashing.length === 0 ? changes : Promise.all(hashing).then(() => changes)
    })
  }

  /** Reads the values of versions that share the greatest priority of a key, which hardly any key has. */
  #readMissing(): Eventual<void> {
    const missing: Array<{ key: string; ids: readonly BlockId[] }> = []
    for (const [key, versions] of this.#keys) {
      if (!this.#touchedBy.has(key)) continue
      const ids = versions.missingValues()
      if (ids.length > 0) missing.push({ key, ids })
    }
    return missing.length === 0 ? undefined : this.#readValues(missing)
  }

  async #readValues(missing: ReadonlyArray<{ key: string; ids: readonly BlockId[] }>): Promise<void> {
    this.#valuesRead = new Map()
    for (const { key, ids } of missing) {
      const values = new Map<BlockId, Uint8Array>()
      for (const id of ids) values.set(id, await this.#values.get(id, key))
      this.#valuesRead.set(key, values)
    }
  }

  /**
   * Puts the rows of a key, the counters and the digest into the commit.
   *
   * @param hashing - takes what the digest has to wait for, where hashing is asynchronous.
   */
  #write(versions: KeyVersions, rows: ChangeSet, hashing: Array<Promise<void>>): void {
    const { key, before, winner } = versions
    const state = this.#state
    const changed = versions.changes()
    this.#sets.write(key, changed, rows)
    for (const id of changed.cameAlive) {
      const done = whenReady(elementHash(key, id), (hash) => state.elementCameAlive(hash))
      if (done !== undefined) hashing.push(done)
    }
    for (const id of changed.ceased) {
      const done = whenReady(elementHash(key, id), (hash) => state.elementCeased(hash))
      if (done !== undefined) hashing.push(done)
    }
    for (const { dagNames, existed } of changed.tombstones) {
      state.row.tombstones += (dagNames.length > 0 ? 1 : 0) - (existed ? 1 : 0)
    }
    state.row.keys += (winner === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
  }
}
