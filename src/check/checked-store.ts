/**
 * Stores as a check sees them: one that runs, and one that is not started, perhaps because it cannot be opened.
 */
import { untilAbortedEach } from '../abort.ts'
import { breather } from '../breather.ts'
import { CorruptRowError, LayoutTooNewError } from '../errors.ts'
import type { Limits } from '../options.ts'
import type { Clock } from '../replica/ports.ts'
import type { Replica } from '../replica/replica.ts'
import { committerFor, replayJournal } from '../storage/commit.ts'
import { LAYOUT, type Layout } from '../storage/keys.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeMeta } from '../storage/rows.ts'
import type { CheckedStore } from './checked.ts'
import { type LogParts, readable } from './log-scan.ts'

export interface CheckContext extends LogParts {
  limits: Limits
  clock: Clock
  signal?: AbortSignal | undefined
}

export function runningStore(replica: Replica, context: CheckContext): CheckedStore {
  const { committer } = replica.stores
  const { signal } = context
  return {
    ...{ ...partsOf(context), committer },
    memory: () => ({
      ...{ committed: replica.state.committed, clock: replica.state.clock },
      heads: replica.heads()
    }),
    exclusively: async (task) => await replica.exclusively(task),
    async *fetch(ids) {
      try {
        yield* untilAbortedEach(replica.fetchBlocks(ids), signal)
      } catch {
        // Whoever cannot be asked has nothing.
        signal?.throwIfAborted()
      }
    },
    reload: async () => await replica.reload()
  }
}

/**
 * Nobody else may use the store meanwhile. A commit that was decided before a crash is finished first.
 *
 * @throws LayoutTooNewError if a newer version wrote it.
 */
export async function stoppedStore(context: CheckContext): Promise<CheckedStore> {
  const { rows, layout, limits } = context
  const bytes = await rows.get(layout.meta)
  const meta = bytes === undefined ? undefined : readable(() => decodeMeta(layout.meta, bytes))
  if (meta !== undefined && 'leastReader' in meta && meta.leastReader > LAYOUT) {
    throw new LayoutTooNewError(meta.layout, LAYOUT)
  }
  await finishCommit(rows, layout)
  return {
    ...partsOf(context),
    committer: committerFor(rows, layout.journal, limits.journalRetriesMax),
    memory: () => undefined,
    exclusively: async (task) => await task(),
    async *fetch() {},
    reload: async () => {}
  }
}

async function finishCommit(rows: RowStore, layout: Layout): Promise<void> {
  try {
    await replayJournal(rows, layout.journal)
  } catch (error) {
    // One that cannot be read stays, and is told of. One that could not be written may be the next time.
    if (!(error instanceof CorruptRowError)) throw error
  }
}

function partsOf({
  rows,
  layout,
  blocks,
  codec,
  limits,
  clock,
  signal
}: CheckContext): LogParts & Pick<CheckedStore, 'fetchIdsMax' | 'breathe' | 'rest'> {
  const rest = breather(clock)
  return {
    ...{ rows, layout, blocks, codec, fetchIdsMax: limits.fetchIdsMax },
    rest,
    breathe: () => {
      signal?.throwIfAborted()
      return rest()?.then(() => signal?.throwIfAborted())
    }
  }
}
