/**
 * One test in a world of its own, which tells all that there is to know when it fails.
 *
 * Invariant: whatever becomes of the test, nothing of its world goes on after it.
 */
import { World, WorldError, type WorldInit } from './world.ts'

/**
 * Makes a world, does something in it, and ends it: every replica that still runs is closed, and has to leave nothing
 * behind.
 *
 * @param scenario - what is done and what is expected. It may throw anything, assertions of any kind.
 * @returns what the scenario returned.
 * @throws WorldError if the scenario or the end fails: its message has the seed, the drawing of every DAG and the newest
 * lines of the trace, its cause is what was thrown.
 */
export async function inWorld<T>(init: WorldInit, scenario: (world: World) => Promise<T> | T): Promise<T> {
  const world = new World(init)
  try {
    const result = await scenario(world)
    await world.close()
    return result
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    throw new WorldError(`${why}\n\n${await world.report()}`, { cause: error })
  } finally {
    for (const replica of world.running()) replica.crash()
  }
}
