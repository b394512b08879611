/**
 * Waiting for a process that may die before it answers.
 */
import type { SimulatedReplica } from '../simulated-replica.ts'

/** The answer, or undefined if the process fails or dies before it comes. */
export async function whileItRuns<T>(
  replica: SimulatedReplica,
  work: () => Promise<T>
): Promise<T | undefined> {
  const { deaths, world } = replica
  let answer: T | undefined
  let isDone = false
  const done = (result?: T): void => {
    answer = result
    isDone = true
  }
  begun(work).then(done, () => done())
  await world.clock.until(() => isDone || replica.deaths > deaths)
  return answer
}

/** A call that throws in its own turn rejects like any other. */
export function begun<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (error) {
    return Promise.reject(error)
  }
}
