// The acceptance suite of exchanges, over the sync protocol, and over broken ones, which it has to find out.
import { describe, expect, it, vi } from 'vitest'
import { SYNC_PROTOCOL, syncExchange } from '../../src/libp2p/index.ts'
import type { BlockExchange, PullRequest, ReceivedBlock, ReplicaView } from '../../src/replica/ports.ts'
import { type ExchangeGroup, testBlockExchange } from '../../src/testkit/index.ts'
import { GROUPS, RealPeers } from './real-peers.ts'
import { RecordingRunner } from './recording-runner.ts'
import { SimulatedPeers } from './simulated-peers.ts'

// Sockets and a busy machine take their time; no test waits for anything else.
vi.setConfig({ testTimeout: 60_000 })

const topic = 'topic'

async function simulated(
  count: number,
  broken: (exchange: Whole) => BlockExchange = (exchange) => exchange
): Promise<ExchangeGroup> {
  const peers = new SimulatedPeers(count, { connected: false, patienceMs: 5000 })
  const { until, leftBehind, connect, disconnect } = peers
  const { clock } = peers.world
  const random = peers.world.random('exchanges')
  const members = peers.nodes.map((libp2p) => ({
    name: libp2p.name,
    exchange: broken(syncExchange({ libp2p, clock, random }, { topic }))
  }))
  return { members, until, leftBehind, connect, disconnect, end: async () => {} }
}

describe('the sync protocol over a simulated network,', () =>
  testBlockExchange({ describe, it }, (count) => simulated(count)))

describe.each(GROUPS)('the sync protocol over $name,', ({ generations }) =>
  testBlockExchange({ describe, it }, async (count) => {
    const peers = await RealPeers.create(count, generations)
    const { connect, disconnect, end } = peers
    const members = peers.nodes.map((node) => ({ name: node.name, exchange: syncExchange(node, { topic }) }))
    const leftBehind = (place: number): string[] =>
      peers.nodes[place]!.protocols().filter((protocol) => protocol === SYNC_PROTOCOL)
    return { members, leftBehind, connect, disconnect, end }
  })
)

type Whole = ReturnType<typeof syncExchange>
type Breaking = (whole: Whole) => Partial<BlockExchange>

const never = new AbortController().signal

async function* all(blocks: AsyncIterable<ReceivedBlock>): AsyncGenerator<ReceivedBlock> {
  const read: ReceivedBlock[] = []
  for await (const block of blocks) read.push(block)
  yield* read
}

/** A view of a replica in which some methods are replaced by others. */
function viewWith(view: ReplicaView, replaced: Partial<ReplicaView>): ReplicaView {
  return new Proxy(view, {
    get(target, name) {
      const value: unknown = replaced[name as keyof ReplicaView] ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

const BROKEN: Record<string, [Breaking, string[]]> = {
  'does not heed the signal of a fetch': [
    (whole) => ({ fetch: (ids, options) => whole.fetch(ids, { ...options, signal: never }) }),
    ['ends a fetch as soon as its signal is aborted', 'fetches nothing for a signal that is aborted already']
  ],
  'does not heed the signal of a pull': [
    (whole) => ({ pull: (request) => whole.pull({ ...request, signal: never }) }),
    ['ends a pull as soon as its signal is aborted']
  ],
  'does not tell whom it asks': [
    (whole) => ({ fetch: (ids, { peers, signal }) => whole.fetch(ids, { peers, signal }) }),
    ['tells whom it asks before blocks of that peer come']
  ],
  'asks the named peers alone': [
    (whole) => ({
      async *fetch(ids, options) {
        for await (const block of whole.fetch(ids, options))
          if (options.peers.includes(block.from)) yield block
      }
    }),
    ['asks others for what those that are named do not have']
  ],
  'asks whomever it likes': [
    (whole) => ({ fetch: (ids, options) => whole.fetch(ids, { ...options, peers: [] }) }),
    ['asks the peers that are named before others']
  ],
  'takes it for an error that nobody has a block': [
    (whole) => ({
      async *fetch(ids, options) {
        let count = 0
        for await (const block of whole.fetch(ids, options)) {
          count++
          yield block
        }
        if (count < ids.length) throw new Error('not found')
      }
    }),
    ['leaves out what nobody has, and ends', 'ends a fetch from a peer that goes away']
  ],
  'gives the newest first': [
    (whole) => ({
      async *pull(request: PullRequest) {
        const read: ReceivedBlock[] = []
        for await (const block of whole.pull(request)) read.unshift(block)
        yield* read
      }
    }),
    ['pulls everything from nothing, ancestors first']
  ],
  'reads a pull to its end before it gives anything': [
    (whole) => ({ pull: (request) => all(whole.pull(request)) }),
    ['reads no more ahead of a slow reader than there is room for']
  ],
  'does not tell what peers have': [
    (whole) => ({ start: (view) => whole.start(viewWith(view, { peerClaims: () => {} })) }),
    ['tells each peer what the other has, on connecting']
  ],
  'does not tell that a peer left': [
    (whole) => ({ start: (view) => whole.start(viewWith(view, { peerLeft: () => {} })) }),
    ['tells that a peer left, and does not list it any more']
  ],
  'lists peers that are gone': [
    (whole) => {
      const known = new Set<string>()
      return {
        peers: () => {
          for (const peer of whole.peers()) known.add(peer)
          return [...known]
        }
      }
    },
    ['tells that a peer left, and does not list it any more', 'ends what is under way when it is stopped']
  ],
  'cannot be reminded before it has started': [
    (whole) => {
      let replica: ReplicaView | undefined
      return {
        start: (view) => {
          replica = view
          return whole.start(view)
        },
        remind: () => {
          if (replica === undefined) throw new Error('It is not started')
          whole.remind?.()
        }
      }
    },
    ['minds no reminder, whether or not there is anybody to be told']
  ],
  'goes on after it was stopped': [
    () => ({ stop: async () => {} }),
    ['serves nothing and tells nothing after it was stopped', 'leaves nothing behind when it is stopped']
  ],
  'serves what was never asked for': [
    (whole) => ({
      start: (view) => {
        const [first] = (view as unknown as { log: Array<{ bytes: Uint8Array }> }).log
        return whole.start(viewWith(view, { appliedBlock: async () => first?.bytes }))
      }
    }),
    ['fetches blocks by their ids, and tells whom they are from']
  ]
}

describe('an exchange is found out that', () => {
  it.each(Object.entries(BROKEN))('%s', async (_name, [breaking, expected]) => {
    const runner = new RecordingRunner()
    const broken = (whole: Whole): BlockExchange => ({
      start: (view) => whole.start(view),
      stop: () => whole.stop(),
      fetch: (ids, options) => whole.fetch(ids, options),
      pull: (request) => whole.pull(request),
      canPull: (peer) => whole.canPull(peer),
      peers: () => whole.peers(),
      remind: () => whole.remind?.(),
      ...breaking(whole)
    })
    testBlockExchange(runner, (count) => simulated(count, broken))
    expect(runner.count).toBeGreaterThan(20)
    expect([...(await runner.failures(expected)).keys()].sort()).toEqual([...expected].sort())
  })
})
