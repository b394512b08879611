/**
 * Looks at replicas in the middle of everything.
 */
import { CheckError } from '../checkers/check-error.ts'
import { checkEqualsOracle } from '../checkers/equals-oracle.ts'
import { readTogether } from '../checkers/together.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { whileItRuns } from './while-it-runs.ts'

/**
 * Every reader sees a batch whole or not at all.
 *
 * @throws CheckError
 */
export async function lookTogether(replica: SimulatedReplica): Promise<void> {
  const values = await whileItRuns(replica, () => readTogether(replica))
  if (values !== undefined && new Set(values).size > 1) {
    throw new CheckError('batches are seen whole', `${replica.name} shows ${values.join(', ')}`)
  }
}

/**
 * What a replica shows at any moment is what the oracle makes of the blocks that it has at that moment.
 *
 * @param isBusy - whether something is under way there which others may see half done.
 * @throws CheckError
 */
export async function lookClosely(replica: SimulatedReplica, isBusy: () => boolean): Promise<void> {
  if (!replica.isRunning || isBusy()) return
  const before = await whileItRuns(replica, () => replica.store.stats())
  let found: unknown
  const check = (): Promise<void> =>
    checkEqualsOracle(replica).catch((error: unknown) => {
      found = error
    })
  await whileItRuns(replica, check)
  const after = await whileItRuns(replica, () => replica.store.stats())
  // What was committed in the middle of the check may be in one half of it only.
  const isSame = before !== undefined && before.nodes === after?.nodes
  if (found instanceof CheckError && isSame && !isBusy()) throw found
}

/** Whether it answers at all; a store that failed does not, until it is opened again. */
export async function isUsable(replica: SimulatedReplica): Promise<boolean> {
  return (await whileItRuns(replica, () => replica.store.digest().then(() => true))) === true
}
