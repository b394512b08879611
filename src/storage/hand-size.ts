/**
 * How many things are read at once, where one may be small or large: as many as take a megabyte, if the next are as large as
 * the last ones were.
 */

const HAND_BYTES = 1024 * 1024

/**
 * @param count - how many the last hand had.
 * @param bytes - what they took.
 * @returns how many the next hand may have, at least one.
 */
export function nextHandSize(count: number, bytes: number, countMax: number): number {
  return Math.max(1, Math.min(countMax, Math.floor((HAND_BYTES * Math.max(1, count)) / (bytes + 1))))
}
