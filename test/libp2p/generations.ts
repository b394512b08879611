// Nodes of both generations of js-libp2p over loopback, as an app of each would make them, under one face.
//
// Invariant: a node is given to the code under test as it is. That a cast is nowhere needed for it is part of the test.
import { gossipsub as gossipsub3 } from '@libp2p/gossipsub'
import { identify as identify3 } from '@libp2p/identify'
import { noise as noise3 } from '@libp2p/noise'
import { tcp as tcp3 } from '@libp2p/tcp'
import { yamux as yamux3 } from '@libp2p/yamux'
import { multiaddr as multiaddr3 } from '@multiformats/multiaddr'
import { gossipsub as gossipsub2 } from 'gossipsub-v2'
import { identify as identify2 } from 'identify-v2'
import { createLibp2p as createLibp2p3 } from 'libp2p'
import { createLibp2p as createLibp2p2 } from 'libp2p-v2'
import { multiaddr as multiaddr2 } from 'multiaddr-v2'
import { noise as noise2 } from 'noise-v2'
import { tcp as tcp2 } from 'tcp-v2'
import { yamux as yamux2 } from 'yamux-v2'
import type { Libp2pLike } from '../../src/libp2p/index.ts'
import { SYNC_PROTOCOL } from '../../src/libp2p/index.ts'

/** The ways in which tests of both generations use a gossipsub. */
interface PubSubNode {
  getTopics(): string[]
  getSubscribers(topic: string): object[]
  subscribe(topic: string): void
  unsubscribe(topic: string): void
}

/** A started node of either generation. */
export interface RealNode {
  /** To be given to the code under test. */
  libp2p: Libp2pLike
  name: string
  pubsub: PubSubNode
  addresses(): string[]
  /** Dials with addresses of its own generation. */
  connect(other: RealNode): Promise<void>
  hangUp(other: RealNode): Promise<void>
  protocols(): string[]
  /** Streams of the sync protocol that are open. */
  syncStreams(): number
  stop(): Promise<void>
}

/** One of the two. */
export interface Generation {
  name: string
  create(): Promise<RealNode>
}

const listen = ['/ip4/127.0.0.1/tcp/0']

/** What libp2p's nodes of both generations have in common here, up to the classes of addresses and peer ids. */
interface NodeOf<Address, Id> {
  peerId: Id
  services: { pubsub: PubSubNode }
  getMultiaddrs(): Array<{ toString(): string }>
  getConnections(): Array<{ streams: Array<{ protocol?: string | undefined }> }>
  getProtocols(): string[]
  getPeers(): Id[]
  dial(addresses: Address[]): Promise<unknown>
  hangUp(peer: Id): Promise<void>
  stop(): void | Promise<void>
}

function realNode<Address, Id extends { toString(): string }>(
  node: NodeOf<Address, Id> & Libp2pLike,
  addressOf: (text: string) => Address
): RealNode {
  return {
    libp2p: node,
    name: node.peerId.toString(),
    pubsub: node.services.pubsub,
    addresses: () => node.getMultiaddrs().map((address) => address.toString()),
    connect: async (other) => {
      await node.dial(other.addresses().map(addressOf))
    },
    hangUp: async (other) => {
      const id = node.getPeers().find((peer) => peer.toString() === other.name)
      if (id !== undefined) await node.hangUp(id)
    },
    protocols: () => node.getProtocols(),
    syncStreams: () =>
      node
        .getConnections()
        .flatMap(({ streams }) => streams.filter(({ protocol }) => protocol === SYNC_PROTOCOL)).length,
    stop: async () => {
      await node.stop()
    }
  }
}

export const libp2p3: Generation = {
  name: 'libp2p 3',
  create: async () => {
    const node = await createLibp2p3({
      addresses: { listen },
      transports: [tcp3()],
      connectionEncrypters: [noise3()],
      streamMuxers: [yamux3()],
      services: { identify: identify3(), pubsub: gossipsub3() }
    })
    return realNode(node, multiaddr3)
  }
}

export const libp2p2: Generation = {
  name: 'libp2p 2',
  create: async () => {
    const node = await createLibp2p2({
      addresses: { listen },
      transports: [tcp2()],
      connectionEncrypters: [noise2()],
      streamMuxers: [yamux2()],
      services: { identify: identify2(), pubsub: gossipsub2() }
    })
    return realNode(node, multiaddr2)
  }
}

export const GENERATIONS: readonly Generation[] = [libp2p3, libp2p2]

/** Who dials whom: every generation each. */
export const PAIRINGS = GENERATIONS.flatMap((dialled) =>
  GENERATIONS.map((dialler) => ({ name: `${dialler.name} dials ${dialled.name}`, dialled, dialler }))
)
