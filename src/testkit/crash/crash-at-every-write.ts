/**
 * Crashes at every write: a history is lived once for each write of the victim's disk, dies there, and has to stand up.
 *
 * After each death the victim is opened alone, as its disk is, and has to show everything that it acknowledged, nothing by
 * halves, true tips, and what the oracle makes of its blocks; then it meets the other replica again, and both have to
 * become level with nothing lost.
 *
 * Invariant: a history is the same at every point but for the death, so a point is named by seed, medium and write.
 */
import { Key } from 'interface-datastore'
import { checkAcknowledged } from '../checkers/acknowledged.ts'
import { ensure } from '../checkers/check-error.ts'
import { checkVerified, checkWorld } from '../checkers/check-world.ts'
import { checkEqualsOracle } from '../checkers/equals-oracle.ts'
import { KnownBlocks } from '../checkers/known-blocks.ts'
import { checkAncestorsFirst } from '../checkers/node-order.ts'
import { dagOf } from '../checkers/replica-dag.ts'
import { readTogether } from '../checkers/together.ts'
import { attempt } from '../simulation/run.ts'
import type { Script } from '../simulation/script.ts'
import type { ScriptRun } from '../simulation/script-run.ts'
import { VICTIM } from './history.ts'

/** Where and how the victim dies. */
export interface CrashPoint {
  /** At which write of its disk, counted from 1. */
  write: number
  /** Whether the machine loses its power, with what was not flushed, or the process dies alone. */
  power: boolean
  /** At which write of the next start it dies once more; 0 for not. */
  again: number
}

/**
 * How many writes the victim makes in a history, from its first start on.
 *
 * @throws SimulationError if the history fails without any crash.
 */
export async function countWrites(history: Script): Promise<number> {
  return await attempt(history, async (run) => {
    await run.live()
    return run.world.get(VICTIM).disk.writes
  })
}

/**
 * Lives a history up to one death of the victim, and checks what becomes of it.
 *
 * @throws SimulationError if anything is not as it must be.
 */
export async function crashAt(history: Script, point: CrashPoint): Promise<void> {
  await attempt(history, async (run) => {
    run.stopAt(VICTIM, point.write)
    await run.live()
    const isOpen = await run.reopenAlone(VICTIM, point)
    ensure(isOpen, 'a store opens after a crash', () => JSON.stringify(point))
    await checkSurvivor(run)
    await run.heal()
    await checkWorld({ ...run.checked(), rebroadcastIntervalMs: 0 })
    await run.world.close()
  })
}

/** What the victim shows while it is alone, and that what it writes next is later than everything it had. */
async function checkSurvivor(run: ScriptRun): Promise<void> {
  const { world } = run
  const victim = world.get(VICTIM)
  const blocks = new KnownBlocks()
  const nodes = blocks.read(await dagOf(victim))
  checkAcknowledged(nodes, blocks, run.writes, VICTIM)
  await checkEqualsOracle(victim, nodes, blocks)
  checkAncestorsFirst(victim, nodes)
  await checkVerified(victim)
  const together = await readTogether(victim)
  ensure(new Set(together).size <= 1, 'batches are kept whole', () => together.join(', '))
  const { clock } = await victim.store.stats()
  const key = new Key('/after the crash')
  try {
    await world.run(victim.store.put(key, new Uint8Array([1])))
  } catch (error) {
    // The history may have dropped the DAG, and then nothing can be written to it.
    if (error instanceof Error && error.name === 'DagIgnoredError') return
    throw error
  }
  const priorities = (await victim.store.heads('')).map(({ priority }) => priority)
  ensure(
    priorities.some((priority) => priority > clock) && nodes.every(({ priority }) => priority <= clock),
    'later is later',
    () => `a put after the crash has ${priorities}, and the clock was ${clock}`
  )
}
