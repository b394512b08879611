/**
 * Runs a script: a phase with faults, and then one in which everything heals and everything is checked.
 *
 * Invariant: the same script runs the same way every time.
 */
import { checkWorld } from '../checkers/check-world.ts'
import type { RunReport } from './report.ts'
import type { Script } from './script.ts'
import { ScriptRun } from './script-run.ts'
import { SimulationError } from './simulation-error.ts'

/**
 * Runs a script to its end.
 *
 * @throws SimulationError if anything is not as it must be.
 */
export async function runScript(script: Script): Promise<RunReport> {
  return await attempt(script, async (run) => {
    await run.live()
    await run.heal()
    await checkWorld(run.checked())
    await run.bounds.end()
    return await run.report()
  })
}

/**
 * Does something with a run of a script.
 *
 * @throws SimulationError around whatever it fails with.
 */
export async function attempt<T>(script: Script, work: (run: ScriptRun) => Promise<T>): Promise<T> {
  const run = new ScriptRun(script)
  try {
    return await work(run)
  } catch (error) {
    throw new SimulationError(script, run.world.trace.lines(), await run.drawing(), error)
  }
}
