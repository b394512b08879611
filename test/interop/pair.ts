/**
 * One Go peer and one TypeScript peer, for all tests of a `describe`, which see what came before them.
 */
import { afterAll, beforeAll } from 'vitest'
import type { GoPeer } from './go-peer.ts'
import { Swarm } from './swarm.ts'
import type { TsPeer } from './ts-peer.ts'

export interface Pair {
  swarm: Swarm
  go: GoPeer
  ts: TsPeer
  /** Both write without hearing each other, and meet again. */
  apart(writes: () => Promise<void>): Promise<void>
}

/** Its parts are there once the tests run. */
export function pairOf(program: string, flags: Record<string, string> = {}): Pair {
  const pair = {
    async apart(writes: () => Promise<void>): Promise<void> {
      const { swarm, go, ts } = pair
      await swarm.disconnect(go, ts)
      await writes()
      await swarm.connect(go, ts)
    }
  } as Pair
  beforeAll(async () => {
    pair.swarm = new Swarm(program)
    pair.go = await pair.swarm.go('go', { flags })
    pair.ts = await pair.swarm.ts('ts')
    await pair.swarm.connect(pair.go, pair.ts)
  })
  afterAll(async () => {
    await pair.swarm?.end()
  })
  return pair
}
