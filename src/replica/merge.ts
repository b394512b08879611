/**
 * The funnel: local and remote nodes alike become one commit here, and nowhere else.
 *
 * A draft gathers nodes, ancestors first, on working copies of the rows they touch, and then makes everything
 * that follows from them durable in one change set: effects, applied marks, the log, heads, gaps, clock, digest.
 *
 * Invariants: one draft at a time, by the single writer; nothing in memory changes before the commit is durable;
 * a node that was applied is never applied again.
 */
import { elementHash } from '../codec/element-hash.ts'
import { type DagNode, decodeNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { KeyVersions } from '../crdt/or-set.ts'
import { CorruptRowError } from '../errors.ts'
import { ChangeSet, type Committer } from '../storage/commit.ts'
import type { GapStore } from '../storage/gap-store.ts'
import type { HeadsStore, StagedHeads } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { type AppliedRow, encodeFeatures, type GapRow, type StoredHead } from '../storage/rows.ts'
import type { SetStore } from '../storage/set-store.ts'
import type { ReplicaState, StagedState } from './state.ts'

/** Where a change came from. */
export type Origin = 'local' | 'remote'

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

/** What a commit did. */
export interface Committed {
  origin: Origin
  /** The sequence number of its last node. */
  sequence: number
  nodes: DagNode[]
  changes: KeyChange[]
  headsChanged: boolean
  gapsOpened: number
}

/** The stores that a commit touches. */
export interface MergeStores {
  layout: Layout
  rows: RowStore
  sets: SetStore
  log: LogStore
  heads: HeadsStore
  gaps: GapStore
  committer: Committer
}

/** Features whose effects this version knows how to apply (`Delta.requires`). None has been defined yet. */
export const KNOWN_FEATURES: ReadonlySet<number> = new Set()

/** Decoded blocks that a commit keeps at hand while it looks up the values of surviving versions. */
const DECODED_BLOCKS_MAX = 16

const NO_VALUES: ReadonlyMap<BlockId, Uint8Array> = new Map()

export class CommitDraft {
  /** Rows that ride along: whatever else has to become durable with this commit. */
  readonly rows = new ChangeSet()
  readonly #stores: MergeStores
  readonly #live: ReplicaState
  readonly #origin: Origin
  readonly #knownFeatures: ReadonlySet<number>
  readonly #state: StagedState
  readonly #heads: StagedHeads
  readonly #keys = new Map<string, KeyVersions>()
  readonly #touchedBy = new Map<string, BlockId>()
  readonly #nodes: DagNode[] = []
  readonly #applied = new Map<BlockId, AppliedRow & { ran: boolean }>()
  readonly #gapsOpened = new Map<BlockId, Array<GapRow & { id: BlockId }>>()
  readonly #gapsClosed: GapRow[] = []
  readonly #decoded = new Map<BlockId, Map<string, Uint8Array>>()

  constructor(stores: MergeStores, state: ReplicaState, origin: Origin, knownFeatures = KNOWN_FEATURES) {
    this.#stores = stores
    this.#live = state
    this.#origin = origin
    this.#knownFeatures = knownFeatures
    this.#state = state.stage()
    this.#heads = stores.heads.stage()
  }

  /** How many nodes it applies. */
  get nodeCount(): number {
    return this.#nodes.length
  }

  /** The heads of a DAG as this draft leaves them. */
  heads(dagName: string): StoredHead[] {
    return this.#heads.list(dagName)
  }

  /** Loads working copies of keys, each named once; with all their alive versions where they are about to be removed. */
  async load(keys: Iterable<string>, toRemove: ReadonlySet<string>): Promise<void> {
    const unknown: string[] = []
    for (const key of keys) if (!this.#keys.has(key)) unknown.push(key)
    if (unknown.length > 0) {
      for (const versions of await this.#stores.sets.load(unknown)) this.#keys.set(versions.key, versions)
    }
    for (const key of toRemove) {
      const versions = this.#keys.get(key)
      if (versions?.needsOthers) await this.#stores.sets.loadOthers(versions)
    }
  }

  /** The working copy of a key that was loaded. */
  versions(key: string): KeyVersions {
    const versions = this.#keys.get(key)
    if (versions === undefined) throw new TypeError(`Key ${key} was not loaded into this commit`)
    return versions
  }

  /** Applies nodes, none of which was applied before, ancestors first but for gaps. */
  async apply(nodes: readonly DagNode[]): Promise<void> {
    await this.#loadFor(nodes)
    for (const node of nodes) await this.#applyNode(node)
  }

  /** Runs the effects of a node that was applied earlier and deferred, now that its features are known. */
  async runDeferred(node: DagNode): Promise<void> {
    await this.#loadFor([node])
    this.#runEffects(node)
    this.rows.delete(this.#stores.layout.deferredNode(node.id))
    this.#state.row.deferred -= 1
  }

  /** Makes the draft durable. On failure nothing has changed and every node may be applied anew. */
  async commit(): Promise<Committed> {
    const changes = await this.#settle()
    const headsInState = this.#stores.heads.write(this.#heads, this.rows)
    for (const node of this.#nodes) {
      this.#stores.log.write(node, this.#applied.get(node.id) as AppliedRow, this.rows)
    }
    if (this.#stores.log.hasBlockstore) await this.#stores.log.putBlocks(this.#nodes)
    this.rows.put(this.#stores.layout.state, this.#state.encode(headsInState))
    await this.#stores.committer.commit(this.rows)
    const { gaps } = this.#stores
    const opened = this.#openedGaps()
    if (opened.length > 0 || this.#gapsClosed.length > 0) await gaps.adopt(opened, this.#gapsClosed)
    return this.#adopt(changes, opened.length)
  }

  async #loadFor(nodes: readonly DagNode[]): Promise<void> {
    const keys = new Set<string>()
    const removed = new Set<string>()
    for (const { delta } of nodes) {
      for (const { key } of delta.elements) keys.add(key)
      for (const { key } of delta.tombstones) {
        keys.add(key)
        removed.add(key)
      }
    }
    await this.load(keys, removed)
    // Most stores remember no tombstone at all, and then there is nothing to look up.
    if (this.#live.committed.tombstones > 0) await this.#loadTombstones(nodes)
    if (removed.size > 0) await this.#loadTargets(nodes)
  }

  async #loadTombstones(nodes: readonly DagNode[]): Promise<void> {
    const pairs = nodes.flatMap(({ id, delta }) => [
      ...delta.elements.map(({ key }) => ({ versions: this.versions(key), id })),
      ...delta.tombstones.map((tombstone) => ({ versions: this.versions(tombstone.key), id: tombstone.id }))
    ])
    await this.#stores.sets.loadTombstones(pairs.filter(({ versions, id }) => !versions.knowsTombstone(id)))
  }

  /** Finds out which blocks that tombstones name have run, and in which DAG. */
  async #loadTargets(nodes: readonly DagNode[]): Promise<void> {
    const targets = new Set(nodes.flatMap(({ delta }) => delta.tombstones.map(({ id }) => id)))
    const unknown = [...targets].filter((id) => !this.#applied.has(id))
    const rows = await this.#stores.log.appliedMany(unknown)
    const { layout } = this.#stores
    const deferred =
      this.#live.committed.deferred === 0
        ? []
        : await this.#stores.rows.getMany(unknown.map((id) => layout.deferredNode(id)))
    for (const [index, id] of unknown.entries()) {
      const row = rows[index]
      if (row !== undefined) this.#applied.set(id, { ...row, ran: deferred[index] === undefined })
    }
  }

  async #applyNode(node: DagNode): Promise<void> {
    const { id, delta, links } = node
    const { priority, dagName } = delta
    const sequence = this.#state.nextSequence()
    const ran = delta.requires.every((feature) => this.#knownFeatures.has(feature))
    this.#nodes.push(node)
    this.#applied.set(id, { sequence, priority, dagName, ran })
    if (ran) this.#runEffects(node)
    else {
      this.rows.put(this.#stores.layout.deferredNode(id), encodeFeatures(delta.requires))
      this.#state.row.deferred += 1
    }
    const fillsGap = this.#live.committed.gaps > 0 || this.#gapsOpened.size > 0
    const linkedBySameDag = fillsGap && (await this.#closeGaps(node))
    this.#heads.advance({ id, priority, dagName }, links, linkedBySameDag)
    const doubtful = links.filter((link) => !this.#isApplied(link))
    if (doubtful.length > 0) await this.#openGaps(node, doubtful, sequence)
  }

  #runEffects({ id, delta }: DagNode): void {
    const { priority, dagName } = delta
    for (const tombstone of delta.tombstones) {
      const target = this.#applied.get(tombstone.id)
      const targetDagName = target?.ran === true ? target.dagName : undefined
      this.versions(tombstone.key).remove(tombstone.id, dagName, targetDagName)
      this.#touchedBy.set(tombstone.key, id)
    }
    for (const { key, value } of delta.elements) {
      this.versions(key).add(id, priority, value, dagName)
      this.#touchedBy.set(key, id)
    }
  }

  /** Closes the gaps that this node fills, and says whether a node of its own DAG linked to it already. */
  async #closeGaps({ id, delta }: DagNode): Promise<boolean> {
    const inDraft = this.#gapsOpened.get(id) ?? []
    this.#gapsOpened.delete(id)
    const inStore = this.#live.committed.gaps > 0 ? await this.#stores.gaps.linkers(id) : []
    this.#gapsClosed.push(...inStore)
    const closed = [...inDraft, ...inStore]
    for (const gap of closed) this.#stores.gaps.close(id, gap.id, this.rows)
    return closed.some(({ dagName }) => dagName === delta.dagName)
  }

  async #openGaps(node: DagNode, links: readonly BlockId[], sequence: number): Promise<void> {
    const rows = await this.#stores.log.appliedMany(links)
    for (const [index, link] of links.entries()) {
      if (rows[index] !== undefined) continue
      const gap = { sequence, dagName: node.delta.dagName }
      this.#stores.gaps.open(link, node.id, gap, this.rows)
      const opened = this.#gapsOpened.get(link) ?? []
      opened.push({ ...gap, id: node.id })
      this.#gapsOpened.set(link, opened)
    }
  }

  #isApplied(id: BlockId): boolean {
    return this.#applied.has(id) || this.#stores.log.recent(id) !== undefined
  }

  /** Decides every touched key, and puts its rows, the counters and the digest into the change set. */
  async #settle(): Promise<KeyChange[]> {
    const changes: KeyChange[] = []
    for (const [key, versions] of this.#keys) {
      const touchedBy = this.#touchedBy.get(key)
      if (touchedBy === undefined) continue
      const missing = versions.missingValues()
      versions.settle(missing.length === 0 ? NO_VALUES : await this.#missingValues(versions, missing))
      const changed = versions.changes()
      this.#stores.sets.write(key, changed, this.rows)
      for (const id of changed.cameAlive) {
        const hash = elementHash(key, id)
        this.#state.elementCameAlive(hash instanceof Promise ? await hash : hash)
      }
      for (const id of changed.ceased) this.#state.elementCeased(await elementHash(key, id))
      for (const { dagNames, existed } of changed.tombstones) {
        this.#state.row.tombstones += (dagNames.length > 0 ? 1 : 0) - (existed ? 1 : 0)
      }
      const { before, winner } = versions
      this.#state.row.keys += (winner === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
      if (before?.id !== winner?.id) {
        changes.push({ key, value: winner?.value, previous: before?.value, id: touchedBy })
      }
    }
    this.#state.row.gaps += this.#openedGaps().length - this.#gapsClosed.length
    return changes
  }

  async #missingValues(versions: KeyVersions, ids: readonly BlockId[]): Promise<Map<BlockId, Uint8Array>> {
    const values = new Map<BlockId, Uint8Array>()
    for (const id of ids) {
      const value = (await this.#valuesOf(id)).get(versions.key)
      if (value === undefined) {
        throw new CorruptRowError(this.#stores.layout.applied(id), `its block gives ${versions.key} no value`)
      }
      values.set(id, value)
    }
    return values
  }

  #openedGaps(): GapRow[] {
    return [...this.#gapsOpened.values()].flat()
  }

  /** The values that an applied block gives its keys. */
  async #valuesOf(id: BlockId): Promise<Map<string, Uint8Array>> {
    const known = this.#decoded.get(id)
    if (known !== undefined) return known
    const bytes = await this.#stores.log.block(id)
    const elements = bytes === undefined ? [] : decodeNode(id, bytes).delta.elements
    const values = new Map(elements.map(({ key, value }) => [key, value]))
    const oldest = this.#decoded.keys().next().value
    if (oldest !== undefined && this.#decoded.size >= DECODED_BLOCKS_MAX) this.#decoded.delete(oldest)
    this.#decoded.set(id, values)
    return values
  }

  #adopt(changes: KeyChange[], gapsOpened: number): Committed {
    const { heads, log } = this.#stores
    this.#live.adopt(this.#state)
    heads.adopt(this.#heads)
    for (const { id } of this.#nodes) log.adopt(id, this.#applied.get(id) as AppliedRow)
    return {
      origin: this.#origin,
      sequence: this.#state.row.sequence,
      nodes: this.#nodes,
      changes,
      headsChanged: this.#heads.added.size > 0 || this.#heads.removed.size > 0,
      gapsOpened
    }
  }
}
