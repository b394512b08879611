// The ports of a replica in a simulated world: a broadcaster on its gossip, an exchange over its connections.
import type {
  BlockExchange,
  Broadcaster,
  FetchOptions,
  PeerName,
  PullRequest,
  ReceivedBlock,
  ReplicaView
} from '../../src/index.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import type { Participant, Peer, World } from './world.ts'

/** Blocks that a stream sends between two waits. */
const FRAME_BLOCKS = 64

/** One request that a replica made. */
export interface Request {
  at: number
  kind: 'fetch' | 'pull'
  /** Whom it asked first. */
  peer: string | undefined
  ids: readonly string[]
}

export class SimulatedBroadcaster implements Broadcaster {
  readonly #world: World
  readonly #peer: Peer
  deliver: ((message: Uint8Array, from: PeerName) => void) | undefined
  /** Whether sending fails. */
  fails = false
  /** How long sending takes. */
  delayMs = 0

  constructor(world: World, peer: Peer) {
    this.#world = world
    this.#peer = peer
  }

  async start(receive: (message: Uint8Array, from: PeerName) => void): Promise<void> {
    this.deliver = receive
  }

  async stop(): Promise<void> {
    this.deliver = undefined
  }

  async broadcast(message: Uint8Array): Promise<boolean> {
    const { clock } = this.#world
    if (this.delayMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, this.delayMs))
    if (this.fails) throw new Error('The broadcast failed')
    if (this.deliver !== undefined) this.#world.gossip(this.#peer, message)
    return true
  }
}

export class SimulatedExchange implements BlockExchange {
  readonly #world: World
  readonly #peer: Peer
  readonly requests: Request[] = []
  /** Requests that were made before it was started, or after it was stopped. */
  early = 0
  /** Requests that are under way. */
  open = 0
  /** Blocks of streams that this replica was sent. */
  streamed = 0
  readonly pull?: (request: PullRequest) => AsyncGenerator<ReceivedBlock>
  readonly canPull?: (peer: PeerName) => boolean

  constructor(world: World, peer: Peer) {
    this.#world = world
    this.#peer = peer
    if (!peer.streams) return
    this.pull = (request) => this.#pull(request)
    this.canPull = (name) => this.#reach(name)?.streams === true
  }

  async start(replica: ReplicaView): Promise<void> {
    this.#peer.view = replica
    this.#world.online(this.#peer.name)
  }

  async stop(): Promise<void> {
    this.#peer.view = undefined
    this.#world.offline(this.#peer.name)
  }

  peers(): PeerName[] {
    return this.#world.reachable(this.#peer.name).map(({ name }) => name)
  }

  async *fetch(
    ids: readonly string[],
    { peers, signal, asked }: FetchOptions
  ): AsyncGenerator<ReceivedBlock> {
    if (this.#peer.view === undefined) this.early++
    this.requests.push({ at: this.#world.clock.now(), kind: 'fetch', peer: peers[0], ids: [...ids] })
    const missing = new Set(ids)
    this.open++
    try {
      for (const name of new Set([...peers, ...this.peers()])) {
        const server = this.#reach(name)
        if (missing.size === 0 || server === undefined) continue
        asked?.(name)
        server.asked.push(...missing)
        try {
          for await (const bytes of this.#answer(server, this.#blocks(server, [...missing]), signal)) {
            missing.delete(blockId(bytes))
            yield { bytes, from: name }
          }
        } catch {
          // The connection broke: the next peer is asked for what is left.
          signal.throwIfAborted()
        }
      }
    } finally {
      this.open--
    }
  }

  async *#pull({ peer, want, signal }: PullRequest): AsyncGenerator<ReceivedBlock> {
    const view = this.#peer.view
    const server = this.#reach(peer)
    if (view === undefined || server === undefined) throw new Error(`${peer} is not connected`)
    this.requests.push({ at: this.#world.clock.now(), kind: 'pull', peer, ids: [...want] })
    this.open++
    try {
      for await (const bytes of this.#answer(server, this.#lacking(server, view), signal)) {
        this.streamed++
        yield { bytes, from: peer }
      }
    } finally {
      this.open--
    }
  }

  async *#blocks(server: Participant, ids: readonly string[]): AsyncGenerator<Uint8Array> {
    for (const id of ids) {
      const bytes = await server.block(id)
      if (bytes !== undefined && server.rules.withhold?.(id) !== true) yield bytes
    }
  }

  /** What the answerer has and the asker had not when it asked, in the order of the answerer's log. */
  async *#lacking(server: Participant, asker: ReplicaView): AsyncGenerator<Uint8Array> {
    const asOf = asker.snapshot().sequence
    for await (const { id, bytes } of server.log()) {
      const known = await asker.sequenceOf(id)
      if ((known === undefined || known > asOf) && server.rules.withhold?.(id) !== true) yield bytes
    }
  }

  /** Sends blocks as the rules of the answerer say. */
  async *#answer(
    server: Participant,
    blocks: AsyncIterable<Uint8Array>,
    signal: AbortSignal
  ): AsyncGenerator<Uint8Array> {
    const { mute, delayMs = 0, lie, breakAfter } = server.rules
    const ms = mute ? undefined : 2 * this.#world.latencyMs + delayMs
    let sent = 0
    await this.#world.wait(this.#peer.name, server.name, ms, signal)
    for await (const bytes of blocks) {
      if (sent === breakAfter) throw new Error('The stream was reset')
      if (++sent % FRAME_BLOCKS === 0) await this.#world.wait(this.#peer.name, server.name, ms, signal)
      yield lie?.(bytes) ?? bytes
    }
  }

  #reach(name: string): Participant | undefined {
    return this.#world.reachable(this.#peer.name).find((other) => other.name === name)
  }
}
