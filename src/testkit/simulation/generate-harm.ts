/**
 * Makes the steps of peers that are not honest.
 */
import type { Random } from '../../replica/ports.ts'
import type { Telling } from '../hostile/hostile-peer.ts'
import { ODD_KINDS } from '../hostile/odd-blocks.ts'
import { MANNERS } from '../hostile/raw-streams.ts'
import { below, pick } from '../seeded-random.ts'
import type { HostileStep } from './script.ts'

/** Steps that a script may have anywhere. */
export type HarmKind = Exclude<HostileStep['do'], 'hostile joins'>

export const HARMS: ReadonlySet<string> = new Set<HarmKind>([
  ...(['hostile leaves', 'odd block', 'forged heads', 'flood', 'noise'] as const),
  ...(['misused streams', 'answers', 'asks'] as const)
])

const TELLINGS: readonly Telling[] = [
  'inlined',
  'inlined',
  'by id',
  'by id',
  'with another block',
  'streamed'
]

interface HarmInit {
  random: Random
  peer: string
  /** Tells this step from all others. */
  name: string
  /** A key that honest replicas write to. */
  key: string
  /** An honest replica. */
  to: string
}

export function harmOf(kind: HarmKind, { random, peer, name, key, to }: HarmInit): HostileStep {
  switch (kind) {
    case 'odd block':
      return { do: kind, peer, kind: pick(random, ODD_KINDS), how: pick(random, TELLINGS), name, key }
    case 'forged heads':
      return { do: kind, peer, name, count: pick(random, [1, 10, 64, 300]), legacy: random() < 0.3 }
    case 'flood':
      return { do: kind, peer, name, count: pick(random, [10, 50, 100]), bytes: pick(random, [0, 1000]) }
    case 'noise':
      return { do: kind, peer, count: 1 + below(random, 30) }
    case 'misused streams':
      return { do: kind, peer, to, manner: pick(random, MANNERS), count: pick(random, [1, 3, 12]) }
    case 'answers':
      return random() < 0.7 ? { do: kind, peer, manner: pick(random, MANNERS) } : { do: kind, peer }
    case 'asks':
      return { do: kind, peer, to }
    case 'hostile leaves':
      return { do: kind, peer }
  }
}
