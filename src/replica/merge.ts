/**
 * The funnel: local and remote nodes alike become one commit here, and nowhere else, but for what `lone-put.ts` says.
 *
 * A draft gathers nodes, ancestors first, on working copies of the rows they touch, and then makes everything
 * that follows from them durable in one change set: effects, applied marks, the log, heads, gaps, clock, digest.
 *
 * Invariants: one draft at a time, by the single writer; nothing in memory changes before the commit is durable;
 * a node that was applied is never applied again.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId, Delta, Tombstone } from '../crdt/delta.ts'
import type { KeyVersions } from '../crdt/or-set.ts'
import type { Eventual } from '../eventual.ts'
import type { ChangeSet } from '../storage/commit.ts'
import { type AppliedRow, encodeFeatures, type Origin, type StoredHead } from '../storage/rows.ts'
import type { Gap } from './gap-draft.ts'
import { type Committed, type MergeStores, StagedCommit } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'

/** Features whose effects this version knows how to apply (`Delta.requires`). None has been defined yet. */
export const KNOWN_FEATURES: ReadonlySet<number> = new Set()

export class CommitDraft {
  readonly #stores: MergeStores
  readonly #live: ReplicaState
  readonly #origin: Origin
  readonly #knownFeatures: ReadonlySet<number>
  readonly #staged: StagedCommit
  readonly #nodes: DagNode[] = []
  readonly #applied = new Map<BlockId, AppliedRow & { ran: boolean }>()

  constructor(stores: MergeStores, state: ReplicaState, origin: Origin, knownFeatures = KNOWN_FEATURES) {
    this.#stores = stores
    this.#live = state
    this.#origin = origin
    this.#knownFeatures = knownFeatures
    this.#staged = new StagedCommit(stores, state)
  }

  /** Rows that ride along: whatever else has to become durable with this commit. */
  get rows(): ChangeSet {
    return this.#staged.rows
  }

  /** How many nodes it applies. */
  get nodeCount(): number {
    return this.#nodes.length
  }

  /** The heads of a DAG as this draft leaves them. */
  heads(dagName: string): StoredHead[] {
    return this.#staged.heads.list(dagName)
  }

  /** Loads working copies of keys, each named once; with all their alive versions where they are removed. */
  load(keys: Iterable<string>, toRemove: ReadonlySet<string>): Eventual<void> {
    return this.#staged.keys.load(keys, toRemove)
  }

  /** The working copy of a key that was loaded. */
  versions(key: string): KeyVersions {
    return this.#staged.keys.versions(key)
  }

  /** The bytes of a node. */
  encode(delta: Delta, links: readonly BlockId[]): Uint8Array {
    return this.#stores.log.codec.encode(delta, links)
  }

  /**
   * Applies nodes, none of which was applied before, ancestors first but for gaps.
   *
   * @param sequences - the numbers that they have already, where the state is derived anew.
   */
  async apply(nodes: readonly DagNode[], sequences?: readonly number[]): Promise<void> {
    await this.#loadFor(nodes)
    for (const [index, node] of nodes.entries()) await this.#applyNode(node, sequences?.[index])
  }

  /** Runs the effects of a node that was applied earlier and deferred, now that its features are known. */
  async runDeferred(node: DagNode): Promise<void> {
    await this.#loadFor([node])
    await this.#runEffects(node)
    this.rows.delete(this.#stores.layout.deferredNode(node.id))
    this.#staged.state.row.deferred -= 1
  }

  /** Makes the draft durable. On failure nothing has changed and every node may be applied anew. */
  async commit(): Promise<Committed> {
    const { log } = this.#stores
    for (const node of this.#nodes) log.write(node, this.#rowOf(node), this.rows)
    if (log.hasBlockstore) await log.putBlocks(this.#nodes)
    return await this.#staged.commit({
      origin: this.#origin,
      nodes: this.#nodes,
      sequenceOf: (id) => this.#applied.get(id)?.sequence,
      adopt: () => {
        for (const node of this.#nodes) log.adopt(node.id, this.#rowOf(node))
      }
    })
  }

  #rowOf({ id }: DagNode): AppliedRow {
    return this.#applied.get(id) as AppliedRow
  }

  #loadFor(nodes: readonly DagNode[]): Eventual<void> {
    const keys = new Set<string>()
    const removed = new Set<string>()
    for (const { delta } of nodes) {
      for (const { key } of delta.elements) keys.add(key)
      for (const { key } of delta.tombstones) {
        keys.add(key)
        removed.add(key)
      }
    }
    const loading = this.load(keys, removed)
    // Most stores remember no tombstone at all, and then there is nothing to look up.
    if (this.#live.committed.tombstones === 0 && removed.size === 0) return loading
    return this.#loadRemovals(nodes, loading)
  }

  async #loadRemovals(nodes: readonly DagNode[], loading: Eventual<void>): Promise<void> {
    await loading
    if (this.#live.committed.tombstones > 0) await this.#loadTombstones(nodes)
    await this.#loadTargets(nodes)
  }

  async #loadTombstones(nodes: readonly DagNode[]): Promise<void> {
    await this.#staged.keys.loadTombstones(
      nodes.flatMap(({ id, delta }) => [
        ...delta.elements.map(({ key }) => ({ key, id })),
        ...delta.tombstones
      ])
    )
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

