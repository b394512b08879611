/**
 * The libp2p node of the peer: TCP, noise, yamux, identify, gossipsub and, unless it is unwanted, mDNS.
 *
 * Invariants: peers that mDNS finds are dialled once; peers that were named are dialled again and again for as
 * long as they are not connected; of two connections that a peer dialled the older one is ended.
 */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Connection, PeerId, PrivateKey } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

/** The pause between two attempts to reach a peer that was named. */
const REDIAL_MS = 1000

/**
 * Gossipsub stops to listen to peers when there are more than fourteen at one address, and remembers them for an hour
 * after they are gone. On one machine that is no sign of an attack.
 */
const scoreParams = { IPColocationFactorWhitelist: new Set(['127.0.0.1', '::1']) }

export interface NodeInit {
  privateKey: PrivateKey
  listen: Multiaddr[]
  /** Peers to stay connected to. */
  peers: Multiaddr[]
  mdns: boolean
  /** Ends the dialling. */
  signal: AbortSignal
  /** Told once in a row of failures. */
  onUnreachable(address: Multiaddr, error: Error): void
}

export type PeerNode = Awaited<ReturnType<typeof createNode>>

/** A started node. The caller stops it. */
export async function createNode(init: NodeInit) {
  const libp2p = await createLibp2p({
    privateKey: init.privateKey,
    addresses: { listen: init.listen.map((address) => address.toString()) },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...(init.mdns ? { peerDiscovery: [mdns()] } : {}),
    services: { identify: identify(), pubsub: gossipsub({ scoreParams }) }
  })
  libp2p.addEventListener('peer:discovery', ({ detail }) => {
    // It may be a peer of another program, or gone already: nothing is lost if it cannot be reached.
    libp2p.dial(detail.id, { signal: init.signal }).catch(() => {})
  })
  libp2p.addEventListener('connection:open', ({ detail }) => endSuperseded(libp2p, detail))
  for (const address of init.peers) void stayConnected(libp2p, address, init)
  return libp2p
}

/**
 * A peer that dials though it is connected has lost that connection without a word, as a laptop does that is in another
 * network all of a sudden. libp2p would notice by its next ping, but gossipsub keeps its stream on the old connection
 * until then and opens none on the new one afterwards: the peer would hear nothing any more.
 */
function endSuperseded(
  libp2p: Pick<Libp2p, 'getConnections'>,
  { id, direction, remotePeer }: Connection
): void {
  if (direction !== 'inbound') return
  for (const older of libp2p.getConnections(remotePeer)) {
    if (older.id === id || older.direction !== 'inbound' || older.limits != null) continue
    older.abort(new Error('The peer has dialled anew'))
  }
}

async function stayConnected(
  libp2p: Awaited<ReturnType<typeof createLibp2p>>,
  address: Multiaddr,
  { signal, onUnreachable }: NodeInit
): Promise<void> {
  let peer: PeerId | undefined
  let isReported = false
  while (!signal.aborted) {
    if (peer === undefined || libp2p.getConnections(peer).length === 0) {
      try {
        peer = (await libp2p.dial(address, { signal })).remotePeer
        isReported = false
      } catch (error) {
        if (!isReported && !signal.aborted) onUnreachable(address, error as Error)
        isReported = true
      }
    }
    await pause(signal)
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, REDIAL_MS)
    signal.addEventListener('abort', done)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
