/**
 * Steps in which peers that are not honest come, do harm and go.
 *
 * Invariant: what such a peer does waits for nobody, as none of the steps of honest replicas does.
 */

import { forgeNode } from '../hostile/forged.ts'
import type { HostilePeer } from '../hostile/hostile-peer.ts'
import type { World } from '../world.ts'
import type { HostileStep } from './script.ts'

/** Does a step, if it makes sense now. */
export async function harm(world: World, step: HostileStep): Promise<void> {
  const peer = world.hostiles().find(({ name }) => name === step.peer)
  if (step.do === 'hostile joins') {
    if (peer === undefined) await world.hostile(step.peer, { lie: step.lie })
  } else if (peer !== undefined) act(peer, step)
}

function act(peer: HostilePeer, step: Exclude<HostileStep, { do: 'hostile joins' }>): void {
  switch (step.do) {
    case 'hostile leaves':
      peer.leave()
      break
    case 'odd block':
      peer.tellOdd(step.kind, { name: step.name, key: step.key }, step.how)
      break
    case 'forged heads':
      peer.forgeHeads(step.name, step.count, { legacy: step.legacy })
      break
    case 'flood':
      flood(peer, step)
      break
    case 'noise':
      peer.sayNoise(step.count)
      break
    case 'misused streams':
      void peer.open(step.to, step.manner, step.count)
      break
    case 'answers':
      peer.answers = step.manner
      break
    case 'asks':
      void peer.ask(step.to)
  }
}

/** Many nodes without links, each of which is a head, as fast as they can be said. */
function flood(peer: HostilePeer, { name, count, bytes }: Extract<HostileStep, { do: 'flood' }>): void {
  const nodes = Array.from({ length: count }, (_, index) =>
    forgeNode({ puts: [[`/hostile/flood/${index % 7}`, `${name} ${index}${'.'.repeat(bytes)}`]] })
  )
  peer.tell(nodes, 'inlined')
}
