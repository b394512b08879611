/**
 * What is wrong with the state row, in words.
 */
import type { StateRow, StoredHead } from '../storage/rows.ts'

const COUNTERS = ['keys', 'elements', 'tombstones', 'gaps', 'deferred'] as const

/** @returns the empty string if nothing is. The clock and the sequence may run ahead of what is in the log. */
export function stateDetail(state: StateRow, derived: StateRow): string {
  const wrong: string[] = []
  for (const counter of COUNTERS) {
    if (state[counter] !== derived[counter]) {
      wrong.push(`${counter} is ${state[counter]}, not ${derived[counter]}`)
    }
  }
  if (state.digest.some((byte, index) => byte !== derived.digest[index])) wrong.push('the digest is wrong')
  if (state.sequence < derived.sequence) {
    wrong.push(`the sequence is ${state.sequence}, and the log goes on to ${derived.sequence}`)
  }
  if (state.clock < derived.clock) wrong.push(`the clock is ${state.clock}, behind ${derived.clock}`)
  if (headNames(state.heads) !== headNames(derived.heads))
    wrong.push('the heads are not the tips of the DAGs')
  return wrong.join('; ')
}

function headNames(heads: readonly StoredHead[] = []): string {
  return heads
    .map(({ id, priority, dagName }) => `${id} ${priority} ${dagName}`)
    .sort()
    .join('\n')
}
