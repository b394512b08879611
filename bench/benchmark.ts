/**
 * What a benchmark is. Types only, but for the check of a result.
 *
 * A benchmark prepares once what it needs, and is then asked for samples: each gives every one of its figures. The
 * runner drops the first samples as warm-up and tells the median and the spread of the others.
 */
import type { RivalName } from './rivals/rival.ts'
import type { Scope } from './scope.ts'

/** One number that a benchmark gives. */
export interface Figure {
  /** Such as `x`, `/s`, `ms`. */
  unit: string
  better: 'more' | 'less'
  /** What has to be reached now. */
  bar?: number
  /** What is to be reached in the end. */
  target?: number | undefined
  /**
   * Whether bar and target are for the size of a full run, so that a quick one says nothing of them.
   *
   * @default false
   */
  isOfFullSize?: boolean
  /** Who has to take part for there to be a figure. */
  rival?: RivalName
}

/** The figures of one run, by name. Those of a rival that does not take part are absent, or no number. */
export type Sample<Name extends string = string> = Partial<Record<Name, number>>

export interface Benchmark<Name extends string = string> {
  name: string
  /** What is measured, in one line. */
  about: string
  figures: Record<Name, Figure>
  /**
   * Whether it takes minutes even in a quick run, and so is no part of one.
   *
   * @default false
   */
  isLong?: boolean
  /** Samples that count, in a full and in a quick run. */
  runs: { full: number; quick: number }
  /**
   * Samples that do not.
   *
   * @default 1
   */
  warmUps?: number
  /**
   * Makes ready what all samples share.
   *
   * @returns what gives one sample; its scope ends with the sample.
   */
  prepare(scope: Scope): Promise<(scope: Scope) => Promise<Sample<Name>>>
}

/** A result that is not what it should be, however fast it came. */
export class WrongAnswerError extends Error {
  override name = 'WrongAnswerError'
}

/** @throws WrongAnswerError */
export function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new WrongAnswerError(message)
}

/** Checks that two values are the same, and tells both if not. */
export function checkEqual<T extends string | number | undefined>(found: T, expected: T, what: string): void {
  check(found === expected, `${what}: found ${found}, expected ${expected}`)
}

/** Why there is no result, in words. */
export function describeError(error: unknown): string {
  if (error instanceof WrongAnswerError) return `wrong answer: ${error.message}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
