/**
 * Runs what an older version could not: nodes that were applied without their effects because they require features
 * that it did not know (wire format, field 100 of `Delta`).
 */
import { decodeFeatures } from '../storage/rows.ts'
import { CommitDraft, KNOWN_FEATURES } from './merge.ts'
import type { Committed, MergeStores } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'

export async function runDeferred(
  stores: MergeStores,
  state: ReplicaState,
  onCommitted: (committed: Committed) => void
): Promise<void> {
  if (state.committed.deferred === 0) return
  const { rows, layout, log } = stores
  for await (const { row, value } of rows.scan(layout.deferred)) {
    if (!decodeFeatures(row, value).every((feature) => KNOWN_FEATURES.has(feature))) continue
    const id = layout.idOf(row)
    const bytes = await log.block(id)
    if (bytes === undefined) continue
    const draft = new CommitDraft(stores, state, 'remote')
    await draft.runDeferred(log.codec.decode(id, bytes))
    onCommitted(await draft.commit())
  }
}
