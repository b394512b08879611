/**
 * Which rows of a log are not below common ground: what one replica has to send, or what it does not yet know the
 * other to have.
 *
 * Like `git rev-list heads ^common`, but by reading the log backwards in place of walking links, which is valid
 * because a log holds ancestors first: a node is met after everything that links to it.
 *
 * Invariants: every row that is not below common ground is found, but for ignored DAGs; where a log is out of order,
 * which it is only around gaps that were closed later, too many are found and never too few. Memory is one bit a row
 * found and two frontiers of ids.
 */
import { decodeDagPb } from '../../codec/dag-pb.ts'
import { decodeNode } from '../../codec/node.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { LogEntry, ReplicaView } from '../../replica/ports.ts'
import { RowSet } from './row-set.ts'

/** What is searched, and from where. */
export interface CommonGroundSearch {
  log: Pick<ReplicaView, 'readLogBackwards' | 'sequenceOf'>
  /** Rows after it are not of interest. */
  top: number
  /** The heads of the replica as of `top`: every row is below one of them. */
  heads: Iterable<BlockId>
  /** Nodes that both have with everything below them, and their rows. */
  common: ReadonlyMap<BlockId, number>
  /** DAGs whose rows are left out. */
  ignoredDags: ReadonlySet<string>
  /** Called for every row: lets others run now and then, and throws if nobody waits for the result any more. */
  breathe(): Promise<void> | undefined
}

/** How far the search goes without a find before it asks whether what it still looks for exists. */
const ROWS_WITHOUT_FIND_MAX = 1024

/** The rows up to `top` that are not common ground, nor below it. */
export async function rowsNotBelow(search: CommonGroundSearch): Promise<RowSet> {
  const { log, top, common, ignoredDags } = search
  const found = new RowSet()
  /** Rows still to be met that are known to be below common ground. */
  const below = new Set<BlockId>(common.keys())
  /** Rows still to be met, unless they do not exist, that are not known to be: when there is none, all are found. */
  const wanted = new Set<BlockId>()
  for (const head of search.heads) if (!below.has(head)) wanted.add(head)
  let start = top
  for (const row of common.values()) start = Math.max(start, row)
  let lastFind = start
  let checked = 0
  if (wanted.size === 0) return found
  for await (const entry of log.readLogBackwards(1, start)) {
    wanted.delete(entry.id)
    if (below.delete(entry.id)) {
      for (const link of linksOf(entry.bytes)) {
        below.add(link)
        wanted.delete(link)
      }
    } else if (entry.sequence <= top && !isIgnored(entry, ignoredDags)) {
      found.add(entry.sequence)
      lastFind = entry.sequence
      for (const link of linksOf(entry.bytes)) if (!below.has(link)) wanted.add(link)
    }
    if (lastFind - entry.sequence >= ROWS_WITHOUT_FIND_MAX && checked !== lastFind) {
      await dropWhatIsNotBehind(wanted, log, entry.sequence)
      checked = lastFind
    }
    if (wanted.size === 0) break
    await search.breathe()
  }
  return found
}

/** Whether an entry belongs to one of these DAGs, which only its delta tells. */
export function isIgnored({ id, bytes }: LogEntry, ignoredDags: ReadonlySet<string>): boolean {
  return ignoredDags.size > 0 && ignoredDags.has(decodeNode(id, bytes).delta.dagName)
}

/** Links to gaps, to purged DAGs, and to what was met before: they would keep the search going to the start. */
async function dropWhatIsNotBehind(
  wanted: Set<BlockId>,
  log: Pick<ReplicaView, 'sequenceOf'>,
  position: number
): Promise<void> {
  for (const id of wanted) {
    const sequence = await log.sequenceOf(id)
    if (sequence === undefined || sequence >= position) wanted.delete(id)
  }
}

/**
 * The links of a node. A block that is no dag-pb node has none. A search takes 15% more of the main thread if it decodes
 * deltas too.
 */
function linksOf(bytes: Uint8Array): BlockId[] {
  return decodeDagPb(bytes)?.links ?? []
}
