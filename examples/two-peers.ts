/**
 * Two peers in one process. Each has its own copy; what one writes, the other gets.
 */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { MemoryDatastore } from 'datastore-core'
import { type CrdtDatastore, createCrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'
import { createLibp2p } from 'libp2p'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (value: Uint8Array) => new TextDecoder().decode(value)

async function startPeer() {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() }
  })
  // Peers with the same topic share their keys.
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), libp2p, topic: 'two-peers' })
  return { libp2p, store }
}

/** Resolves when two stores hold the same. It listens before it looks, so that it misses nothing in between. */
async function untilEqual(one: CrdtDatastore, other: CrdtDatastore): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const compare = async () => {
    if ((await one.digest()) === (await other.digest())) resolve()
  }
  for (const store of [one, other]) store.addEventListener('heads', compare)
  await compare()
  await promise
  for (const store of [one, other]) store.removeEventListener('heads', compare)
}

const alice = await startPeer()
const bob = await startPeer()
await bob.libp2p.dial(alice.libp2p.getMultiaddrs())

// A watch begins with the call, so whoever opens it before the write does not miss it.
const changes = bob.store.watch({ origin: 'remote' })
await alice.store.put(new Key('/greeting'), bytes('hello'))
for await (const { key, value } of changes) {
  if (value !== undefined) console.log(`Bob got ${key} from Alice: ${text(value)}`)
  break
}

// Both write one key, and neither has heard of the other's value: one of the two wins, the same on both sides.
const color = new Key('/color')
await Promise.all([alice.store.put(color, bytes('red')), bob.store.put(color, bytes('blue'))])
await untilEqual(alice.store, bob.store)
console.log(`Alice has ${color} ${text(await alice.store.get(color))}`)
console.log(`Bob has ${color} ${text(await bob.store.get(color))}`)

// The store is closed before what it stands on.
for (const { store, libp2p } of [alice, bob]) {
  await store.close()
  await libp2p.stop()
}
