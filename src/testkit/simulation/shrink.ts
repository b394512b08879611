/**
 * Cuts a failing script down to the few steps that make it fail.
 *
 * Invariant: what it returns fails with the same check as what it was given.
 */
import { CheckError } from '../checkers/check-error.ts'
import { runScript } from './run.ts'
import type { Script } from './script.ts'
import { SimulationError } from './simulation-error.ts'

/** How often a script is run at most to make it shorter. */
const RUNS_MAX = 400
/** How long that may take, in real milliseconds: a life that never ends well takes many seconds each time. */
const SHRINKING_MS_MAX = 120_000

/**
 * The shortest script that it finds, and its failure.
 *
 * @param onProgress - told how many steps are left.
 */
export async function shrink(
  failure: SimulationError,
  onProgress: (steps: number) => void = () => {}
): Promise<SimulationError> {
  const kind = kindOf(failure)
  let best = failure
  const until = performance.now() + SHRINKING_MS_MAX
  let runs = 0
  const mayGoOn = (): boolean => runs < RUNS_MAX && performance.now() < until
  for (
    let size = Math.ceil(best.script.steps.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < best.script.steps.length && mayGoOn(); ) {
      const { steps } = best.script
      const shorter = { ...best.script, steps: [...steps.slice(0, from), ...steps.slice(from + size)] }
      runs++
      const next = await failureOf(shorter)
      if (next !== undefined && kindOf(next) === kind) {
        best = next
        onProgress(best.script.steps.length)
      } else from += size
    }
  }
  return best
}

async function failureOf(script: Script): Promise<SimulationError | undefined> {
  try {
    await runScript(script)
    return undefined
  } catch (error) {
    return error instanceof SimulationError ? error : undefined
  }
}

/** What failed, without the details, which change with every step. */
function kindOf({ cause }: SimulationError): string {
  if (cause instanceof CheckError) return cause.check
  return cause instanceof Error ? cause.name : String(cause)
}
