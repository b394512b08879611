/**
 * Why a key has the value that it has: its alive versions and the part of the merge rule that decided between the
 * first two of them.
 */
import { compareBytes, type Version } from '../crdt/winner.ts'
import { type RankedVersion, type Reader, rankedVersions } from './versions.ts'

/**
 * What decided: `no-version` where the key has no value; `only-version` where nothing competes; `priority` where
 * the winner's is greater than any other's; `value` where priorities tie and its bytes are greater; `id` where
 * values tie too, and so nothing is decided but which node is named.
 */
export type DecidingRule = 'no-version' | 'only-version' | 'priority' | 'value' | 'id'

export interface ExplainedKey {
  rule: DecidingRule
  /** The winner first; as many as were asked for, and two at least, if there are so many. */
  versions: RankedVersion[]
  /** How many there are in all. */
  versionCount: number
}

export async function explain(reader: Reader, key: string, versionsMax: number): Promise<ExplainedKey> {
  const versions: RankedVersion[] = []
  let versionCount = 0
  for await (const _ of reader.sets.alive(key)) versionCount++
  for await (const version of rankedVersions(reader, key)) {
    versions.push(version)
    if (versions.length >= Math.max(2, versionsMax)) break
  }
  return { rule: decidingRule(versions), versions, versionCount }
}

function decidingRule([winner, second]: readonly Version[]): DecidingRule {
  if (winner === undefined) return 'no-version'
  if (second === undefined) return 'only-version'
  if (winner.priority !== second.priority) return 'priority'
  return compareBytes(winner.value, second.value) === 0 ? 'id' : 'value'
}
