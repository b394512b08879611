/**
 * A peer that goes on writing while it is offline, and what becomes of it once it is back. Reads and writes never
 * wait for a network, so there is nothing to be done differently: only the connection comes and goes.
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
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), libp2p, topic: 'notes' })
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

const title = new Key('/note/title')
const body = new Key('/note/body')
const office = await startPeer()
const laptop = await startPeer()
await laptop.libp2p.dial(office.libp2p.getMultiaddrs())
await office.store.put(title, bytes('Plan'))
await untilEqual(office.store, laptop.store)
console.log(`The laptop got ${text(await laptop.store.get(title))}`)

await laptop.libp2p.hangUp(office.libp2p.peerId)
await laptop.store.put(body, bytes('Written on a train'))
await laptop.store.put(title, bytes('Plan of the laptop'))
await office.store.put(title, bytes('Plan of the office'))
console.log(`Offline, the laptop has ${text(await laptop.store.get(title))}`)

// Peers that meet tell each other what they have, and fetch what they lack. Only the dialling is up to you.
await laptop.libp2p.dial(office.libp2p.getMultiaddrs())
await untilEqual(office.store, laptop.store)
for (const [name, { store }] of Object.entries({ laptop, office })) {
  console.log(`Online again, the ${name} has ${text(await store.get(title))}: ${text(await store.get(body))}`)
}

// Two wrote the title without knowing of each other. The laptop had written more since they parted, so its title won,
// whatever the clocks on the wall say. The other values of the key are kept, also the one that was written over.
for await (const { value } of office.store.getAll(title)) console.log(`Kept: ${text(value)}`)

// Deleted and written anew in one batch, the key has this value alone.
const settling = office.store.batch()
settling.delete(title)
settling.put(title, bytes('Plan of both'))
await settling.commit()
await untilEqual(office.store, laptop.store)
for await (const { value } of laptop.store.getAll(title)) console.log(`Settled: ${text(value)}`)

for (const { store, libp2p } of [office, laptop]) {
  await store.close()
  await libp2p.stop()
}
