/**
 * Stores as a check sees them: one that runs, and one that is not started, perhaps because it cannot be opened.
 */
import { breather } from '../breather.ts'
import type { Limits } from '../options.ts'
import type { Clock } from '../replica/ports.ts'
import type { Replica } from '../replica/replica.ts'
import { atomicCommitter, journaledCommitter, replayJournal } from '../storage/commit.ts'
import { decodePriority, decodeState, type StateRow, type StoredHead } from '../storage/rows.ts'
import type { CheckedStore } from './check.ts'
import type { LogParts } from './log-scan.ts'

export interface CheckContext extends LogParts {
  limits: Limits
  clock: Clock
  signal?: AbortSignal | undefined
}

export function runningStore(replica: Replica, context: CheckContext): CheckedStore {
  const { committer } = replica.stores
  return {
    ...{ ...partsOf(context), committer },
    state: () => ({ ...replica.state.committed, heads: replica.heads() }),
    exclusively: async (task) => await replica.exclusively(task),
    fetch: (ids) => replica.fetchBlocks(ids),
    reload: async () => await replica.reload()
  }
}

/** Nobody else may use the store meanwhile. */
export async function stoppedStore(context: CheckContext): Promise<CheckedStore> {
  const { rows, layout, limits } = context
  // One that cannot be read stays, and is told of.
  await replayJournal(rows, layout.journal).catch(() => {})
  const state = await readState(context)
  return {
    ...partsOf(context),
    committer: rows.atomic
      ? atomicCommitter(rows)
      : journaledCommitter(rows, layout.journal, limits.journalRetriesMax),
    state: () => state,
    exclusively: async (task) => await task(),
    async *fetch() {},
    reload: async () => {}
  }
}

function partsOf({
  rows,
  layout,
  blocks,
  limits,
  clock,
  signal
}: CheckContext): LogParts & Pick<CheckedStore, 'fetchIdsMax' | 'breathe'> {
  const breathe = breather(clock)
  return {
    ...{ rows, layout, blocks, fetchIdsMax: limits.fetchIdsMax },
    breathe: () => {
      signal?.throwIfAborted()
      return breathe()
    }
  }
}

async function readState({ rows, layout }: CheckContext): Promise<StateRow | undefined> {
  try {
    const bytes = await rows.get(layout.state)
    if (bytes === undefined) return undefined
    const state = decodeState(layout.state, bytes)
    if (state.heads !== undefined) return state
    const heads: StoredHead[] = []
    for await (const { row, value } of rows.scan(layout.heads)) {
      const dagName = layout.dagNameOfHead(row)
      heads.push({ id: layout.idOf(row), priority: decodePriority(row, value), dagName })
    }
    return { ...state, heads }
  } catch {
    return undefined
  }
}
