/**
 * The points of a history at which its victim is to die: every write of its disk, by itself, with the power, and once
 * more at the next start.
 *
 * Invariant: every write is a point; which of them loses power, and which dies again, goes round with the write's number,
 * so that over the histories each combination is met.
 */
import type { Script } from '../simulation/script.ts'
import { type CrashPoint, countWrites } from './crash-at-every-write.ts'

/** Writes of a start at which the next process dies too, at most. */
const AGAIN_MAX = 3

/** All points of a history, in the order of its writes. */
export async function* crashPoints(history: Script): AsyncGenerator<CrashPoint> {
  const writes = await countWrites(history)
  for (let write = 1; write <= writes; write++) {
    const again = (write + history.seed) % (AGAIN_MAX + 1)
    yield { write, power: false, again }
    if ((write + history.seed) % 2 === 0) yield { write, power: true, again }
  }
}
