/**
 * The pause before a retry: it doubles with every failure up to a cap, and is spread by 30% either way, so that
 * peers that lost the same peer at the same moment do not come back in step.
 */

/** Uniform in [0, 1). */
type Random = () => number

/** How far a pause is spread, as go-ds-crdt spreads its rebroadcasts. */
const SPREAD = 0.3

/** A duration, give or take 30%. */
export function jittered(ms: number, random: Random): number {
  return ms * (1 - SPREAD + 2 * SPREAD * random())
}

/** @param failures - how many attempts have failed, at least 1. */
export function backoffMs(failures: number, baseMs: number, capMs: number, random: Random): number {
  return jittered(Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30)), random)
}
