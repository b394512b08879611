/**
 * The state derived anew: every node of the log is merged, by the same funnel, into rows of its own below the
 * store's. On disk and not in memory, so that a store of any size can be checked; blocks are not copied.
 *
 * Invariants: nothing outside the scratch rows is written; nodes keep their sequence numbers; a scratch that was
 * left behind by a crash is cleared before the next one begins.
 */
import type { BlockId } from '../crdt/delta.ts'
import { CommitDraft } from '../replica/merge.ts'
import type { MergeStores } from '../replica/staged-commit.ts'
import { ReplicaState } from '../replica/state.ts'
import { GapStore } from '../storage/gap-store.ts'
import { HeadsStore } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import { type BlockSource, type LoggedNode, LogStore } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { type AppliedRow, decodeApplied, encodeApplied, encodeState, type StateRow } from '../storage/rows.ts'
import { SetStore } from '../storage/set-store.ts'
import type { LogParts } from './log-scan.ts'

/** Rows that are deleted at once. */
const CLEARED_ROWS = 512

/** Where the checked store keeps the block of a sequence number. */
export type BlockAt = (sequence: number) => Promise<Uint8Array | undefined>

export class Scratch {
  readonly layout: Layout
  readonly stores: MergeStores
  readonly state: ReplicaState
  readonly #rows: RowStore

  /** A state that is derived from nothing. Clear what another left behind first. */
  constructor({ rows, layout, codec }: LogParts, blockAt: BlockAt) {
    this.#rows = rows
    this.layout = layout.scratch()
    this.state = ReplicaState.load(this.layout.state, undefined)
    const source: BlockSource = {
      get: async (id) => {
        const applied = await log.applied(id)
        return applied === undefined ? undefined : await blockAt(applied.sequence)
      },
      put: async () => {}
    }
    const log = new LogStore(rows, this.layout, source, codec)
    this.stores = {
      ...{ rows, layout: this.layout, log, sets: new SetStore(rows, this.layout) },
      ...{ heads: new HeadsStore(this.layout), gaps: new GapStore(rows, this.layout) },
      // Nobody reads a half of it, and after a crash all of it is cleared.
      committer: { commit: async (changes) => await rows.write(changes.rows) }
    }
  }

  /** Merges nodes that were not merged yet, in one commit. */
  async apply(entries: readonly LoggedNode[]): Promise<void> {
    const applied = await this.stores.log.appliedMany(entries.map(({ id }) => id))
    const seen = new Set<BlockId>()
    const fresh = entries.filter(({ id }, index) => {
      if (seen.has(id)) return false
      seen.add(id)
      return applied[index] === undefined
    })
    if (fresh.length === 0) return
    const draft = new CommitDraft(this.stores, this.state, 'remote')
    const nodes = fresh.map(({ id, bytes }) => this.stores.log.codec.decode(id, bytes))
    for (const { delta } of nodes) this.state.observe(delta.priority)
    await draft.apply(
      nodes,
      fresh.map(({ sequence }) => sequence)
    )
    await draft.commit()
  }

  /** The state row of the checked store, with heads in it or in rows of their own, as they are here. */
  encodeState(row: StateRow): Uint8Array {
    return encodeState({ ...row, heads: this.state.committed.heads })
  }

  /** Remembers a node that was applied and whose block is gone. */
  async remember(id: BlockId, row: AppliedRow): Promise<void> {
    await this.#rows.write(new Map([[this.layout.wantedHead(id), encodeApplied(row)]]))
  }

  async forget(id: BlockId): Promise<void> {
    await this.#rows.write(new Map([[this.layout.wantedHead(id), null]]))
  }

  /** The nodes whose blocks are gone. */
  async *lost(): AsyncGenerator<AppliedRow & { id: BlockId }> {
    for await (const { row, value } of this.#rows.scan(this.layout.wanted)) {
      yield { id: this.layout.idOf(row), ...decodeApplied(row, value) }
    }
  }

  /**
   * Deletes every scratch row.
   *
   * @param rest - called now and then; lets others run.
   */
  async clear(rest: () => Promise<void> | undefined): Promise<void> {
    let gone = new Map<string, null>()
    for await (const row of this.#rows.scanKeys(this.layout.all)) {
      gone.set(row, null)
      if (gone.size < CLEARED_ROWS) continue
      await this.#rows.write(gone)
      gone = new Map()
      await rest()
    }
    if (gone.size > 0) await this.#rows.write(gone)
  }
}
