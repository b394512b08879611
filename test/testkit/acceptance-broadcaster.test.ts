// The acceptance suite of broadcasters, over what we ship, and over broken ones, which it has to find out.
import { describe, expect, it, vi } from 'vitest'
import { gossipsubBroadcaster } from '../../src/libp2p/index.ts'
import type { Broadcaster } from '../../src/replica/ports.ts'
import { type BroadcasterGroup, testBroadcaster } from '../../src/testkit/index.ts'
import { GROUPS, RealPeers } from './real-peers.ts'
import { RecordingRunner } from './recording-runner.ts'
import { SimulatedPeers } from './simulated-peers.ts'

// Sockets and a busy machine take their time; no test waits for anything else.
vi.setConfig({ testTimeout: 60_000 })

const topic = 'topic'

async function simulated(
  count: number,
  broken: (broadcaster: Broadcaster, name: string) => Broadcaster = (broadcaster) => broadcaster
): Promise<BroadcasterGroup> {
  const peers = new SimulatedPeers(count, { connected: true, patienceMs: 1000 })
  const { until, leftBehind } = peers
  const members = peers.nodes.map((libp2p) => ({
    name: libp2p.name,
    broadcaster: broken(gossipsubBroadcaster({ libp2p }, { topic }), libp2p.name)
  }))
  return { members, until, leftBehind, end: async () => {} }
}

describe('over a simulated network,', () => testBroadcaster({ describe, it }, (count) => simulated(count)))

describe.each(GROUPS)('over $name,', ({ generations }) =>
  testBroadcaster({ describe, it }, async (count) => {
    const peers = await RealPeers.create(count, generations)
    for (let one = 0; one < count; one++) {
      for (let other = one + 1; other < count; other++) await peers.connect(one, other)
    }
    const members = peers.nodes.map((node) => ({
      name: node.name,
      broadcaster: gossipsubBroadcaster(node, { topic })
    }))
    const leftBehind = (place: number): string[] => peers.nodes[place]!.pubsub.getTopics()
    return { members, leftBehind, end: peers.end }
  })
)

/** Some methods of a broadcaster replaced by others. */
type Breaking = (whole: Broadcaster, name: string) => Partial<Broadcaster>

const BROKEN: Record<string, [Breaking, string[]]> = {
  'goes on after it was stopped': [
    () => ({ stop: async () => {} }),
    ['delivers nothing after it was stopped', 'leaves nothing behind when it is stopped']
  ],
  'hears itself': [
    (whole, name) => {
      let own: ((message: Uint8Array, from: string) => void) | undefined
      return {
        start: async (receive) => {
          own = receive
          await whole.start(receive)
        },
        broadcast: (message) => {
          own?.(message.slice(), name)
          return whole.broadcast(message)
        }
      }
    },
    ['does not deliver what was said by itself']
  ],
  'throws where nobody listens': [
    (whole) => ({
      broadcast: async (message) => {
        if (!(await whole.broadcast(message))) throw new Error('PublishError.NoPeersSubscribedToTopic')
        return true
      }
    }),
    ['takes it for no error that nobody listens, and tells so']
  ],
  'says that it was heard, always': [
    (whole) => ({ broadcast: (message) => whole.broadcast(message).then(() => true) }),
    ['takes it for no error that nobody listens, and tells so']
  ],
  'says that it was not heard, always': [
    (whole) => ({ broadcast: (message) => whole.broadcast(message).then(() => false) }),
    ['tells that somebody may have heard, once others listen']
  ],
  'cuts long messages': [
    (whole) => ({ broadcast: (message) => whole.broadcast(message.subarray(0, 16_384)) }),
    ['carries a message of 65536 bytes unchanged']
  ],
  'gives the name of who passed it on': [
    (whole, name) => ({ start: (receive) => whole.start((message) => receive(message, name)) }),
    ['delivers what others say, with their names']
  ],
  'writes into what it is given': [
    (whole) => ({
      broadcast: async (message) => {
        const isHeard = await whole.broadcast(message)
        message[0] = (message[0] ?? 0) + 1
        return isHeard
      }
    }),
    ['carries a message of 65536 bytes unchanged']
  ],
  'starts once only': [
    (whole) => {
      let hasStarted = false
      return {
        start: async (receive) => {
          if (!hasStarted) await whole.start(receive)
          hasStarted = true
        }
      }
    },
    ['can be started again, and delivers to its new receiver alone']
  ],
  'minds to be stopped twice': [
    (whole) => {
      let isStarted = false
      return {
        start: (receive) => {
          isStarted = true
          return whole.start(receive)
        },
        stop: async () => {
          if (!isStarted) throw new Error('It is not started')
          isStarted = false
          await whole.stop()
        }
      }
    },
    ['does not mind to be stopped twice, or without having been started']
  ]
}

describe('a broadcaster is found out that', () => {
  it.each(Object.entries(BROKEN))('%s', async (_name, [breaking, expected]) => {
    const runner = new RecordingRunner()
    const broken = (whole: Broadcaster, name: string): Broadcaster => ({
      start: (receive) => whole.start(receive),
      stop: () => whole.stop(),
      broadcast: (message) => whole.broadcast(message),
      ...breaking(whole, name)
    })
    testBroadcaster(runner, (count) => simulated(count, broken))
    expect(runner.count).toBeGreaterThan(10)
    expect([...(await runner.failures(expected)).keys()].sort()).toEqual([...expected].sort())
  })
})
