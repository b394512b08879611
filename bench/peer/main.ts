/**
 * The process of one peer: does what it is asked for over the channel to its parent, and ends with it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { type Change, type CrdtDatastore, createCrdtDatastore } from 'datastore-crdt'
import { overHelia } from 'datastore-crdt/helia'
import { LevelDatastore } from 'datastore-level'
import { makeKey, makeValue, stampOf } from '../workload.ts'
import { watchLoad } from './load.ts'
import type { PeerLoad, PeerMethods, PeerRequest, PeerResponse } from './messages.ts'
import { createNode, type PeerNode } from './node.ts'

/** How often a goal is looked at. */
const POLL_MS = 1

interface Opened {
  topic: string
  datastore: LevelDatastore
  /** None if the store was opened alone. */
  node: PeerNode | undefined
  store: CrdtDatastore
}

let opened: Opened | undefined
let heardMs: number[] = []
let stopWatching: (() => Promise<PeerLoad>) | undefined

const now = (): bigint => process.hrtime.bigint()

function peer(): Opened {
  if (opened === undefined) throw new Error('The peer is not open')
  return opened
}

function peerNode(): PeerNode {
  const { node } = peer()
  if (node === undefined) throw new Error('The peer was opened alone')
  return node
}

async function poll(isReached: () => Promise<boolean>, withinMs: number, what: string): Promise<bigint> {
  const deadline = performance.now() + withinMs
  while (!(await isReached())) {
    if (performance.now() > deadline) {
      throw new Error(`${what} was not reached in ${withinMs} ms: ${JSON.stringify(await methods.state())}`)
    }
    await sleep(POLL_MS)
  }
  return now()
}

const methods: PeerMethods = {
  async open({ folder, topic, isHelia = false }) {
    const datastore = new LevelDatastore(folder)
    await datastore.open()
    if (isHelia) {
      const { createHeliaNode } = await import('./helia-node.ts')
      const helia = await createHeliaNode()
      const store = await createCrdtDatastore({ datastore, topic, ...overHelia(helia) })
      opened = { topic, datastore, node: helia.libp2p, store }
    } else {
      const node = await createNode()
      const store = await createCrdtDatastore({ datastore, libp2p: node, topic })
      opened = { topic, datastore, node, store }
    }
    const [address] = peerNode().getMultiaddrs()
    if (address === undefined) throw new Error('The node does not listen')
    return address.toString()
  },

  async openAlone(folder) {
    const memoryBefore = process.memoryUsage.rss()
    const start = performance.now()
    const datastore = new LevelDatastore(folder)
    await datastore.open()
    const store = await createCrdtDatastore({ datastore })
    const ms = performance.now() - start
    opened = { topic: '', datastore, node: undefined, store }
    return { ms, memoryGrowth: (process.memoryUsage.rss() - memoryBefore) / 2 ** 20 }
  },

  async dial(address) {
    const startedAt = now()
    await peerNode().dial(multiaddr(address))
    return startedAt
  },

  async hangUp() {
    const node = peerNode()
    await Promise.all(node.getConnections().map((connection) => connection.close()))
  },

  async subscribed() {
    const { topic } = peer()
    const { pubsub } = peerNode().services
    await poll(async () => pubsub.getSubscribers(topic).length > 0, 10_000, 'A subscriber')
  },

  async write({ prefix, count, pauseMs }) {
    const { store } = peer()
    const startedAt = now()
    for (let index = 0; index < count; index++) {
      await store.put(makeKey(prefix, index), makeValue(index, now()))
      if (pauseMs > 0) await sleep(pauseMs)
    }
    return { startedAt, endedAt: now() }
  },

  async listen(prefix) {
    heardMs = []
    peer().store.addEventListener('change', ({ detail }: CustomEvent<Change>) => {
      const { key, value, origin } = detail
      if (origin !== 'remote' || value === undefined || !key.toString().startsWith(`/${prefix}/`)) return
      heardMs.push(Number(now() - stampOf(value)) / 1e6)
    })
  },

  async heard(count) {
    await poll(async () => heardMs.length >= count, 30_000, `A number of ${count} changes`)
    return heardMs
  },

  async reached({ digest, keys, withinMs }) {
    const { store } = peer()
    const isReached = async (): Promise<boolean> =>
      (digest === undefined || (await store.digest()) === digest) &&
      (keys === undefined || (await store.stats()).keys === keys)
    return await poll(isReached, withinMs, `The goal of ${keys ?? 'equal'} keys`)
  },

  async watch(profileFile) {
    stopWatching = await watchLoad(profileFile)
  },

  async load() {
    if (stopWatching === undefined) throw new Error('The peer does not watch itself')
    return await stopWatching()
  },

  async state() {
    const { store } = peer()
    const { keys, nodes, heads, counters } = await store.stats()
    const counted = Object.entries(counters).filter(([, count]) => count !== 0)
    return { digest: await store.digest(), keys, nodes, heads, counters: Object.fromEntries(counted) }
  },

  async readAll() {
    let rows = 0
    for await (const { value } of peer().store.query({})) rows += value.length > 0 ? 1 : 0
    return rows
  },

  async close() {
    if (opened === undefined) return
    const { store, node, datastore } = opened
    opened = undefined
    await store.close()
    await node?.stop()
    await datastore.close()
  }
}

async function answer({ id, method, args }: PeerRequest): Promise<PeerResponse> {
  try {
    const call = methods[method] as (...args: unknown[]) => Promise<unknown>
    return { id, result: await call(...args) }
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

process.on('message', (request: PeerRequest) => {
  void answer(request).then((response) => process.send?.(response))
})
process.on('disconnect', () => process.exit())
