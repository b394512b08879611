/**
 * Every curve, in the order in which they are drawn.
 */
import type { Curve } from './curve.ts'
import { keys, opening, values, versions } from './local.ts'
import { deltas, distances, memoryOverTime, replicas } from './network.ts'
import { heads, simulatedReplicas } from './swarm.ts'

export const curves: readonly Curve[] = [
  keys,
  opening,
  versions,
  values,
  deltas,
  distances,
  replicas,
  simulatedReplicas,
  heads,
  memoryOverTime
]
