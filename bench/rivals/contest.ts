/**
 * The rivals of one benchmark of local work: each does the same as the store, in its turn.
 *
 * Invariant: a rival that fails is out of the benchmark, and why is noted for the end of the run; it never gives a figure
 * for part of its samples.
 */
import type { Figure, Sample } from '../benchmark.ts'
import type { Scope } from '../scope.ts'
import type { Contestant, Times } from '../timing.ts'
import type { RivalName } from './rival.ts'
import { type RivalArguments, RivalProcess } from './rival-process.ts'

/**
 * What share of the work a rival is given, that a sample may not take minutes; its time is scaled up. And how many keys
 * it has for reads: as many as the store where it can write batches.
 */
const RIVALS: Record<RivalName, { share: number; keysMax: number }> = {
  'go-ds-crdt': { share: 1, keysMax: Number.POSITIVE_INFINITY },
  'js-ds-crdt': { share: 0.1, keysMax: 2000 },
  OrbitDB: { share: 0.02, keysMax: 2000 }
}

/** How many times as fast as each rival the store has to be; nothing where that is only told. */
export type RivalTargets = Partial<Record<RivalName, number | undefined>>

/** The name of the figure that tells how many times as fast as a rival the store is. */
export function ratioName(rival: RivalName): string {
  return `x ${rival}`
}

/** Two figures for each rival: the ratio, and its own rate. */
export function rivalFigures(targets: RivalTargets, unit: string): Record<string, Figure> {
  const figures: Record<string, Figure> = {}
  for (const [name, target] of Object.entries(targets) as Array<[RivalName, number | undefined]>) {
    figures[ratioName(name)] = { unit: 'x', better: 'more', rival: name, target }
    figures[name] = { unit, better: 'more', rival: name }
  }
  return figures
}

export class Contest {
  readonly #scope: Scope
  readonly #rivals: RivalProcess[] = []

  private constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Starts those rivals that can be started. */
  static async start(scope: Scope, names: readonly RivalName[]): Promise<Contest> {
    const contest = new Contest(scope)
    if (!scope.options.rivals) return contest
    for (const name of names) {
      try {
        const rival = await RivalProcess.start(scope, name)
        await rival.call('open', { folder: await scope.folder(), topic: 'contest' })
        contest.#rivals.push(rival)
      } catch (error) {
        scope.options.absent.set(name, String(error))
      }
    }
    return contest
  }

  /**
   * Every rival that is still in it, as one that does `count` of something.
   *
   * @param argumentsOf - what the method is told, for a rival that does so many.
   */
  contestants(
    method: string,
    count: number,
    argumentsOf: (count: number, rival: RivalProcess) => RivalArguments
  ): Partial<Record<RivalName, Contestant>> {
    return Object.fromEntries(
      this.#rivals.map((rival) => {
        const share = Math.max(1, Math.round(count * RIVALS[rival.name].share))
        const work = async (): Promise<number> =>
          ((await this.#time(rival, method, argumentsOf(share, rival))) / share) * count
        return [rival.name, work]
      })
    )
  }

  /** Writes keys for reads into every rival that is still in it. */
  async fill(prefix: string, count: number): Promise<void> {
    for (const rival of [...this.#rivals]) {
      const keys = Math.min(count, RIVALS[rival.name].keysMax)
      await this.#time(rival, keys < count ? 'puts' : 'batch', { prefix, from: 0, count: keys })
    }
  }

  /** Every rival that is still in it, as one that reads keys by number: those modulo how many keys it has. */
  readers(prefix: string, numbers: readonly number[]): Partial<Record<RivalName, Contestant>> {
    return this.contestants('gets', numbers.length, (count, { name }) => ({
      prefix,
      indexes: numbers.slice(0, count).map((number) => number % RIVALS[name].keysMax)
    }))
  }

  async #time(rival: RivalProcess, method: string, args: RivalArguments): Promise<number> {
    try {
      return await rival.time(method, args)
    } catch (error) {
      this.#rivals.splice(this.#rivals.indexOf(rival), 1)
      this.#scope.options.absent.set(`${rival.name}, ${method}`, String(error))
      return Number.NaN
    }
  }
}

/**
 * The figures of one sample: the store's speed in raw datastore-levels, in the least that there is to do, and in rivals, and
 * everybody's rate.
 */
export function figuresOfTurns(times: Times, count: number): Sample {
  const { ours, raw, least, ...rivals } = times
  const sample: Record<string, number> = { speed: raw / ours, rate: (count / ours) * 1000 }
  if (least !== undefined) {
    sample['of the least'] = least / ours
    sample.least = raw / least
  }
  for (const [name, ms] of Object.entries(rivals)) {
    sample[ratioName(name as RivalName)] = ms / ours
    sample[name] = (count / ms) * 1000
  }
  return sample
}
