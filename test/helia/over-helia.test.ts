// Stores over Helia nodes: blocks by bitswap from and to peers that speak nothing else, as Go peers do, and by the sync
// protocol wherever that can be.
import type { Bitswap } from '@helia/bitswap'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { cidFromBlockId } from '../../src/codec/block-id.ts'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { overHelia } from '../../src/helia/index.ts'
import { forge, forgeMissing } from '../replica/forge.ts'
import { closeAll, connect, goLikePeer, type HeliaPeer, heliaNode, peer, TOPIC } from './helia-nodes.ts'

// Sockets and a busy machine take their time; no test waits for anything else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

afterEach(closeAll)

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const HOUR = 3_600_000

/** Too large to ride inside its announcement. */
const LARGE = 'x'.repeat(20_000)

async function write({ store }: HeliaPeer, name: string, count: number, value = ''): Promise<void> {
  for (let index = 0; index < count; index++) {
    await store.put(new Key(`/${name}/${index}`), utf8(`${index}${value}`))
  }
}

const converged = (...peers: HeliaPeer[]): Promise<void> =>
  vi.waitFor(
    async () => {
      const digests = await Promise.all(peers.map(({ store }) => store.digest()))
      expect(new Set(digests).size).toBe(1)
      for (const { store } of peers)
        expect(await store.stats()).toMatchObject({ gaps: 0, wanted: 0, pending: 0 })
    },
    { timeout: 40_000, interval: 5 }
  )

/** What a peer's bitswap knows that another one wants of it. */
function wantsOf({ helia }: HeliaPeer, of: HeliaPeer): unknown {
  const [broker] = (helia as unknown as { blockBrokers: Array<{ bitswap: Bitswap }> }).blockBrokers
  return broker?.bitswap.getPeerWantlist(of.helia.libp2p.peerId)
}

const fetched = async ({ store }: HeliaPeer): Promise<number> =>
  (await store.stats()).blockFetcher?.requests ?? Number.NaN

describe('a peer that speaks bitswap and not the sync protocol', () => {
  test('is told the heads when it joins, long before the next rebroadcast, and is served everything below them', async () => {
    const here = await peer({ rebroadcastIntervalMs: HOUR })
    await write(here, 'early', 30, LARGE)
    const joiner = await goLikePeer()
    await connect(joiner, here)
    await converged(here, joiner)
    expect((await here.store.stats()).sync?.hellos).toBe(0)
  })

  test('is told the heads by one that starts after it', async () => {
    const datastore = new MemoryDatastore()
    const blockstore = new MemoryBlockstore()
    const first = await peer({ datastore }, await heliaNode({ blockstore }))
    await write(first, 'early', 30)
    await first.store.close()
    const waiting = await goLikePeer()
    await connect(waiting, first)
    await vi.waitFor(
      () =>
        expect(first.helia.libp2p.services.pubsub.getSubscribers(TOPIC).map(String)).toEqual([waiting.name]),
      20_000
    )
    // What was written before a restart is served after it.
    await converged(waiting, await peer({ datastore, rebroadcastIntervalMs: HOUR }, first.helia))
  })

  test('is served what it asked for before it was there, as it does when gossip is passed on to it', async () => {
    const [here, asker] = [await peer(), await goLikePeer()]
    await connect(asker, here)
    const { id, bytes } = forge({ puts: { '/k': LARGE } })
    const cid = cidFromBlockId(id)
    const asking = overHelia(asker.helia).blockFetcher.fetch(cid, { signal: AbortSignal.timeout(20_000) })
    // It was looked for and not found, and nobody will ask again.
    await vi.waitFor(() => expect(wantsOf(here, asker)).toMatchObject([{ haveBlock: false }]), 20_000)
    await overHelia(here.helia).blockstore.put(cid, bytes)
    expect(Buffer.compare(await asking, bytes)).toBe(0)
  })

  test('is asked for what it announces, and both go on from there', async () => {
    const here = await peer()
    const other = await goLikePeer({ rebroadcastIntervalMs: 200 })
    await write(other, 'other', 20, LARGE)
    await connect(here, other)
    await converged(here, other)
    expect(await fetched(here)).toBeGreaterThanOrEqual(20)
    await Promise.all([write(here, 'same', 20, LARGE), write(other, 'same', 20, LARGE)])
    await converged(here, other)
    await other.store.delete(new Key('/same/0'))
    await here.store.delete(new Key('/other/0'))
    await converged(here, other)
    expect(await here.store.has(new Key('/same/0'))).toBe(false)
  })

  test('announces a head that it cannot serve, and nothing else waits for it', async () => {
    const here = await peer()
    const other = await goLikePeer()
    await connect(here, other)
    const { pubsub } = other.helia.libp2p.services
    await vi.waitFor(() => expect(pubsub.getSubscribers(TOPIC)).toHaveLength(1), 20_000)
    const missing = Array.from({ length: 20 }, (_, index) => forgeMissing(`missing ${index}`))
    await pubsub.publish(TOPIC, encodeBroadcast(missing.map(({ id }) => ({ id, dagName: '' }))))
    await vi.waitFor(async () => expect(await fetched(here)).toBe(20), 20_000)
    await write(other, 'other', 5, LARGE)
    await vi.waitFor(async () => expect(await here.store.has(new Key('/other/4'))).toBe(true), {
      timeout: 5000,
      interval: 5
    })
    expect((await here.store.stats()).wanted).toBe(20)
    // Nor does a close, while all of them are being asked for.
    const from = performance.now()
    await here.store.close()
    expect(performance.now() - from).toBeLessThan(2000)
  })
})

test('a history that such a peer wrote is streamed by one of this package that has it', async () => {
  const other = await goLikePeer({ rebroadcastIntervalMs: 200 })
  await write(other, 'other', 100)
  const has = await peer()
  await connect(has, other)
  await converged(has, other)
  const joiner = await peer()
  await Promise.all([connect(joiner, other), connect(joiner, has)])
  await converged(joiner, has, other)
  const { sync, blockFetcher } = await joiner.store.stats()
  expect(sync?.blocksIn).toBeGreaterThan(80)
  // A head or two may have been heard before the one that streams was greeted.
  expect(blockFetcher?.requests).toBeLessThan(10)
})

test('what is no Helia node with libp2p is refused by name', async () => {
  const helia = await heliaNode()
  for (const node of [{}, { libp2p: helia.libp2p }, { blockstore: helia.blockstore }]) {
    expect(() => overHelia(node as never)).toThrow(
      expect.objectContaining({ name: 'InvalidOptionError', option: 'helia' })
    )
  }
})
