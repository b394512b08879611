/** A store in a folder and its libp2p node, which has a new peer id each time: persistent-peer.ts shows how to keep it. */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createCrdtDatastore } from 'datastore-crdt'
import { LevelDatastore } from 'datastore-level'
import { createLibp2p } from 'libp2p'

export async function openPeer(folder: string) {
  const datastore = new LevelDatastore(folder)
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() }
  })
  const store = await createCrdtDatastore({ datastore, libp2p, topic: 'task-list' })
  const close = async (): Promise<void> => {
    await store.close()
    await libp2p.stop()
    await datastore.close()
  }
  return { libp2p, store, close }
}
