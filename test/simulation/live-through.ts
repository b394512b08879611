// Runs many seeds, and says everything about the first that fails, cut down to what matters.
import { expect } from 'vitest'
import { generateScript } from '../../src/testkit/simulation/generate.ts'
import { runScript } from '../../src/testkit/simulation/run.ts'
import { shrink } from '../../src/testkit/simulation/shrink.ts'
import { SimulationError } from '../../src/testkit/simulation/simulation-error.ts'
import { Totals } from './totals.ts'

export async function liveThrough(from: number, count: number): Promise<void> {
  const totals = new Totals()
  for (let seed = from; seed < from + count; seed++) {
    try {
      totals.add(await runScript(generateScript(seed)))
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error
      throw new Error((await shrink(error)).report(), { cause: error.cause })
    }
  }
  // Lives in which nothing happens would prove nothing.
  expect(totals.sum('acknowledged')).toBeGreaterThan(30 * count)
  expect(totals.sum('faults')).toBeGreaterThan(3 * count)
  expect(totals.sum('crashes')).toBeGreaterThan(count / 2)
}
