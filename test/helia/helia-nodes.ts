// Helia nodes over loopback with stores upon them: such as speak the sync protocol, and such as do as Go peers do.
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { overHelia } from '../../src/helia/index.ts'
import {
  type BlockExchange,
  type CrdtDatastore,
  type CrdtDatastoreInit,
  createCrdtDatastore
} from '../../src/index.ts'
import { gossipsubBroadcaster } from '../../src/libp2p/index.ts'

export const TOPIC = 'topic'

const cleanUp: Array<() => Promise<unknown>> = []

/** Ends what was made, the last first. */
export async function closeAll(): Promise<void> {
  for (const end of cleanUp.splice(0).reverse()) await end()
}

/** What is on the disks of a node, as far as it has any. */
export interface Disks {
  blockstore?: Parameters<typeof createHeliaLight>[0] extends { blockstore?: infer B } | undefined ? B : never
  datastore?: MemoryDatastore
}

export async function heliaNode({ blockstore }: Pick<Disks, 'blockstore'> = {}) {
  const light = createHeliaLight({ ...(blockstore && { blockstore }), datastore: new MemoryDatastore() })
  const node = withBitswap(
    withLibp2pLight(light, {
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: false }) }
    })
  )
  const helia = await node.start()
  cleanUp.push(() => helia.stop())
  return helia
}

export type Helia = Awaited<ReturnType<typeof heliaNode>>

export interface HeliaPeer {
  helia: Helia
  name: string
  store: CrdtDatastore
}

/** A peer of this package: it speaks the sync protocol and bitswap. */
export async function peer(init: Partial<CrdtDatastoreInit> = {}, helia?: Helia): Promise<HeliaPeer> {
  const node = helia ?? (await heliaNode())
  return await peerOver(node, { ...overHelia(node), ...init })
}

/** A peer that does as Go peers do: it says and hears heads, and has no way for blocks but bitswap. */
export async function goLikePeer(init: Partial<CrdtDatastoreInit> = {}): Promise<HeliaPeer> {
  const helia = await heliaNode()
  const { libp2p, blockstore, blockFetcher } = overHelia(helia)
  const broadcaster = gossipsubBroadcaster({ libp2p }, { topic: TOPIC })
  return await peerOver(helia, {
    ...{ broadcaster, blockstore, blockFetcher, exchange: nothing, rebroadcastIntervalMs: 60_000 },
    ...init
  })
}

async function peerOver(helia: Helia, init: Partial<CrdtDatastoreInit>): Promise<HeliaPeer> {
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), topic: TOPIC, ...init })
  cleanUp.push(() => store.close())
  return { helia, name: helia.libp2p.peerId.toString(), store }
}

/** An exchange that has no blocks and asks nobody for any. */
const nothing: BlockExchange = {
  start: async () => {},
  stop: async () => {},
  fetch: async function* () {},
  peers: () => []
}

export async function connect(from: HeliaPeer, to: HeliaPeer): Promise<void> {
  await from.helia.libp2p.dial(to.helia.libp2p.getMultiaddrs())
}
