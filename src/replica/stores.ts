/**
 * Opens everything that a replica keeps in its datastore.
 */
import { atomicCommitter, journaledCommitter } from '../storage/commit.ts'
import { GapStore } from '../storage/gap-store.ts'
import { HeadsStore } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import { type BlockSource, LogStore } from '../storage/log-store.ts'
import type { RowStore } from '../storage/row-store.ts'
import { SetStore } from '../storage/set-store.ts'
import { IgnoredDags } from './ignored-dags.ts'
import type { MergeStores } from './merge.ts'
import { ReplicaState } from './state.ts'

export interface OpenStoresInit {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
  journalRetriesMax: number
}

export interface OpenStores {
  stores: MergeStores
  state: ReplicaState
  ignored: IgnoredDags
}

/** @throws CorruptRowError naming a row that does not decode. */
export async function openStores({
  rows,
  layout,
  blocks,
  journalRetriesMax
}: OpenStoresInit): Promise<OpenStores> {
  const committer = rows.atomic
    ? atomicCommitter(rows)
    : journaledCommitter(rows, layout.journal, journalRetriesMax)
  const log = new LogStore(rows, layout, blocks)
  const heads = new HeadsStore(layout)
  const gaps = new GapStore(rows, layout)
  const ignored = new IgnoredDags(layout)
  const state = ReplicaState.load(layout.state, await rows.get(layout.state))
  await heads.load(rows, state.committed.heads)
  await gaps.load()
  await ignored.load(rows)
  return {
    stores: { rows, layout, committer, log, sets: new SetStore(rows, layout), heads, gaps },
    state,
    ignored
  }
}
