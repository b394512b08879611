/**
 * What is wrong with the state row, in words.
 */
import { equals } from 'multiformats/bytes'
import type { StateRow, StoredHead } from '../storage/rows.ts'

/** So far may the sequence run ahead of the log: purges and lost blocks leave holes at its end, too. */
export const SEQUENCE_AHEAD_MAX = 2 ** 24

/** What a purge that was cut off leaves open until it ends. */
export type PurgePart = 'gaps' | 'heads'

const COUNTERS = ['keys', 'elements', 'tombstones', 'gaps', 'deferred'] as const

/**
 * @param open - what is not compared.
 * @returns the empty string if nothing is. The clock and the sequence may run ahead of what is in the log.
 */
export function stateDetail(state: StateRow, derived: StateRow, open: readonly PurgePart[] = []): string {
  const wrong: string[] = []
  for (const counter of COUNTERS) {
    if (counter === 'gaps' && open.includes('gaps')) continue
    if (state[counter] !== derived[counter]) {
      wrong.push(`${counter} is ${state[counter]}, not ${derived[counter]}`)
    }
  }
  if (!equals(state.digest, derived.digest)) wrong.push('the digest is wrong')
  if (state.sequence < derived.sequence) {
    wrong.push(`the sequence is ${state.sequence}, and the log goes on to ${derived.sequence}`)
  }
  if (state.sequence > derived.sequence + SEQUENCE_AHEAD_MAX) {
    wrong.push(`the sequence is ${state.sequence}, and the log ends at ${derived.sequence}`)
  }
  if (state.clock < derived.clock) wrong.push(`the clock is ${state.clock}, behind ${derived.clock}`)
  if (!open.includes('heads') && headNames(state.heads) !== headNames(derived.heads))
    wrong.push('the heads are not the tips of the DAGs')
  return wrong.join('; ')
}

/** @param heads - undefined where they have rows of their own. */
function headNames(heads: readonly StoredHead[] | undefined): string | undefined {
  return heads
    ?.map(({ id, priority, dagName }) => `${id} ${priority} ${dagName}`)
    .sort()
    .join('\n')
}
