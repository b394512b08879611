/**
 * Taking times.
 */

/** How long something takes, in milliseconds. */
export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Both times of a pair, in milliseconds. */
export interface PairedTimes {
  ours: number
  theirs: number
}

/**
 * Runs two works one after the other and takes the time of each. Who begins changes from call to call, so that
 * neither always finds the machine as the other left it.
 */
export function alternating(): (
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>
) => Promise<PairedTimes> {
  let oursFirst = false
  return async (ours, theirs) => {
    oursFirst = !oursFirst
    if (oursFirst) {
      const first = await milliseconds(ours)
      return { ours: first, theirs: await milliseconds(theirs) }
    }
    const first = await milliseconds(theirs)
    return { ours: await milliseconds(ours), theirs: first }
  }
}
