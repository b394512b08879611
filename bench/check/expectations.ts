/**
 * The regression gate: whether ratios within one run are still about what they were. Pure; the measuring is elsewhere.
 *
 * Times of two machines, or of a busy and an idle one, cannot be compared; ratios can, to a degree. So each figure has a
 * bound that it has to reach, at about half of what was measured on a busy machine: it catches what became twice as
 * slow, and stays silent on noise.
 */

/** What figures have to reach, by benchmark and figure. */
export type Expectations = Record<string, Record<string, Bound>>

/** One bound: a least, where more is better, or a most, where less is. */
export interface Bound {
  atLeast?: number
  atMost?: number
  /** What was measured when the bound was set. For people. */
  measured: number
}

/** What was measured: the median of each figure, by benchmark. */
export type Medians = Record<string, Record<string, number>>

/** A figure that does not reach its bound. */
export interface Fall {
  benchmark: string
  figure: string
  /** Absent if there is no such figure any more. */
  found: number | undefined
  bound: Bound
}

/** Every figure with a bound that it does not reach. One that is not there, or is no number, reaches nothing. */
export function fallsOf(expected: Expectations, medians: Medians): Fall[] {
  return Object.entries(expected).flatMap(([benchmark, bounds]) =>
    Object.entries(bounds).flatMap(([figure, bound]) => {
      const found = medians[benchmark]?.[figure]
      return reaches(found, bound) ? [] : [{ benchmark, figure, found, bound }]
    })
  )
}

function reaches(found: number | undefined, { atLeast, atMost }: Bound): boolean {
  if (found === undefined || Number.isNaN(found)) return false
  return (atLeast === undefined || found >= atLeast) && (atMost === undefined || found <= atMost)
}

/** The better of two measurements of each figure: a busy machine makes ratios worse, never better. */
export function betterOf(expected: Expectations, first: Medians, second: Medians): Medians {
  return Object.fromEntries(
    Object.entries(expected).map(([benchmark, bounds]) => [
      benchmark,
      Object.fromEntries(
        Object.entries(bounds).flatMap(([figure, { atMost }]) => {
          const both = [first[benchmark]?.[figure], second[benchmark]?.[figure]].filter(
            (value) => value !== undefined
          )
          if (both.length === 0) return []
          return [[figure, atMost === undefined ? Math.max(...both) : Math.min(...both)]]
        })
      )
    ])
  )
}

/** What to say of a fall. */
export function describeFall({ benchmark, figure, found, bound }: Fall): string {
  const { atLeast, atMost, measured } = bound
  const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
  return `${benchmark}, ${figure}: ${found === undefined ? 'no figure' : round(found)}, which has to be ${wanted} (was ${round(measured)})`
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
