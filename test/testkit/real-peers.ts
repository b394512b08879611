// Nodes of libp2p 3 over loopback for the acceptance suites, as a user would set them up.
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

async function createNode() {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() }
  })
}

type Node = Awaited<ReturnType<typeof createNode>>

export class RealPeers {
  readonly nodes: Node[]

  private constructor(nodes: Node[]) {
    this.nodes = nodes
  }

  static async create(count: number): Promise<RealPeers> {
    return new RealPeers(await Promise.all(Array.from({ length: count }, createNode)))
  }

  readonly connect = async (one: number, other: number): Promise<void> => {
    await this.nodes[one]!.dial(this.nodes[other]!.getMultiaddrs())
  }

  readonly disconnect = async (one: number, other: number): Promise<void> => {
    await this.nodes[one]!.hangUp(this.nodes[other]!.peerId)
  }

  readonly end = async (): Promise<void> => {
    await Promise.all(this.nodes.map(async (node) => await node.stop()))
  }
}
