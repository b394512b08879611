/**
 * A TypeScript peer that Go can talk to: Helia brings libp2p and bitswap, and its blockstore keeps the blocks.
 *
 * Invariant: rows and blocks of a peer with a folder are in one LevelDB, so that killing its process loses neither.
 */
import { join } from 'node:path'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { LevelDatastore } from 'datastore-level'
import { createHeliaLight } from 'helia'
import type { Datastore } from 'interface-datastore'
import { type CrdtDatastoreInit, createCrdtDatastore } from '../../src/create.ts'
import type { CrdtDatastore } from '../../src/datastore.ts'
import { overHelia } from '../../src/helia/index.ts'
import { DatastoreBlocks } from './datastore-blocks.ts'

/** Gossipsub distrusts many peers at one address; here all are at one. */
const scoreParams = { IPColocationFactorWhitelist: new Set(['127.0.0.1', '::1']) }

export interface TsPeer {
  readonly name: string
  readonly id: string
  readonly address: string
  readonly store: CrdtDatastore
  readonly libp2p: HeliaNode['libp2p']
  connect(address: string): Promise<void>
  /** Ids of the peers that it is connected to. */
  connected(): Promise<string[]>
  disconnect(peer: string): Promise<void>
  close(): Promise<void>
}

export interface TsPeerInit extends Partial<Omit<CrdtDatastoreInit, 'datastore' | 'libp2p' | 'blockstore'>> {
  name: string
  topic: string
  /** Where it is kept on disk; in memory if left out. */
  folder?: string | undefined
}

/** A started peer. */
export async function startTsPeer({ name, topic, folder, ...init }: TsPeerInit): Promise<TsPeer> {
  const datastore = folder === undefined ? new MemoryDatastore() : new LevelDatastore(join(folder, 'store'))
  if (datastore instanceof LevelDatastore) await datastore.open()
  const node = await startHelia(datastore)
  const store = await createCrdtDatastore({
    ...{ datastore, topic },
    ...overHelia(node),
    ...init
  })
  return {
    ...{ name, store, libp2p: node.libp2p, id: node.libp2p.peerId.toString() },
    address: node.libp2p.getMultiaddrs()[0]!.toString(),
    async connect(address) {
      await node.libp2p.dial(multiaddr(address))
    },
    async connected() {
      return node.libp2p.getPeers().map(String)
    },
    async disconnect(peer) {
      await node.libp2p.hangUp(peerIdFromString(peer))
    },
    async close() {
      await store.close()
      await node.stop()
      if (datastore instanceof LevelDatastore) await datastore.close()
    }
  }
}

type HeliaNode = Awaited<ReturnType<typeof startHelia>>

async function startHelia(datastore: Datastore) {
  const helia = createHeliaLight({ blockstore: new DatastoreBlocks(datastore), datastore })
  const connected = withLibp2pLight(helia, {
    privateKey: await generateKeyPair('Ed25519'),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub({ scoreParams }) }
  })
  // Otherwise it waits for 10 ms for more wants, and a linear history has but one at a time.
  const node = withBitswap(connected, { sendWantlistDebounce: 0 })
  return await node.start()
}
