// The simulated network: who hears whom, through whom, and what a partition, a cut and a departure do.
import { describe, expect, test } from 'vitest'
import { SimulatedNetwork } from '../../src/testkit/network/simulated-network.ts'
import type { SimulatedNode } from '../../src/testkit/network/simulated-node.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

const TOPIC = 'topic'
const bytes = (text: string) => new TextEncoder().encode(text)

function networkOf(...names: string[]) {
  const clock = new VirtualClock()
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) })
  const heard = new Map<string, string[]>()
  const join = (name: string): SimulatedNode => {
    const node = network.join(name)
    node.pubsub.subscribe(TOPIC)
    const messages: string[] = []
    heard.set(name, messages)
    node.pubsub.addEventListener('message', (({ detail }: { detail: { data: Uint8Array; from: object } }) => {
      messages.push(`${detail.from}: ${new TextDecoder().decode(detail.data)}`)
    }) as never)
    return node
  }
  const nodes = new Map(names.map((name) => [name, join(name)]))
  const say = async (from: string, text: string): Promise<void> => {
    await nodes.get(from)?.pubsub.publish(TOPIC, bytes(text))
    await clock.advance(1000)
  }
  return { clock, network, nodes, heard, join, say }
}

const CHAIN = ['a', 'b', 'c', 'd', 'e']
const chain = (a: string, b: string) => Math.abs(CHAIN.indexOf(a) - CHAIN.indexOf(b)) === 1

describe('gossip', () => {
  test('reaches everybody but its speaker, once', async () => {
    const { clock, heard, say } = networkOf('a', 'b', 'c')
    await clock.advance(1000)
    await say('a', 'hello')
    expect(Object.fromEntries(heard)).toEqual({ a: [], b: ['a: hello'], c: ['a: hello'] })
  })

  test('reaches all over a chain, under the name of who said it', async () => {
    const { clock, network, heard, say } = networkOf(...CHAIN)
    network.setTopology(chain)
    await clock.advance(1000)
    await say('a', 'hello')
    for (const name of CHAIN.slice(1)) expect(new Set(heard.get(name))).toEqual(new Set(['a: hello']))
    expect(heard.get('a')).toEqual([])
  })

  test('goes over a chain through subscribers only', async () => {
    const { clock, network, nodes, heard, say } = networkOf(...CHAIN)
    network.setTopology(chain)
    await clock.advance(1000)
    nodes.get('c')?.pubsub.unsubscribe(TOPIC)
    await say('a', 'hello')
    expect(CHAIN.map((name) => heard.get(name)?.length)).toEqual([0, expect.any(Number), 0, 0, 0])
    expect(nodes.get('a')?.pubsub.getSubscribers(TOPIC).map(String)).toEqual(['b'])
  })

  test('does not cross a partition, and does after it healed', async () => {
    const { clock, network, heard, say } = networkOf('a', 'b', 'c')
    await clock.advance(1000)
    network.partition([['a', 'b'], ['c']])
    await say('a', 'one')
    expect([heard.get('b'), heard.get('c')]).toEqual([['a: one'], []])
    network.heal()
    await clock.advance(1000)
    await say('a', 'two')
    expect(heard.get('c')).toEqual(['a: two'])
  })

  test('is of its hearers alone: what one does to the bytes, no other sees', async () => {
    const { clock, nodes, heard } = networkOf('a', 'b', 'c')
    await clock.advance(1000)
    nodes.get('b')?.pubsub.addEventListener('message', (({ detail }: { detail: { data: Uint8Array } }) => {
      detail.data.fill(0)
    }) as never)
    const message = bytes('hello')
    await nodes.get('a')?.pubsub.publish(TOPIC, message)
    message.fill(1)
    await clock.advance(1000)
    expect(heard.get('c')).toEqual(['a: hello'])
  })
})

describe('a subscription', () => {
  test('is told to those who are connected, and to those who connect later', async () => {
    const { clock, nodes, join } = networkOf('a', 'b')
    const told: string[] = []
    await clock.advance(1000)
    const listener = (({
      detail
    }: {
      detail: { peerId: object; subscriptions: Array<{ topic: string }> }
    }) => {
      told.push(...detail.subscriptions.map(({ topic }) => `${detail.peerId} ${topic}`))
    }) as never
    nodes.get('a')?.pubsub.addEventListener('subscription-change', listener)
    nodes.get('b')?.pubsub.subscribe('another')
    await clock.advance(1000)
    expect(told).toEqual(['b another'])
    join('c')
    await clock.advance(1000)
    expect(told).toEqual(['b another', `c ${TOPIC}`])
  })
})

