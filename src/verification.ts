/**
 * `verify` and `repair`, as users see them.
 */
import type { AbortOptions } from 'abort-error'
import type { CID } from 'multiformats/cid'
import { Check } from './check/check.ts'
import type { CheckedStore } from './check/checked.ts'
import type { CheckNumbers, RowDifference, RowKind } from './check/difference.ts'
import { checkOpeningRows } from './check/opening-rows.ts'
import { cidFromBlockId } from './codec/block-id.ts'

/** One row of the datastore that is not what the DAG makes it. */
export interface StoreDifference {
  /** Which part of the store it belongs to; docs/storage.md has the rows. */
  kind: RowKind
  /** Not there though it should be, there though it should not be, or there with another content. */
  problem: 'missing' | 'extra' | 'wrong'
  /** The row's key in the datastore. */
  row: string
  /** The key and the node that the row is about, where it says so. */
  key?: string
  cid?: CID
  detail?: string
  /** Whether it is as it should be by now. */
  mended: boolean
}

/** How far a check is. */
export interface CheckProgress {
  /** Nodes derived anew, of about how many. */
  nodes: number
  nodesTotal: number
  /** Rows compared so far. */
  rows: number
}

/** How a check tells what it does and finds. */
export interface VerifyOptions extends AbortOptions {
  /** Called every few hundred nodes and rows. */
  onProgress?: (progress: CheckProgress) => void
  /** Called for every difference, also for those that the report has no room for. */
  onDifference?: (difference: StoreDifference) => void
  /**
   * How many differences the report lists at most; all are counted.
   *
   * @default 1000
   */
  limit?: number
}

/** The same, and how far mending may go. */
export interface RepairOptions extends VerifyOptions {
  /**
   * Only say what would be mended. Peers are not asked for lost blocks.
   *
   * @default false
   */
  dryRun?: boolean
  /**
   * Let go of nodes whose blocks are gone and that no connected peer has: what only they wrote is lost here, and
   * comes back if a peer that has them ever comes. Without it, such a store is left as it is.
   *
   * @default false
   */
  forgetLostBlocks?: boolean
}

/** What a check found. */
export interface CheckReport {
  /** Whether everything could be compared and nothing was found, or all of it was mended. */
  ok: boolean
  /** False where blocks are lost, so that the state could not be derived and only they are listed. */
  complete: boolean
  /** The first of them, as many as `limit` says. */
  differences: StoreDifference[]
  differenceCount: number
  mendedCount: number
  /** Nodes derived anew, all of them once more where lost blocks came back, and rows compared. */
  nodes: number
  rows: number
}

const DIFFERENCES_LISTED = 1000

export interface RunCheckInit {
  store: CheckedStore
  topic: string | undefined
  mend: boolean
  options: RepairOptions
}

export async function runCheck({ store, topic, mend, options }: RunCheckInit): Promise<CheckReport> {
  const { limit = DIFFERENCES_LISTED, forgetLostBlocks = false } = options
  const report: CheckReport = {
    ...{ ok: false, complete: false, differences: [], differenceCount: 0, mendedCount: 0 },
    ...{ nodes: 0, rows: 0 }
  }
  const onDifference = (found: RowDifference, mended: boolean): void => {
    const difference = differenceOf(found, mended)
    report.differenceCount += 1
    if (mended) report.mendedCount += 1
    if (report.differences.length < limit) report.differences.push(difference)
    options.onDifference?.(difference)
  }
  const onProgress = (numbers: CheckNumbers): void => {
    report.nodes = numbers.nodes
    report.rows = numbers.rows
    options.onProgress?.(numbers)
  }
  await checkOpeningRows(store, { mend, topic, onDifference })
  report.complete = await Check.run(store, { mend, forgetLostBlocks, onDifference, onProgress })
  report.ok = report.complete && report.mendedCount === report.differenceCount
  return report
}

function differenceOf({ id, ...difference }: RowDifference, mended: boolean): StoreDifference {
  return { ...difference, ...(id === undefined ? {} : { cid: cidFromBlockId(id) }), mended }
}