  #applyNode(node: DagNode, known: number | undefined): Eventual<void> {
    const { id, delta, links } = node
    const { priority, dagName } = delta
    const sequence = this.#staged.state.nextSequence(known)
    const ran = delta.requires.every((feature) => this.#knownFeatures.has(feature))
    this.#nodes.push(node)
    this.#applied.set(id, { sequence, priority, dagName, origin: this.#origin, ran })
    const running = ran ? this.#runEffects(node) : this.#defer(node)
    const doubtful = links.filter((link) => !this.#isApplied(link))
    // Most nodes only put, and nobody misses them or what they link to: no asynchronous function (`eventual.ts`) for them.
    if (running !== undefined || doubtful.length > 0 || !this.#staged.gaps.isEmpty) {
      return this.#applyReading(node, running, doubtful, sequence)
    }
    this.#staged.heads.advance({ id, priority, dagName }, links, false)
    return undefined
  }

  async #applyReading(
    { id, delta, links }: DagNode,
    running: Promise<void> | undefined,
    doubtful: readonly BlockId[],
    sequence: number
  ): Promise<void> {
    const { priority, dagName } = delta
    await running
    const closed = await this.#staged.gaps.close(id, this.rows)
    // A node of its own DAG may have linked to it before it came, and then it is no tip.
    const linkedBySameDag = closed.some((gap) => gap.dagName === dagName)
    this.#staged.heads.advance({ id, priority, dagName }, links, linkedBySameDag)
    if (doubtful.length > 0) await this.#openGaps({ linkedBy: id, dagName, sequence }, doubtful)
  }

  /** Its features are not known here, so that its effects have to wait. */
  #defer({ id, delta }: DagNode): undefined {
    this.rows.put(this.#stores.layout.deferredNode(id), encodeFeatures(delta.requires))
    this.#staged.state.row.deferred += 1
  }

  #runEffects(node: DagNode): Promise<void> | undefined {
    if (node.delta.tombstones.length > 0) return this.#removeAndAdd(node)
    this.#add(node)
    return undefined
  }

  async #removeAndAdd(node: DagNode): Promise<void> {
    const { tombstones, dagName } = node.delta
    for (const tombstone of tombstones) {
      await this.#remove(this.#staged.keys.touch(tombstone.key, node.id), tombstone, dagName)
    }
    this.#add(node)
  }

  #add({ id, delta }: DagNode): void {
    for (const { key, value } of delta.elements) {
      this.#staged.keys.touch(key, id).add(id, delta.priority, value, delta.dagName)
    }
  }

  async #remove(versions: KeyVersions, tombstone: Tombstone, dagName: string): Promise<void> {
    const { id } = tombstone
    const target = this.#applied.get(id)
    const targetDagName = target?.ran === true ? target.dagName : undefined
    if (targetDagName !== undefined && !versions.isAlive(id)) {
      const isSameDag = targetDagName === dagName
      // As long as one DAG alone removes an element, there is nothing to tell apart.
      if (isSameDag === versions.isTombstoneRemembered(id)) {
        const hasKey = await this.#hasKey(tombstone)
        if (isSameDag && !hasKey) return
        // It was its own DAG that removed it, and it has to stay removed if this node's DAG is purged.
        if (!isSameDag && hasKey) versions.rememberTombstone(id, targetDagName)
      }
    }
    versions.remove(id, dagName, targetDagName)
  }

  /** Whether an applied block gives a key a value. */
  async #hasKey({ key, id }: Tombstone): Promise<boolean> {
    const node = this.#nodes.find((one) => one.id === id)
    if (node !== undefined) return node.delta.elements.some((element) => element.key === key)
    return (await this.#staged.values.find(id, key)) !== undefined
  }

  async #openGaps(gap: Omit<Gap, 'missing'>, links: readonly BlockId[]): Promise<void> {
    const rows = await this.#stores.log.appliedMany(links)
    for (const [index, missing] of links.entries()) {
      if (rows[index] !== undefined) continue
      this.#staged.gaps.open({ missing, ...gap }, this.rows)
    }
  }

  #isApplied(id: BlockId): boolean {
    return this.#applied.has(id) || this.#stores.log.recent(id) !== undefined
  }
}
