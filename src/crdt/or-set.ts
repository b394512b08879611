/**
 * The add-wins observed-removed set, one key at a time: a working copy of the key's rows takes elements and
 * tombstones in any order, and says in the end which rows changed.
 *
 * Invariants: an element (key, id) is alive unless a tombstone for exactly that pair was merged, before or
 * after it; the winner is held with its value, every other alive version as (id, priority) only; a tombstone is
 * remembered while the block it names has not run, and for ever where the two are of different DAGs, then together
 * with those of the block's own DAG, so that dropping one DAG and taking it up again is right.
 */
import type { BlockId } from './delta.ts'
import { pickWinner, type Version } from './winner.ts'

/** An alive version whose value may still lie in its block only. */
interface Alive {
  priority: bigint
  value?: Uint8Array
}

/** What changed for one key, in terms of rows. */
export interface KeyRowChanges {
  /** The new current row; `null` deletes it; undefined leaves it. */
  current?: { winner: Version; otherCount: number } | null
  /** Alive versions that are not the winner: rows to write and to delete. */
  othersPut: ReadonlyArray<{ id: BlockId; priority: bigint }>
  othersDeleted: readonly BlockId[]
  /** Tombstone rows: the DAG names that must be remembered, none for a row to delete. */
  tombstones: ReadonlyArray<{ id: BlockId; dagNames: string[]; existed: boolean }>
  /** Elements that came alive or ceased to be, net: what the digest and the counters are made of. */
  cameAlive: readonly BlockId[]
  ceased: readonly BlockId[]
}

/**
 * What most commits do to a key is that it gets one version, and nothing else of the above. What that does not need is not
 * made, here and where nodes are read: with a collection for each of it a key of a batch takes 14% more of the main thread
 * and allocates 38% more memory, and a merged delta allocates 21% more.
 */
const NONE: readonly never[] = []

/** A working copy of one key's rows, for the length of one commit. */
export class KeyVersions {
  readonly key: string
  /** The winner before this commit, with its value: what an event calls `previous`. */
  readonly before: Version | undefined
  readonly #otherCountBefore: number
  #othersLoaded: boolean
  readonly #alive = new Map<BlockId, Alive>()
  readonly #cameAlive = new Set<BlockId>()
  // What most copies never hold is made when it is needed (see `NONE`).
  #ceased: Set<BlockId> | undefined
  #othersBefore: Set<BlockId> | undefined
  #tombstones: Map<BlockId, Set<string>> | undefined
  #tombstonesBefore: Set<BlockId> | undefined
  #tombstonesTouched: Set<BlockId> | undefined
  #winner: Version | undefined

  /**
   * @param otherCount - how many alive versions the store holds beside the winner; they are loaded with
   * `loadOthers` before the first tombstone, and not at all where there is none to merge.
   */
  constructor(key: string, winner: Version | undefined, otherCount: number) {
    this.key = key
    this.before = winner
    this.#winner = winner
    this.#otherCountBefore = otherCount
    this.#othersLoaded = otherCount === 0
    if (winner !== undefined) this.#alive.set(winner.id, { priority: winner.priority, value: winner.value })
  }

  /** Whether alive versions exist that this copy does not list yet. */
  get needsOthers(): boolean {
    return !this.#othersLoaded
  }

  loadOthers(others: Iterable<{ id: BlockId; priority: bigint }>): void {
    this.#othersBefore ??= new Set()
    for (const { id, priority } of others) {
      this.#othersBefore.add(id)
      this.#alive.set(id, { priority })
    }
    this.#othersLoaded = true
  }

  loadTombstone(id: BlockId, dagNames: Iterable<string>): void {
    this.#remember(id, new Set(dagNames))
    this.#tombstonesBefore ??= new Set()
    this.#tombstonesBefore.add(id)
  }

  /** Whether the store was asked for this tombstone, so that asking again would undo what was merged since. */
  knowsTombstone(id: BlockId): boolean {
    return this.#tombstonesBefore?.has(id) === true || this.#tombstonesTouched?.has(id) === true
  }

  /** The ids of all alive versions; a local delete names each of them. */
  aliveIds(): BlockId[] {
    return [...this.#alive.keys()]
  }

  /** The alive versions with at least this priority: what a put at the end of the clock could not outrank. */
  aliveFrom(priority: bigint): BlockId[] {
    return [...this.#alive].filter(([, alive]) => alive.priority >= priority).map(([id]) => id)
  }

  isAlive(id: BlockId): boolean {
    return this.#alive.has(id)
  }

  isTombstoneRemembered(id: BlockId): boolean {
    return this.#tombstones?.has(id) === true
  }

  /**
   * Merges a tombstone of a node of `dagName`.
   *
   * @param targetDagName - the DAG of the block that is named, if that block has run; otherwise undefined.
   */
  remove(id: BlockId, dagName: string, targetDagName: string | undefined): void {
    this.forget(id)
    if (targetDagName === dagName && !this.isTombstoneRemembered(id)) return
    this.rememberTombstone(id, dagName)
  }

  /** Remembers a tombstone of a node of `dagName` for an element that is not alive. */
  rememberTombstone(id: BlockId, dagName: string): void {
    const remembered = this.#tombstones?.get(id) ?? new Set()
    if (remembered.has(dagName)) return
    remembered.add(dagName)
    this.#remember(id, remembered)
    this.#touchTombstone(id)
  }

  #remember(id: BlockId, dagNames: Set<string>): void {
    this.#tombstones ??= new Map()
    this.#tombstones.set(id, dagNames)
  }

  #touchTombstone(id: BlockId): void {
    this.#tombstonesTouched ??= new Set()
    this.#tombstonesTouched.add(id)
  }

