/**
 * The straight path of a put that waits alone: one element, one node, one commit.
 *
 * It says, row for row and event for event, what `Publisher`, `CommitDraft` and `StagedCommit` would say. They keep
 * working copies for any number of nodes and keys, and of all that nothing is needed where a put is awaited before
 * the next: most of its time went into making them.
 *
 * Invariants: it writes what the funnel would write, byte for byte; wherever more than one current row, one state row
 * and the node itself could change, the funnel has to do it; nothing in memory changes before the commit is durable.
 */
import { blockIdOf } from '../codec/block-id.ts'
import { elementHash } from '../codec/element-hash.ts'
import type { DagNode } from '../codec/node.ts'
import type { Delta, Element } from '../crdt/delta.ts'
import { nextPriority, PRIORITY_MAX } from '../crdt/merkle-clock.ts'
import { ChangeSet } from '../storage/commit.ts'
import type { StoredHead } from '../storage/rows.ts'
import type { PublishLimits } from './publish.ts'
import type { Committed, MergeStores } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'
import type { WriteUnit } from './write-queue.ts'

export class LonePuts {
  readonly #stores: MergeStores
  readonly #state: ReplicaState
  readonly #limits: PublishLimits

  constructor(stores: MergeStores, state: ReplicaState, limits: PublishLimits) {
    this.#stores = stores
    this.#state = state
    this.#limits = limits
  }

  /**
   * Commits a unit that is one put.
   *
   * @returns undefined where it is something else, or where the put may change more than its own rows.
   */
  commit({ operations, dagName }: WriteUnit): Promise<Committed> | undefined {
    const [operation] = operations
    if (operations.length !== 1 || operation?.type !== 'put') return undefined
    const { heads, log } = this.#stores
    const { committed, clock } = this.#state
    if (clock >= PRIORITY_MAX || committed.tombstones > 0 || committed.gaps > 0) return undefined
    if (log.hasBlockstore || !heads.hasRoomInState) return undefined
    const replaced = heads.list(dagName)
    if (replaced.length > this.#limits.linksMax) return undefined
    for (const { id } of replaced) if (log.recent(id) === undefined) return undefined
    return this.#commit(operation, dagName, replaced)
  }

  async #commit({ key, value }: Element, dagName: string, replaced: StoredHead[]): Promise<Committed> {
    const { layout, sets, log, heads, committer } = this.#stores
    const reading = sets.current(key)
    const before = reading instanceof Promise ? await reading : reading
    const priority = nextPriority(this.#state.clock)
    const delta: Delta = { elements: [{ key, value }], tombstones: [], priority, dagName, requires: [] }
    const links = replaced.map(({ id }) => id)
    const bytes = log.codec.encode(delta, links)
    const naming = blockIdOf(bytes)
    const id = naming instanceof Promise ? await naming : naming
    const hashing = elementHash(key, id)
    const hash = hashing instanceof Promise ? await hashing : hashing
    this.#state.observe(priority)

    const node: DagNode = { id, bytes, links, foreignLinks: 0, delta }
    const staged = this.#state.stage()
    const sequence = staged.nextSequence()
    const applied = { sequence, priority, dagName, origin: 'local' as const }
    const rows = new ChangeSet()
    log.write(node, applied, rows)
    sets.putWinner(key, { id, priority, value }, before, rows)
    staged.elementCameAlive(hash)
    if (before === undefined) staged.row.keys += 1
    const head = { id, priority, dagName }
    rows.put(layout.state, staged.encode(heads.replacing(head, replaced)))

    await committer.commit(rows)
    this.#state.adopt(staged)
    heads.replace(head, replaced)
    log.adopt(id, applied)
    return {
      origin: 'local',
      sequence,
      nodes: [node],
      changes: [{ key, value, previous: before?.winner.value, id, sequence }],
      headsAdded: [head],
      headsRemoved: replaced,
      gapsOpened: [],
      gapsClosed: []
    }
  }
}
