/**
 * Measures until every bound is reached, or often enough to be sure that one is not.
 *
 * Invariant: a figure fails only if it misses its bound in every measurement, as noise does not and a slowdown does.
 */
import { betterOf, type Expectations, type Fall, fallsOf, type Medians } from './expectations.ts'

/** Measurements of what falls, the first included. */
export const ATTEMPTS_MAX = 3

/**
 * @param measure - measures benchmarks by name.
 * @param onAgain - told of what is going to be measured again.
 * @returns what fell in every attempt.
 */
export async function gate(
  expected: Expectations,
  measure: (names: string[]) => Promise<Medians>,
  onAgain: (falls: readonly Fall[]) => void = () => {}
): Promise<Fall[]> {
  let medians = await measure(Object.keys(expected))
  let falls = fallsOf(expected, medians)
  for (let attempt = 1; attempt < ATTEMPTS_MAX && falls.length > 0; attempt++) {
    onAgain(falls)
    const again = await measure([...new Set(falls.map(({ benchmark }) => benchmark))])
    medians = betterOf(expected, medians, again)
    falls = fallsOf(expected, medians)
  }
  return falls
}
