/**
 * A peer that keeps its identity and its data in a folder. Run it again on the same folder: it is the same peer, with
 * all that it had. Without a folder it uses a temporary one.
 */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createCrdtDatastore } from 'datastore-crdt'
import { LevelDatastore } from 'datastore-level'
import { type Datastore, Key } from 'interface-datastore'
import { createLibp2p } from 'libp2p'

/** The private key is the identity. It is kept beside the store's rows, which are under `/crdt`, and not replicated. */
async function loadOrMakeIdentity(datastore: Datastore): Promise<PrivateKey> {
  const name = new Key('/identity')
  if (await datastore.has(name)) return privateKeyFromProtobuf(await datastore.get(name))
  const identity = await generateKeyPair('Ed25519')
  await datastore.put(name, privateKeyToProtobuf(identity))
  return identity
}

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'persistent-peer-')))
console.log(`The folder is ${folder}`)
const datastore = new LevelDatastore(folder)
await datastore.open()

const libp2p = await createLibp2p({
  privateKey: await loadOrMakeIdentity(datastore),
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub() }
})
console.log(`The peer is ${libp2p.peerId}`)

// A write that resolved survives a crash of the process in any case, and with 'fsync' one of the machine as well.
const store = await createCrdtDatastore({ datastore, libp2p, topic: 'persistent-peer', durability: 'fsync' })

// A key for each start, not a counter: two peers that count up one key at the same time would lose a count.
const start = new Key(`/starts/${new Date().toISOString()}`)
await store.put(start, new TextEncoder().encode(libp2p.peerId.toString()))
for await (const key of store.queryKeys({ prefix: '/starts/' }))
  console.log(`It was started at ${key.baseNamespace()}`)

// In reverse: the store, then what it stands on.
await store.close()
await libp2p.stop()
await datastore.close()
