/**
 * OrbitDB over LevelDB, in its faster kind of key-value database, `keyvalue-indexed`, with a libp2p node as ours.
 * Values are kept as text, because OrbitDB keeps what is JSON.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createOrbitDB, KeyValueIndexed } from '@orbitdb/core'
import { LevelBlockstore } from 'blockstore-level'
import { LevelDatastore } from 'datastore-level'
import { createHelia } from 'helia'
import { createLibp2p } from 'libp2p'
import { checkValue, makeKey, makeValue, serve, taken } from '../serve.js'

let database

const toText = (value) => Buffer.from(value).toString('base64')
const toBytes = (text) => new Uint8Array(Buffer.from(text ?? '', 'base64'))

serve({
  async open({ folder, topic }) {
    for (const name of ['rows', 'blocks', 'orbitdb']) mkdirSync(join(folder, name), { recursive: true })
    const datastore = new LevelDatastore(join(folder, 'rows'))
    const blockstore = new LevelBlockstore(join(folder, 'blocks'))
    await Promise.all([datastore.open(), blockstore.open()])
    const libp2p = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
    })
    const ipfs = await createHelia({ datastore, blockstore, libp2p })
    const orbitdb = await createOrbitDB({ ipfs, directory: join(folder, 'orbitdb') })
    database = await orbitdb.open(topic, { Database: KeyValueIndexed() })
  },
  async puts({ prefix, from, count }) {
    return await taken(async () => {
      for (let index = from; index < from + count; index++)
        await database.put(makeKey(prefix, index), toText(makeValue(index)))
    })
  },
  async gets({ prefix, indexes }) {
    return await taken(async () => {
      for (const index of indexes) {
        const key = makeKey(prefix, index)
        checkValue(key, toBytes(await database.get(key)), index)
      }
    })
  }
})
