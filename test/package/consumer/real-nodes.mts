// Nodes as either generation of libp2p makes them are given as they are, without a cast. Only checked by TypeScript,
// never run.
import { gossipsub as gossipsub3 } from '@libp2p/gossipsub'
import { identify as identify3 } from '@libp2p/identify'
import { type CrdtDatastore, createCrdtDatastore } from 'datastore-crdt'
import { gossipsubBroadcaster, type Libp2pLike, syncExchange } from 'datastore-crdt/libp2p'
import { gossipsub as gossipsub2 } from 'gossipsub-v2'
import { identify as identify2 } from 'identify-v2'
import type { Datastore } from 'interface-datastore'
import { createLibp2p as createLibp2p3 } from 'libp2p'
import { createLibp2p as createLibp2p2 } from 'libp2p-v2'

const topic = 'topic'

export async function stores(datastore: Datastore): Promise<CrdtDatastore[]> {
  const three = await createLibp2p3({ services: { identify: identify3(), pubsub: gossipsub3() } })
  const two = await createLibp2p2({ services: { identify: identify2(), pubsub: gossipsub2() } })
  for (const libp2p of [three, two]) {
    gossipsubBroadcaster({ libp2p }, { topic })
    syncExchange({ libp2p }, { topic })
  }
  // @ts-expect-error What is no node is refused.
  const misfit: Libp2pLike = three.services
  return await Promise.all([
    createCrdtDatastore({ datastore, libp2p: three, topic }),
    createCrdtDatastore({ datastore, libp2p: two, topic }),
    createCrdtDatastore({ datastore, libp2p: misfit, topic })
  ])
}
