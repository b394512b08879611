/**
 * Chance that can be repeated: one root seed, and from it one stream of numbers for each actor.
 *
 * Invariant: a stream depends on the root seed and the actor's name alone, so that one more actor, or one that draws
 * more often, leaves the chance of all others as it was.
 */
import type { Random } from '../replica/ports.ts'

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The stream of one actor of the world with this seed. */
export function streamOf(seed: number, actor: string): Random {
  // FNV-1a over the name, begun at the seed.
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < actor.length; index++) {
    hash = Math.imul(hash ^ actor.charCodeAt(index), 0x01000193) >>> 0
  }
  return seededRandom(hash)
}

/** A whole number from 0 to `limit`, which is not included. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** One of several. There must be one. */
export function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T
}
