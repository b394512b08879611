// The broadcaster against a gossipsub that does what a test wants.
import { describe, expect, test } from 'vitest'
import { gossipsubBroadcaster } from '../../src/libp2p/index.ts'
import { FakeLibp2p } from './fake-libp2p.ts'
import { FakePubSub } from './fake-pubsub.ts'

function newNode() {
  const libp2p = new FakeLibp2p('me')
  const pubsub = new FakePubSub()
  libp2p.services = { pubsub }
  return { libp2p, pubsub }
}

describe('a gossipsub broadcaster', () => {
  test('needs a gossipsub that signs', () => {
    const { libp2p, pubsub } = newNode()
    pubsub.globalSignaturePolicy = 'StrictNoSign'
    expect(() => gossipsubBroadcaster({ libp2p }, { topic: 'topic' })).toThrow(/option libp2p.*StrictSign/i)
    libp2p.services = {}
    expect(() => gossipsubBroadcaster({ libp2p }, { topic: 'topic' })).toThrow(/pubsub: gossipsub\(\)/)
  })

  test('says so when the node is not started', async () => {
    const { libp2p, pubsub } = newNode()
    pubsub.started = false
    const starting = gossipsubBroadcaster({ libp2p }, { topic: 'topic' }).start(() => {})
    await expect(starting).rejects.toMatchObject({ name: 'InvalidOptionError', option: 'libp2p' })
  })

  test('hears only signed messages of others on its topic, within the limit, from peers that are allowed', async () => {
    const { libp2p, pubsub } = newNode()
    const allowPeer = (peer: string): boolean => {
      if (peer === 'broken') throw new Error('no idea')
      return peer !== 'banned'
    }
    const broadcaster = gossipsubBroadcaster(
      { libp2p },
      { topic: 'topic', allowPeer, receivedBroadcastBytesMax: 100 }
    )
    const heard: string[] = []
    await broadcaster.start((message, from) => heard.push(`${from}: ${message.length}`))
    pubsub.deliver('alice', 100)
    pubsub.deliver('alice', 101)
    pubsub.deliver('me')
    pubsub.deliver('banned')
    pubsub.deliver('broken')
    pubsub.deliver(undefined)
    pubsub.deliver('alice', 1, 'other')
    expect(heard).toEqual(['alice: 100'])
    expect(broadcaster.counters).toEqual({
      received: 1,
      sent: 0,
      unheard: 0,
      oversized: 1,
      refused: 2,
      unsigned: 1
    })
  })

  test.each(['PublishError.NoPeersSubscribedToTopic', 'PublishError.InsufficientPeers'])(
    'is content with %s',
    async (message) => {
      const { libp2p, pubsub } = newNode()
      pubsub.publishError = new Error(message)
      const broadcaster = gossipsubBroadcaster({ libp2p }, { topic: 'topic' })
      await broadcaster.broadcast(new Uint8Array(1))
      expect(broadcaster.counters.unheard).toBe(1)
      pubsub.publishError = new Error('anything else')
      await expect(broadcaster.broadcast(new Uint8Array(1))).rejects.toThrow('anything else')
    }
  )

  test("leaves nothing after stop, but a subscription that is the app's own", async () => {
    const { libp2p, pubsub } = newNode()
    const broadcaster = gossipsubBroadcaster({ libp2p }, { topic: 'topic' })
    await broadcaster.start(() => {})
    expect(pubsub.getTopics()).toEqual(['topic'])
    await broadcaster.stop()
    await broadcaster.stop()
    expect(pubsub.topics.size + pubsub.listeners.size).toBe(0)
    pubsub.subscribe('topic')
    await broadcaster.start(() => {})
    await broadcaster.stop()
    expect(pubsub.getTopics()).toEqual(['topic'])
  })

  test('stops also when the node was stopped first', async () => {
    const { libp2p, pubsub } = newNode()
    const broadcaster = gossipsubBroadcaster({ libp2p }, { topic: 'topic' })
    await broadcaster.start(() => {})
    pubsub.started = false
    await broadcaster.stop()
    expect(pubsub.listeners.size).toBe(0)
  })
})
