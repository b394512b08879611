/**
 * Taking times.
 */
import type { RunOptions } from './scope.ts'

/** How long something takes, in milliseconds. */
export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Does its work and tells how many milliseconds that took. */
export type Contestant = () => Promise<number>

/** How long each contestant took, by name: the store, the raw datastore-level, and rivals. */
export interface Times {
  ours: number
  raw: number
  [rival: string]: number
}

/**
 * Lets contestants do their work one after the other, and tells how long each took. Who begins changes from call to
 * call, so that nobody always finds the machine as a certain other left it.
 *
 * While a profile is taken the store works alone, or the profile would be of all of them.
 */
export function turns({
  profileFolder
}: RunOptions): (
  contestants: { ours: Contestant; raw: Contestant } & Partial<Record<string, Contestant>>
) => Promise<Times> {
  let round = 0
  return async (contestants) => {
    const all = Object.entries(contestants).filter(([name]) => profileFolder === undefined || name === 'ours')
    const first = round++ % all.length
    const times: Times = { ours: Number.NaN, raw: Number.NaN }
    for (const [name, work] of [...all.slice(first), ...all.slice(0, first)]) {
      if (work !== undefined) times[name] = await work()
    }
    return times
  }
}
