/**
 * A peer that Go peers can talk to, in a folder: Helia brings libp2p and bitswap, over which they get blocks and give
 * theirs, and its blockstore keeps the blocks of the store.
 */
import { join } from 'node:path'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { LevelBlockstore } from 'blockstore-level'
import { createCrdtDatastore } from 'datastore-crdt'
import { overHelia } from 'datastore-crdt/helia'
import { LevelDatastore } from 'datastore-level'
import { createHeliaLight } from 'helia'

export async function openPeer(folder: string, topic: string) {
  const datastore = new LevelDatastore(join(folder, 'rows'))
  const blockstore = new LevelBlockstore(join(folder, 'blocks'))
  await datastore.open()
  await blockstore.open()

  // The light one has no HTTP gateways and no DHT: blocks are asked of connected peers and of nobody else.
  const light = withLibp2pLight(createHeliaLight({ datastore, blockstore }), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() }
  })
  // A linear history has one block to ask for at a time, so that waiting for more costs time and gains nothing.
  const helia = await withBitswap(light, { sendWantlistDebounce: 0 }).start()

  // Everything that a Go peer needs is in this line.
  const store = await createCrdtDatastore({ datastore, topic, ...overHelia(helia) })

  const close = async (): Promise<void> => {
    await store.close()
    await helia.stop()
    await blockstore.close()
    await datastore.close()
  }
  return { libp2p: helia.libp2p, store, close }
}
