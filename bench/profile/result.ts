/**
 * What a profile gave. Types only.
 */

export interface ProfileResult {
  benchmark: string
  /** Which process of it. */
  role: string
  /** Percent of the time in which the process was neither idle nor measuring, by category. */
  shares: Record<string, number>
}
