/**
 * Two empty peers that are connected and listen to each other's gossip, for benchmarks of what happens then.
 */
import type { PeerProcess } from '../peer/process.ts'
import { startPeer } from '../peer/process.ts'
import type { Scope } from '../scope.ts'

const WARM_UP_PUTS = 20
const WARM_UP_PAUSE_MS = 5
const WITHIN_MS = 30_000

export interface ConnectedPeers {
  writer: PeerProcess
  reader: PeerProcess
  /** Keys that are in both stores already, of one node each. */
  keys: number
}

/** Starts two peers and waits until a few puts of the writer have arrived at the reader. */
export async function connectPeers(scope: Scope, topic: string): Promise<ConnectedPeers> {
  const { peer: writer, address } = await startPeer(scope, {
    role: 'writer',
    folder: await scope.folder(),
    topic
  })
  const { peer: reader } = await startPeer(scope, { role: 'reader', folder: await scope.folder(), topic })
  await reader.call('dial', address)
  await Promise.all([writer.call('subscribed'), reader.call('subscribed')])
  await writer.call('write', { prefix: 'warm-up', count: WARM_UP_PUTS, pauseMs: WARM_UP_PAUSE_MS })
  await reader.call('reached', { keys: WARM_UP_PUTS, withinMs: WITHIN_MS })
  return { writer, reader, keys: WARM_UP_PUTS }
}
