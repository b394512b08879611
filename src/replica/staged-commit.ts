/**
 * One commit in the making: staged state and heads, working copies of keys, gaps, and the rows that ride along. Drafts
 * of nodes that come (`merge.ts`) and of nodes that go (`purge.ts`) fill it, and it makes them durable in one way.
 *
 * Invariant: nothing in memory changes before the commit is durable, and then all of it at once.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import { ChangeSet, type Committer } from '../storage/commit.ts'
import type { GapStore } from '../storage/gap-store.ts'
import type { HeadsStore, StagedHeads } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import type { Origin, StoredHead } from '../storage/rows.ts'
import type { SetStore } from '../storage/set-store.ts'
import { BlockValues } from './block-values.ts'
import { type Gap, GapDraft } from './gap-draft.ts'
import { type KeyChange, KeyDraft } from './key-draft.ts'
import type { ReplicaState, StagedState } from './state.ts'

/** What a commit did. */
export interface Committed {
  origin: Origin
  /** The sequence number of its last node. */
  sequence: number
  nodes: DagNode[]
  /** In the order of the nodes that made them, with that node's sequence number. */
  changes: KeyChange[]
  headsAdded: StoredHead[]
  headsRemoved: StoredHead[]
  gapsOpened: Gap[]
  gapsClosed: Gap[]
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

/** What a draft adds to its staged commit in the end. */
export interface CommitInit extends Pick<Committed, 'origin' | 'nodes'> {
  /** The number of a node of this commit; undefined for any other. */
  sequenceOf(id: BlockId): number | undefined
  /** Takes over what the draft itself has in memory, once it is durable. */
  adopt(): void
}

export class StagedCommit {
  readonly rows = new ChangeSet()
  readonly state: StagedState
  readonly heads: StagedHeads
  readonly values: BlockValues
  readonly keys: KeyDraft
  readonly gaps: GapDraft
  readonly #stores: MergeStores
  readonly #live: ReplicaState

  constructor(stores: MergeStores, live: ReplicaState) {
    this.#stores = stores
    this.#live = live
    this.state = live.stage()
    this.heads = stores.heads.stage()
    this.values = new BlockValues(stores.log, stores.layout)
    this.keys = new KeyDraft(stores.sets, this.values, this.state)
    this.gaps = new GapDraft(stores.gaps, live.committed.gaps > 0)
  }

  /** Makes it durable. On failure nothing has changed. */
  async commit(init: CommitInit): Promise<Committed> {
    const preparing = this.#prepare(init)
    const committed = preparing instanceof Promise ? await preparing : preparing
    await this.#stores.committer.commit(this.rows)
    this.#live.adopt(this.state)
    this.#stores.heads.adopt(this.heads)
    init.adopt()
    const adopting = this.gaps.adopt()
    if (adopting !== undefined) await adopting
    return committed
  }

  /** Decides what becomes of the keys, and puts their rows, the heads and the state into the commit. */
  #prepare({ origin, nodes, sequenceOf }: CommitInit): Eventual<Committed> {
    const { sequence } = this.state.row
    return whenReady(
      this.keys.settle(this.rows, (id) => sequenceOf(id) ?? sequence),
      (changes) => {
        const { heads, layout } = this.#stores
        const [gapsOpened, gapsClosed] = [this.gaps.opened(), this.gaps.closed]
        this.state.row.gaps += gapsOpened.length - gapsClosed.length
        const headsAdded = [...this.heads.added.values()]
        const headsRemoved = heads.find(this.heads.removed.values())
        const headsInState = heads.write(this.heads, this.rows)
        this.rows.put(layout.state, this.state.encode(headsInState))
        return { origin, sequence, nodes, changes, headsAdded, headsRemoved, gapsOpened, gapsClosed }
      }
    )
  }
}
