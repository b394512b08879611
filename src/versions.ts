/**
 * Versions of a key, as users see them: `getAll`, `history`, `explain`.
 */
import type { AbortOptions } from 'abort-error'
import type { CID } from 'multiformats/cid'
import { cidFromBlockId } from './codec/block-id.ts'
import { InvalidOptionError } from './errors.ts'
import type { DecidingRule, ExplainedKey } from './inspect/explain.ts'
import type { HistoricNode } from './inspect/history.ts'
import type { RankedVersion } from './inspect/versions.ts'
import type { AppliedRow } from './storage/rows.ts'

/** The node that wrote a version. */
export interface NodeOfVersion {
  cid: CID
  /** The causal height of the node, an exact uint64: the greatest wins. */
  priority: bigint
  /** `''` is the unnamed DAG. */
  dagName: string
  /** The order in which it came here. */
  sequence: number
  /** Whether this replica wrote it; nodes are not signed, so which other one did is not known. */
  origin: 'local' | 'remote'
}

/** An alive version of a key. */
export interface KeyVersion extends NodeOfVersion {
  value: Uint8Array
}

/** What one node did to a key. */
export interface HistoryEntry extends NodeOfVersion {
  /** The value it gave the key; absent where it only removed. */
  value?: Uint8Array
  /** Whether that value is alive: what the key has, or would have if greater versions were removed. */
  alive: boolean
  /** The nodes whose values it removed from the key. */
  removed: CID[]
}

/** Which part of a history. */
export interface HistoryOptions extends AbortOptions {
  /**
   * How many entries at most.
   *
   * @default unbounded
   */
  limit?: number
  /**
   * Only nodes that came before this sequence number: the one of the last entry that was seen, to go on.
   *
   * @default everything
   */
  before?: number
}

/** How much is explained. */
export interface ExplainOptions extends AbortOptions {
  /**
   * How many versions to list at most.
   *
   * @default 100
   */
  limit?: number
}

export const EXPLAINED_VERSIONS = 100

/** Why a key has its value. */
export interface Explanation {
  key: string
  /** Absent where the key has none. */
  value?: Uint8Array
  /**
   * What decided: `priority` where the winner's is greater than any other's; `value` where priorities tie and its
   * bytes are greater; `id` where values tie too; `only-version` and `no-version` where nothing competes.
   */
  rule: DecidingRule
  /** Alive versions, the winner first. */
  versions: KeyVersion[]
  /** How many there are in all. */
  versionCount: number
  /** The same in words, a line for each version. */
  text: string
}

/** @throws InvalidOptionError if it is given and is neither a whole number nor infinite. */
export function checkedCount(
  option: string,
  count: number | undefined,
  byDefault = Number.POSITIVE_INFINITY
): number {
  if (count === undefined) return byDefault
  if ((Number.isInteger(count) || count === Number.POSITIVE_INFINITY) && count >= 0) return count
  throw new InvalidOptionError(option, count, 'a whole number from 0 on')
}

export function versionOf({ id, value, node }: RankedVersion): KeyVersion {
  return { value: copyOf(value), ...nodeOf(id, node) }
}

export function historyEntryOf({ id, node, value, alive, removed }: HistoricNode): HistoryEntry {
  const given = value === undefined ? {} : { value: copyOf(value) }
  return { ...given, ...nodeOf(id, node), alive, removed: removed.map(cidFromBlockId) }
}

/** @param versionsMax - how many are listed; two are looked at in any case. */
export function explanationOf(key: string, explained: ExplainedKey, versionsMax: number): Explanation {
  const { rule, versionCount } = explained
  const versions = explained.versions.map(versionOf)
  const shown = versions.slice(0, versionsMax)
  const text = [sentenceOf(key, rule, versions), ...shown.map(lineOf)]
  if (versionCount > shown.length) text.push(`  and ${versionCount - shown.length} more`)
  const value = versions[0] === undefined ? {} : { value: versions[0].value }
  return { key, ...value, rule, versions: shown, versionCount, text: text.join('\n') }
}

/** A value is part of its block, which must neither be held on to nor be open to changes. */
function copyOf(value: Uint8Array): Uint8Array {
  return new Uint8Array(value)
}

function nodeOf(id: string, { priority, dagName, sequence, origin }: AppliedRow): NodeOfVersion {
  return { cid: cidFromBlockId(id), priority, dagName, sequence, origin }
}

function sentenceOf(key: string, rule: DecidingRule, [winner, second]: readonly KeyVersion[]): string {
  const name = JSON.stringify(key)
  if (rule === 'no-version') return `${name} has no value: no version of it is alive here.`
  const wins = `${name} has the value of ${winner?.cid}`
  if (rule === 'only-version') return `${wins}, its only alive version.`
  if (rule === 'priority') {
    return `${wins}, whose priority ${winner?.priority} is greater than ${second?.priority}, the next.`
  }
  const tie = `${wins}: priority ${winner?.priority} ties with ${second?.cid}`
  return rule === 'value'
    ? `${tie}, and of the two values its bytes are greater.`
    : `${tie}, and so do the values, so that nothing is decided but whose node is named.`
}

function lineOf({ cid, priority, dagName, origin, value }: KeyVersion, index: number): string {
  const where = dagName === '' ? '' : `, DAG ${JSON.stringify(dagName)}`
  const who = origin === 'local' ? 'written here' : 'written elsewhere'
  return `${index === 0 ? '* ' : '  '}${cid}  priority ${priority}, ${value.length} bytes, ${who}${where}`
}
