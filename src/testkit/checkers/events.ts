/**
 * The changes that a replica told of: complete, in order, each beginning where the one before ended, and together what
 * the replica shows.
 */
import type { Life, SimulatedReplica } from '../simulated-replica.ts'
import { ensure } from './check-error.ts'

const CHECK = 'changes replay to the state'

/**
 * The changes of one life, each of which begins where the one before ended.
 *
 * @returns what each key of them was at the end.
 * @throws CheckError
 */
function checkChain({ name }: SimulatedReplica, { number, changes }: Life): Map<string, string | undefined> {
  const shown = new Map<string, string | undefined>()
  let sequence = 0
  for (const change of changes) {
    const key = change.key.toString()
    const where = (): string => `${name} #${number}, ${key} at ${change.sequence}`
    ensure(change.sequence >= sequence, CHECK, () => `${where()} after ${sequence}`)
    const previous = hex(change.previous)
    const known = shown.has(key) ? shown.get(key) : previous
    ensure(previous === known, CHECK, () => `${where()} says that it was ${previous}, and it was ${known}`)
    const value = hex(change.value)
    shown.set(key, value)
    sequence = change.sequence
  }
  return shown
}

/**
 * The chains of all lives, and that the last one ends where the replica is.
 *
 * @throws CheckError
 */
export async function checkChanges(replica: SimulatedReplica): Promise<void> {
  const { name, store, lives } = replica
  const state = new Map<string, string | undefined>()
  for await (const { key, value } of store.query({})) state.set(key.toString(), hex(value))
  for (const life of lives) {
    const shown = checkChain(replica, life)
    if (life !== lives.at(-1)) continue
    for (const [key, value] of shown) {
      ensure(
        state.get(key) === value,
        CHECK,
        () => `${name} told ${key} is ${value}, and shows ${state.get(key)}`
      )
    }
    if (!life.startedEmpty) continue
    for (const key of state.keys()) ensure(shown.has(key), CHECK, () => `${name} told nothing of ${key}`)
  }
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')
}