  /** Merges the element that block `id`, of `dagName`, adds under this key. */
  add(id: BlockId, priority: bigint, value: Uint8Array, dagName: string): void {
    const remembered = this.#tombstones?.get(id)
    if (remembered !== undefined) {
      // The block has now run, so a tombstone of its own DAG has nothing left to wait for.
      this.#dropIfOnly(id, remembered, dagName)
      return
    }
    if (this.#alive.has(id)) return
    this.#alive.set(id, { priority, value })
    if (this.#ceased?.delete(id) !== true) this.#cameAlive.add(id)
  }

  /** The block that added this element is no longer applied: no tombstone, but gone all the same. */
  forget(id: BlockId): void {
    if (!this.#alive.delete(id) || this.#cameAlive.delete(id)) return
    this.#ceased ??= new Set()
    this.#ceased.add(id)
  }

  /**
   * A tombstone of a node of `dagName` is no longer merged.
   *
   * @param targetDagName - the DAG of the block that is named, if that has run and has the key.
   * @returns whether nothing else keeps the element removed, so that it comes alive again if its block has run.
   */
  forgetTombstone(id: BlockId, dagName: string, targetDagName: string | undefined): boolean {
    const remembered = this.#tombstones?.get(id)
    if (remembered === undefined || !remembered.delete(dagName)) return false
    this.#touchTombstone(id)
    if (targetDagName !== undefined) this.#dropIfOnly(id, remembered, targetDagName)
    if (remembered.size > 0) return false
    return this.#tombstones?.delete(id) === true
  }

  /** The tombstones of the block's own DAG need no memory once it has run, unless another DAG removes it too. */
  #dropIfOnly(id: BlockId, remembered: ReadonlySet<string>, dagName: string): void {
    if (remembered.size !== 1 || !remembered.has(dagName)) return
    this.#tombstones?.delete(id)
    this.#touchTombstone(id)
  }

  /**
   * The versions that share the greatest priority and whose values are not known here. They must be read from
   * their blocks and given to `settle`; a lone contender that stays the winner needs nothing.
   */
  missingValues(): readonly BlockId[] {
    if (this.#knowsValues) return NONE
    return this.#contenders()
      .filter(([, alive]) => alive.value === undefined)
      .map(([id]) => id)
  }

  get #knowsValues(): boolean {
    for (const { value } of this.#alive.values()) if (value === undefined) return false
    return true
  }

  /** Decides the winner, given the values that `missingValues` asked for. */
  settle(values: ReadonlyMap<BlockId, Uint8Array>): void {
    if (this.#alive.size === 1 && this.#knowsValues) {
      for (const [id, { priority, value }] of this.#alive)
        this.#winner = { id, priority, value: value as Uint8Array }
      return
    }
    this.#winner = pickWinner(
      this.#contenders().map(([id, { priority, value }]) => {
        const known = value ?? values.get(id)
        if (known === undefined) throw new TypeError(`No value was given for version ${id} of ${this.key}`)
        return { id, priority, value: known }
      })
    )
  }

  get winner(): Version | undefined {
    return this.#winner
  }

  /** The difference from the rows that this copy was made of. Call it after `settle`. */
  changes(): KeyRowChanges {
    const winnerId = this.#winner?.id
    const othersPut = this.#othersToPut(winnerId)
    const othersDeleted =
      this.#othersBefore === undefined
        ? NONE
        : [...this.#othersBefore].filter((id) => id === winnerId || !this.#alive.has(id))
    const otherCount = this.#otherCountBefore + othersPut.length - othersDeleted.length
    const sameCurrent = winnerId === this.before?.id && otherCount === this.#otherCountBefore
    return {
      ...(sameCurrent
        ? {}
        : { current: this.#winner === undefined ? null : { winner: this.#winner, otherCount } }),
      othersPut,
      othersDeleted,
      tombstones: this.#tombstoneChanges(),
      cameAlive: [...this.#cameAlive],
      ceased: this.#ceased === undefined ? NONE : [...this.#ceased]
    }
  }

  #othersToPut(winnerId: BlockId | undefined): KeyRowChanges['othersPut'] {
    if (this.#alive.size === 1 && winnerId !== undefined) return NONE
    const others: Array<{ id: BlockId; priority: bigint }> = []
    for (const [id, { priority }] of this.#alive) {
      if (id !== winnerId && this.#othersBefore?.has(id) !== true) others.push({ id, priority })
    }
    return others
  }

  #tombstoneChanges(): KeyRowChanges['tombstones'] {
    if (this.#tombstonesTouched === undefined) return NONE
    const changes: Array<{ id: BlockId; dagNames: string[]; existed: boolean }> = []
    for (const id of this.#tombstonesTouched) {
      const dagNames = [...(this.#tombstones?.get(id) ?? [])].sort()
      const existed = this.#tombstonesBefore?.has(id) === true
      if (dagNames.length > 0 || existed) changes.push({ id, dagNames, existed })
    }
    return changes
  }

  #contenders(): Array<[BlockId, Alive]> {
    let greatest = -1n
    let contenders: Array<[BlockId, Alive]> = []
    for (const entry of this.#alive) {
      const { priority } = entry[1]
      if (priority < greatest) continue
      if (priority > greatest) contenders = []
      greatest = priority
      contenders.push(entry)
    }
    return contenders
  }
}
