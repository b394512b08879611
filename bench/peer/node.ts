/**
 * A libp2p node as an app would make it, listening on the loopback.
 */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export type PeerNode = Awaited<ReturnType<typeof createNode>>

/** How a node is made, in whatever it is. */
export function nodeOptions() {
  return {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() }
  }
}

export async function createNode() {
  return await createLibp2p(nodeOptions())
}
