// A peer that has nothing, and peers that have a history, over a network in virtual time whose links are slow.
import { blockIdOf } from '../../src/codec/block-id.ts'
import { decodeNode } from '../../src/codec/node.ts'
import { type SyncExchange, syncExchange } from '../../src/libp2p/index.ts'
import type { LimitName } from '../../src/options.ts'
import type { Clock } from '../../src/replica/ports.ts'
import { SimulatedNetwork } from '../../src/testkit/network/simulated-network.ts'
import { streamOf } from '../../src/testkit/seeded-random.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'
import { FakeReplica } from './fake-replica.ts'

export const JOINER = 'joiner'
/** What each link carries, unless a test says otherwise. */
export const BYTES_PER_MS = 200

export interface ServingPeersInit {
  limits?: Partial<Record<LimitName, number>>
  /** What the peers that serve have, by their names. */
  replicas: Record<string, FakeReplica>
  latencyMs?: number
}

/** What one pull brought. */
export interface Pulled {
  /** How long it took, in virtual milliseconds. */
  tookMs: number
  /** Blocks from each peer. */
  from: Record<string, number>
  /** Blocks that came after another of the same id. */
  duplicates: number
  /** Blocks that came before one of their links. */
  early: number
  error: unknown
}

export class ServingPeers {
  readonly clock = new VirtualClock()
  readonly network: SimulatedNetwork
  readonly replica = new FakeReplica()
  readonly joiner: SyncExchange
  readonly exchanges = new Map<string, SyncExchange>()
  /** Called with each block that is taken; what it returns is waited for. */
  onBlock: (count: number) => unknown = () => {}
  readonly #init: ServingPeersInit

  private constructor(init: ServingPeersInit) {
    const random = streamOf(1, 'network')
    const conditions = { latencyMs: init.latencyMs ?? 10, bytesPerMs: BYTES_PER_MS }
    this.#init = init
    this.network = new SimulatedNetwork({ clock: this.clock, random, conditions })
    this.joiner = this.#exchange(JOINER)
  }

  /** Starts all, and waits until they have greeted each other. */
  static async start(init: ServingPeersInit): Promise<ServingPeers> {
    const peers = new ServingPeers(init)
    await peers.joiner.start(peers.replica)
    for (const name of Object.keys(init.replicas)) await peers.join(name)
    return peers
  }

  /** A peer that serves comes, and is greeted. */
  async join(name: string, replica = this.#init.replicas[name] as FakeReplica): Promise<void> {
    const exchange = this.#exchange(name)
    this.exchanges.set(name, exchange)
    // Only the joiner is connected to the others.
    this.network.setTopology((a, b) => a === JOINER || b === JOINER)
    await exchange.start(replica)
    await this.clock.until(() => this.joiner.canPull(name))
  }

  /** Lets so many bytes a millisecond pass from a peer to the joiner. */
  slow(name: string, bytesPerMs: number): void {
    this.network.link(name, JOINER).conditions.bytesPerMs = bytesPerMs
  }

  /** Bytes that came from a peer. */
  bytesFrom(name: string): number {
    return this.network.link(name, JOINER).bytes
  }

  /** Pulls from a peer, and merges what comes as it comes. */
  async pull(peer: string, signal: AbortSignal = new AbortController().signal): Promise<Pulled> {
    const startedAt = this.clock.now()
    const pulled: Pulled = { tookMs: 0, from: {}, duplicates: 0, early: 0, error: undefined }
    const work = this.#takeAll(peer, signal, pulled)
    await this.clock.during(work, { withinMs: 3_600_000 })
    pulled.tookMs = this.clock.now() - startedAt
    return pulled
  }

  async #takeAll(peer: string, signal: AbortSignal, pulled: Pulled): Promise<void> {
    let count = 0
    try {
      for await (const { bytes, from } of this.joiner.pull({ peer, want: [], signal })) {
        const id = await blockIdOf(bytes)
        if (this.replica.has(id)) pulled.duplicates++
        if (decodeNode(id, bytes).links.some((link) => !this.replica.has(link))) pulled.early++
        pulled.from[from] = (pulled.from[from] ?? 0) + 1
        await this.replica.apply(bytes)
        await this.onBlock(++count)
      }
    } catch (error) {
      pulled.error = error
    }
  }

  /** Ends all; nothing may be left. */
  async stop(): Promise<string[]> {
    const all = [this.joiner, ...this.exchanges.values()]
    await this.clock.during(Promise.all(all.map((exchange) => exchange.stop())))
    return all.flatMap(({ counters }) => (counters.streamsOpen === 0 ? [] : ['an open stream']))
  }

  #exchange(name: string): SyncExchange {
    const { limits = {} } = this.#init
    const clock: Clock = this.clock
    const random = streamOf(1, name)
    return syncExchange({ libp2p: this.network.join(name), clock, random }, { topic: 'topic', limits })
  }
}
