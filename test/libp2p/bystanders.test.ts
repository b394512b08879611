// Peers that are on the topic and do not speak the sync protocol: who they are, and when they come and go.
import { afterEach, expect, test } from 'vitest'
import { SYNC_PROTOCOL, syncExchange } from '../../src/libp2p/index.ts'
import { FakeLibp2p } from './fake-libp2p.ts'
import { FakeReplica } from './fake-replica.ts'
import { ManualClock, settle } from './manual-clock.ts'

/** A gossipsub that knows who is subscribed, and tells of changes. */
class Subscriptions {
  readonly subscribers = new Map<string, FakeLibp2p>()
  readonly #listeners = new Set<(event: unknown) => void>()

  subscribe(): void {}
  publish(): void {}

  getSubscribers(topic: string): Array<FakeLibp2p['peerId']> {
    return topic === 'topic' ? [...this.subscribers.values()].map(({ peerId }) => peerId) : []
  }

  addEventListener(_type: string, listener: (event: unknown) => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_type: string, listener: (event: unknown) => void): void {
    this.#listeners.delete(listener)
  }

  change(peer: FakeLibp2p, subscribe: boolean, topic = 'topic'): void {
    const name = peer.peerId.toString()
    if (topic === 'topic' && subscribe) this.subscribers.set(name, peer)
    else if (topic === 'topic') this.subscribers.delete(name)
    const detail = { peerId: peer.peerId, subscriptions: [{ topic, subscribe }] }
    for (const listener of this.#listeners) listener({ detail })
  }
}

const clock = new ManualClock()
const pubsub = new Subscriptions()
/** What peers said that they speak, once they were identified. */
const protocols = new Map<string, string[]>()

class Node extends FakeLibp2p {
  override services = { pubsub }
  peerStore = {
    get: async (peer: { toString(): string }) => ({ protocols: protocols.get(peer.toString()) ?? [] })
  }
}

const ending: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const end of ending.splice(0)) await end()
  pubsub.subscribers.clear()
  protocols.clear()
  expect(clock.timers).toBe(0)
})

async function start(libp2p = new Node('alice'), allowPeer: (peer: string) => boolean = () => true) {
  const replica = new FakeReplica()
  const exchange = syncExchange({ libp2p, clock, random: () => 0.5 }, { topic: 'topic', allowPeer })
  await exchange.start(replica)
  ending.push(() => exchange.stop())
  return { libp2p, replica, exchange }
}

function goPeer(name: string, connectTo?: FakeLibp2p): FakeLibp2p {
  const peer = new FakeLibp2p(name)
  protocols.set(name, ['/meshsub/1.2.0', '/ipfs/bitswap/1.2.0'])
  connectTo?.connect(peer)
  return peer
}

test('one that subscribes is told of at once, once, and is gone when it leaves the topic or the network', async () => {
  const { libp2p, replica, exchange } = await start()
  const go = goPeer('go', libp2p)
  await settle()
  expect(exchange.others?.()).toEqual([])
  pubsub.change(go, true, 'another')
  await settle()
  expect(replica.came).toEqual([])
  pubsub.change(go, true)
  pubsub.change(go, true)
  await settle()
  expect(replica.came).toEqual(['go'])
  expect(exchange.others?.()).toEqual(['go'])
  // It can be asked by nobody here, but for whoever has another way.
  expect([exchange.peers(), exchange.canPull('go')]).toEqual([[], false])
  pubsub.change(go, false)
  expect(exchange.others?.()).toEqual([])
  pubsub.change(go, true)
  await settle()
  expect(replica.came).toEqual(['go', 'go'])
  libp2p.disconnect(go)
  expect(exchange.others?.()).toEqual([])
  expect(replica.left).toEqual(['go'])
})

test('those that were there before are found at the start', async () => {
  const libp2p = new Node('alice')
  const go = goPeer('go', libp2p)
  goPeer('elsewhere', libp2p)
  pubsub.subscribers.set('go', go)
  const { replica, exchange } = await start(libp2p)
  await clock.pass(10_000)
  expect(replica.came).toEqual(['go'])
  expect(exchange.others?.()).toEqual(['go'])
})

test('one that is not identified yet is found out by not answering a hello', async () => {
  const { libp2p, replica } = await start()
  const go = goPeer('go', libp2p)
  protocols.delete('go')
  pubsub.change(go, true)
  await settle()
  expect(replica.came).toEqual([])
  await clock.pass(10_000)
  expect(replica.came).toEqual(['go'])
})

test('one that speaks the protocol, has left again or is not allowed is none', async () => {
  const { libp2p, replica, exchange } = await start(new Node('alice'), (peer) => peer !== 'stranger')
  const bob = new Node('bob')
  const other = await start(bob)
  protocols.set('bob', [SYNC_PROTOCOL])
  libp2p.connect(bob)
  pubsub.change(bob, true)
  const [gone, stranger] = [goPeer('gone', libp2p), goPeer('stranger', libp2p)]
  pubsub.change(gone, true)
  libp2p.disconnect(gone)
  pubsub.change(stranger, true)
  await clock.pass(60_000)
  expect(replica.came).toEqual([])
  expect(exchange.others?.()).toEqual([])
  expect([exchange.peers(), other.exchange.peers()]).toEqual([['bob'], ['alice']])
})

test('one that turns out to speak it after all is none any more', async () => {
  const { libp2p, replica, exchange } = await start()
  const bob = new Node('bob')
  protocols.set('bob', ['/meshsub/1.2.0'])
  libp2p.connect(bob)
  pubsub.change(bob, true)
  await settle()
  expect(replica.came).toEqual(['bob'])
  // Its store starts, on a node that was there before.
  protocols.set('bob', ['/meshsub/1.2.0', SYNC_PROTOCOL])
  protocols.set('alice', [SYNC_PROTOCOL])
  await start(bob)
  await clock.pass(1000)
  expect(exchange.others?.()).toEqual([])
  expect(exchange.peers()).toEqual(['bob'])
})

test('none is told of after a stop', async () => {
  const { libp2p, replica, exchange } = await start()
  const go = goPeer('go', libp2p)
  pubsub.change(go, true)
  await exchange.stop()
  await settle()
  expect(replica.came).toEqual([])
  expect(exchange.others?.()).toEqual([])
})
