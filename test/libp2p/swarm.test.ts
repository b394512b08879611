// Whole stores over swarms of real nodes, of one generation of libp2p or of both: writes, catch-up, restarts, partitions.
//
// Peers stand in a line, and generations take turns, so that whatever passes from one end to the other is passed on by
// both. No rebroadcast comes in time to mend anything.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type CrdtDatastore, type CrdtDatastoreInit, createCrdtDatastore } from '../../src/index.ts'
import { GROUPS } from '../testkit/real-peers.ts'
import type { Generation, RealNode } from './generations.ts'

const PEERS = 4
/** It takes some seconds, and more on a machine that is busy. */
const WITHIN_MS = 40_000
const NEVER_MS = 3_600_000

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const cleanUp: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** One peer, which can be ended and started again on its datastore. */
class Peer {
  readonly #generation: Generation
  readonly #init: Partial<CrdtDatastoreInit>
  readonly #datastore = new MemoryDatastore()
  #running: { node: RealNode; store: CrdtDatastore } | undefined

  private constructor(generation: Generation, init: Partial<CrdtDatastoreInit>) {
    this.#generation = generation
    this.#init = init
  }

  static async start(generation: Generation, init: Partial<CrdtDatastoreInit> = {}): Promise<Peer> {
    const peer = new Peer(generation, init)
    cleanUp.push(() => peer.end())
    await peer.start()
    return peer
  }

  async start(): Promise<void> {
    const node = await this.#generation.create()
    const { libp2p } = node
    const datastore = this.#datastore
    const init = { rebroadcastIntervalMs: NEVER_MS, ...this.#init }
    const store = await createCrdtDatastore({ datastore, libp2p, topic: 'swarm', ...init })
    this.#running = { node, store }
  }

  async end(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.store.close()
    await running?.node.stop()
  }

  get node(): RealNode {
    return this.#running!.node
  }

  get store(): CrdtDatastore {
    return this.#running!.store
  }

  async write(name: string, count = 5): Promise<void> {
    for (let index = 0; index < count; index++) {
      await this.store.put(new Key(`/${name}/${index}`), bytes(`${name} ${index}`))
      await this.store.put(new Key('/shared'), bytes(`${name} ${index}`))
    }
    await this.store.delete(new Key(`/${name}/0`))
  }
}

async function keysOf(store: CrdtDatastore): Promise<string[]> {
  const rows: string[] = []
  for await (const { key, value } of store.query({})) rows.push(`${key} ${new TextDecoder().decode(value)}`)
  return rows.sort()
}

/** Waits until all have the same, and checks that they show it. */
async function converge(peers: readonly Peer[], count: number): Promise<void> {
  const stores = peers.map(({ store }) => store)
  await vi.waitFor(
    async () => {
      const states = await Promise.all(
        stores.map(async (store) => ({ digest: await store.digest(), nodes: (await store.stats()).nodes }))
      )
      // Shown as a whole, so that a failure tells who lacks something.
      expect(states).toEqual(states.map(() => states[0]))
      expect((await keysOf(stores[0]!)).length).toBe(count)
    },
    { timeout: WITHIN_MS, interval: 20 }
  )
  const [first, ...others] = await Promise.all(stores.map(keysOf))
  for (const other of others) expect(other).toEqual(first)
  const heads = await Promise.all(
    stores.map(async (store) => (await store.heads()).map(({ cid }) => `${cid}`))
  )
  for (const some of heads) expect(new Set(some)).toEqual(new Set(heads[0]))
}

describe.each(GROUPS)('a swarm of $name', ({ generations }) => {
  const generationAt = (place: number): Generation => generations[place % generations.length]!

  async function line(init: Partial<CrdtDatastoreInit> = {}): Promise<Peer[]> {
    const starting = Array.from({ length: PEERS }, (_, place) => Peer.start(generationAt(place), init))
    const peers = await Promise.all(starting)
    await connectLine(peers)
    return peers
  }

  async function connectLine(peers: readonly Peer[]): Promise<void> {
    for (const [place, peer] of peers.entries()) {
      if (place > 0) await peer.node.connect(peers[place - 1]!.node)
    }
  }

  async function writeAll(peers: readonly Peer[], round: string): Promise<void> {
    await Promise.all(peers.map((peer, place) => peer.write(`${round}${place}`)))
  }

  test('converges though all write from the first moment on, before gossip has formed its mesh', async () => {
    const peers = await line()
    await writeAll(peers, 'a')
    await converge(peers, 1 + PEERS * 4)
  })

  test('brings those who join late up to date, at either end', async () => {
    const peers = await line()
    await peers[0]!.write('history', 200)
    await converge(peers, 1 + 199)
    const joiners = await Promise.all([0, 1].map((place) => Peer.start(generationAt(place))))
    await joiners[0]!.node.connect(peers.at(-1)!.node)
    await joiners[1]!.node.connect(peers[0]!.node)
    await Promise.all(joiners.map((joiner, place) => joiner.write(`joiner${place}`)))
    await converge([...peers, ...joiners], 1 + 199 + 2 * 4)
  })

  test('gives to peers that were started again what they missed, and gets what they wrote offline', async () => {
    const peers = await line()
    await writeAll(peers, 'before')
    await converge(peers, 1 + PEERS * 4)
    // Both generations where there are two, and the line is broken.
    for (const peer of peers.slice(1, 3)) await peer.end()
    await peers[0]!.write('meanwhile')
    for (const peer of peers.slice(1, 3)) await peer.start()
    await peers[1]!.write('offline')
    await connectLine(peers)
    await converge(peers, 1 + PEERS * 4 + 2 * 4)
  })

  test('converges after a partition in which both sides wrote', async () => {
    const peers = await line()
    await writeAll(peers, 'before')
    await converge(peers, 1 + PEERS * 4)
    await peers[2]!.node.hangUp(peers[1]!.node)
    await vi.waitFor(() => expect(peers[1]!.node.libp2p.getConnections()).toHaveLength(1))
    await writeAll(peers, 'apart')
    await converge(peers.slice(0, 2), 1 + PEERS * 4 + 2 * 4)
    await peers[2]!.node.connect(peers[1]!.node)
    await writeAll(peers, 'again')
    await converge(peers, 1 + 3 * PEERS * 4)
  })

  test('is quiet once it is level: its rebroadcasts make nobody ask for anything', async () => {
    const peers = await line({ rebroadcastIntervalMs: 300, gossipSettleMs: 300 })
    await writeAll(peers, 'a')
    await converge(peers, 1 + PEERS * 4)
    const broadcasts = async (): Promise<number> => {
      const stats = await Promise.all(peers.map(({ store }) => store.stats()))
      return stats.reduce((sum, { broadcast }) => sum + broadcast!.received, 0)
    }
    const passed = async (count: number): Promise<void> => {
      const before = await broadcasts()
      await vi.waitFor(async () => expect(await broadcasts()).toBeGreaterThanOrEqual(before + count), {
        timeout: WITHIN_MS,
        interval: 20
      })
    }
    const asked = async (): Promise<unknown[]> => {
      const stats = await Promise.all(peers.map(({ store }) => store.stats()))
      // Streams that were kept for a next request are closed meanwhile.
      return stats.map(({ sync }) => ({ ...sync, streamsOpen: 0 }))
    }
    // What was asked before they were level is answered meanwhile, and hellos that were due have been said.
    await passed(12 * PEERS)
    const before = await asked()
    await passed(4 * PEERS)
    expect(await asked()).toEqual(before)
  })
})