describe('a connection', () => {
  const isConnected = (one: SimulatedNode | undefined, other: string) =>
    one?.connectionTo(other) !== undefined

  test('of a direction that stays cut ends on both sides after a while, and comes back when it heals', async () => {
    const { clock, network, nodes } = networkOf('a', 'b')
    await clock.advance(1000)
    network.cut('a', 'b')
    await clock.advance(14_000)
    expect(isConnected(nodes.get('a'), 'b')).toBe(true)
    await clock.advance(2000)
    expect(isConnected(nodes.get('a'), 'b') || isConnected(nodes.get('b'), 'a')).toBe(false)
    network.heal()
    await clock.advance(1000)
    expect(isConnected(nodes.get('a'), 'b') && isConnected(nodes.get('b'), 'a')).toBe(true)
  })

  test('that is cut one way works the other way', async () => {
    const { clock, network, heard, say } = networkOf('a', 'b')
    await clock.advance(1000)
    network.cut('a', 'b')
    await say('a', 'into the void')
    await say('b', 'hello')
    expect(Object.fromEntries(heard)).toEqual({ a: ['b: hello'], b: [] })
  })

  test('ends for the others when a node leaves, and a node of its name is a new one', async () => {
    const { clock, network, nodes, heard, join, say } = networkOf('a', 'b')
    await clock.advance(1000)
    const gone: string[] = []
    nodes.get('a')?.addEventListener('peer:disconnect', ({ detail }) => gone.push(detail.toString()))
    const before = nodes.get('b')
    network.leave('b')
    expect(gone).toEqual(['b'])
    expect(isConnected(before, 'a')).toBe(false)
    join('b')
    await clock.advance(1000)
    await say('a', 'again')
    expect(heard.get('b')).toEqual(['a: again'])
  })

  test('carries streams, which end with it on both sides', async () => {
    const { clock, network, nodes } = networkOf('a', 'b')
    await clock.advance(1000)
    let accepted: { source: AsyncIterable<Uint8Array> } | undefined
    await nodes.get('b')?.handle('/echo', ((first: { stream: typeof accepted }) => {
      accepted = first.stream
    }) as never)
    const [connection] = nodes.get('a')?.getConnections() ?? []
    const stream = await clock.during(connection!.newStream('/echo'))
    const reading = [stream.source, accepted!.source].map(async (source) => {
      for await (const _ of source);
    })
    const ends = Promise.allSettled(reading)
    network.leave('b')
    const results = await clock.during(ends)
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(clock.during(connection!.newStream('/echo'))).rejects.toThrow()
  })

  test('tells the other side of an abort, and not why', async () => {
    const { clock, nodes } = networkOf('a', 'b')
    await clock.advance(1000)
    let accepted: { source: AsyncIterable<Uint8Array> } | undefined
    await nodes.get('b')?.handle('/echo', ((first: { stream: typeof accepted }) => {
      accepted = first.stream
    }) as never)
    const [connection] = nodes.get('a')?.getConnections() ?? []
    const stream = await clock.during(connection!.newStream('/echo'))
    const reading = async (source: AsyncIterable<Uint8Array>) => {
      for await (const _ of source);
    }
    const ends = [reading(stream.source), reading(accepted!.source)].map((end) => end.catch((error) => error))
    stream.abort(new Error('a reason of my own'))
    const [mine, theirs] = await clock.during(Promise.all(ends))
    expect(mine.message).toBe('a reason of my own')
    expect(theirs).toMatchObject({ name: 'StreamResetError', message: 'The stream has been reset' })
  })

  test('refuses a protocol that the other side does not have', async () => {
    const { clock, nodes } = networkOf('a', 'b')
    await clock.advance(1000)
    const [connection] = nodes.get('a')?.getConnections() ?? []
    const opening = clock.during(connection!.newStream('/unknown'))
    await expect(opening).rejects.toMatchObject({ name: 'UnsupportedProtocolError' })
  })
})

test('a node tells what was registered with it and not taken back', async () => {
  const { nodes } = networkOf('a')
  const node = nodes.get('a')!
  await node.handle('/echo', () => {})
  const id = await node.register('/echo', {})
  expect(node.leftBehind()).toEqual([
    'handler of /echo',
    'topology of /echo',
    `subscription to ${TOPIC}`,
    'listener of messages'
  ])
  node.unregister(id)
  await node.unhandle('/echo')
  expect(node.leftBehind()).toHaveLength(2)
})
