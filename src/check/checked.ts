/**
 * What a check works on, and what it is asked. Types only.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { ReceivedBlock } from '../replica/ports.ts'
import type { Committer } from '../storage/commit.ts'
import type { StateRow, StoredHead } from '../storage/rows.ts'
import type { CheckNumbers, RowDifference } from './difference.ts'
import type { LogParts } from './log-scan.ts'

/** A store as a check sees it: one that runs, or one that could not even be opened. */
export interface CheckedStore extends LogParts {
  committer: Committer
  /** What a replica works with; its heads are all of them. Undefined where none runs. */
  memory(): { committed: Readonly<StateRow>; clock: bigint; heads: StoredHead[] } | undefined
  /** Runs a task when no commit is under way. */
  exclusively<T>(task: () => Promise<T>): Promise<T>
  /** Blocks from peers, as far as they have them. */
  fetch(ids: readonly BlockId[]): AsyncIterable<ReceivedBlock>
  /** How many ids may be asked for at once. */
  fetchIdsMax: number
  /** Rows were mended: whatever is in memory of them is read again. */
  reload(): Promise<void>
  /** Lets the rest of the program run, and throws where the check is to end. */
  breathe(): Promise<void> | undefined
  /** Lets the rest of the program run. */
  rest(): Promise<void> | undefined
}

export interface CheckOptions {
  mend: boolean
  /** Lets go of nodes whose blocks nobody has, as if they had never been applied. */
  forgetLostBlocks: boolean
  onDifference(difference: RowDifference, mended: boolean): void
  onProgress(numbers: CheckNumbers): void
}
