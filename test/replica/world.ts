// A network in one process: replicas that gossip and fetch from each other in virtual time.
//
// Everything that happens follows from one seed. Gossip reaches whoever is connected, at once or by others, and can
// be lost, doubled, late and out of order. Blocks are asked of one peer after the other, as the sync protocol does;
// what a peer answers is up to its rules, so that it can be slow, mute, a liar or gone in the middle.
import { Key } from 'interface-datastore'
import { type AnnouncedHead, decodeBroadcast, encodeBroadcast } from '../../src/codec/broadcast.ts'
import {
  type Blockstore,
  type Change,
  type ComponentLogger,
  type CrdtDatastore,
  createCrdtDatastore,
  type DeltaCodec,
  type LimitName,
  type LogEntry,
  type PeerClaim,
  type Random,
  type ReplicaView
} from '../../src/index.ts'
import { FakeClock, seededRandom } from './clock.ts'
import { AtomicMemory } from './memory.ts'
import { SimulatedBroadcaster, SimulatedExchange } from './network.ts'

/** How a peer answers those who ask it for blocks. */
export interface Rules {
  /** Blocks that it keeps to itself. */
  withhold?(id: string): boolean
  /** What it sends in place of a block. */
  lie?(bytes: Uint8Array): Uint8Array
  /** It takes requests and never answers. */
  mute?: boolean
  /** How long each answer takes beside the latency. */
  delayMs?: number
  /** The connection breaks after so many blocks of an answer. */
  breakAfter?: number
}

/** Whoever can be asked for blocks. */
export interface Participant {
  readonly name: string
  readonly rules: Rules
  /** Whether it says hello and streams, or serves blocks by id only, as Go peers do. */
  readonly streams: boolean
  /** Ids that others asked it for, by id and in order. */
  readonly asked: string[]
  isOnline(): boolean
  block(id: string): Promise<Uint8Array | undefined>
  log(): AsyncIterable<LogEntry>
  claim(): PeerClaim
  /** Somebody said hello. */
  greeted(peer: string, claim: PeerClaim): void
  left(peer: string): void
  receive(message: Uint8Array, from: string): void
}

/** One message as it was broadcast. */
export interface SentMessage {
  at: number
  from: string
  bytes: Uint8Array
  heads: AnnouncedHead[]
}

export interface WorldInit {
  latencyMs?: number
  /** The share of gossip deliveries that are lost. */
  loss?: number
  /** The share that arrive twice. */
  duplication?: number
  /** Up to so much later than the latency, which is what puts messages out of order. */
  jitterMs?: number
}

export interface PeerInit extends Partial<Record<LimitName, number>> {
  datastore?: AtomicMemory
  goLike?: boolean
  rules?: Rules
  coalesce?: boolean
  deltaCodec?: DeltaCodec
  blockstore?: Blockstore
}

/** A replica in a world. */
export class Peer implements Participant {
  readonly world: World
  readonly name: string
  readonly datastore: AtomicMemory
  readonly asked: string[] = []
  readonly rules: Rules
  readonly streams: boolean
  readonly changes: Change[] = []
  /** What it logged. */
  readonly lines: string[] = []
  readonly exchange: SimulatedExchange
  readonly broadcaster: SimulatedBroadcaster
  store!: CrdtDatastore
  /** The replica as its exchange sees it, while it runs. */
  view: ReplicaView | undefined

  constructor(world: World, name: string, datastore: AtomicMemory, { goLike = false, rules = {} }: PeerInit) {
    this.world = world
    this.name = name
    this.datastore = datastore
    this.streams = !goLike
    this.rules = rules
    this.exchange = new SimulatedExchange(world, this)
    this.broadcaster = new SimulatedBroadcaster(world, this)
  }

  isOnline(): boolean {
    return this.view !== undefined
  }

  async block(id: string): Promise<Uint8Array | undefined> {
    return await this.view?.appliedBlock(id)
  }

  async *log(): AsyncGenerator<LogEntry> {
    const view = this.view as ReplicaView
    yield* view.readLog(1, view.snapshot().sequence)
  }

  claim(): PeerClaim {
    return (this.view as ReplicaView).snapshot()
  }

  greeted(peer: string, claim: PeerClaim): void {
    this.view?.peerClaims(peer, claim)
  }

  left(peer: string): void {
    this.view?.peerLeft(peer)
  }

  receive(message: Uint8Array, from: string): void {
    this.broadcaster.deliver?.(message, from)
  }

  async put(key: string, value: string, dagName = ''): Promise<void> {
    await this.world.clock.during(this.store.put(new Key(key), utf8(value), { dagName }))
  }

  /** Writes many nodes, each on top of the one before. */
  async history(count: number, name = 'k'): Promise<void> {
    const puts = Array.from({ length: count }, (_, i) =>
      this.store.put(new Key(`/${name}/${i}`), utf8(`${i}`))
    )
    await this.world.clock.during(Promise.all(puts))
  }

  async delete(key: string, dagName = ''): Promise<void> {
    await this.world.clock.during(this.store.delete(new Key(key), { dagName }))
  }

  async get(key: string): Promise<string | undefined> {
    for await (const pair of this.store.query({ prefix: key })) {
      if (pair.key.toString() === key) return text(pair.value)
    }
    return undefined
  }

  /** The blocks that it has merged, in the order of its log. */
  async blocks(): Promise<Uint8Array[]> {
    const blocks: Uint8Array[] = []
    for await (const { bytes } of this.log()) blocks.push(bytes)
    return blocks
  }

  /** The ids of its heads. */
  async headIds(): Promise<string[]> {
    return this.claim().heads.map(({ id }) => id)
  }

  async nodes(): Promise<number> {
    return (await this.store.stats()).nodes
  }

  /** Stops it, or crashes it if its datastore is a copy by then, and starts it anew over a datastore. */
  async restart(init: PeerInit = {}): Promise<Peer> {
    await this.world.clock.during(this.store.close())
    return await this.world.peer(this.name, { datastore: this.datastore, goLike: !this.streams, ...init })
  }
}

/** Somebody without a replica: it says and serves whatever a test gives it. */
export class Outsider implements Participant {
  readonly world: World
  readonly name: string
  readonly streams: boolean
  readonly asked: string[] = []
  readonly rules: Rules = {}
  /** What it was told by broadcasts. */
  readonly heard: AnnouncedHead[] = []
  readonly #blocks = new Map<string, Uint8Array>()
  online = true
  /** What it streams in place of its blocks. */
  stream: (() => AsyncIterable<LogEntry>) | undefined

  constructor(world: World, name: string, streams: boolean) {
    this.world = world
    this.name = name
    this.streams = streams
  }

  isOnline(): boolean {
    return this.online
  }

  has(...blocks: ReadonlyArray<{ id: string; bytes: Uint8Array }>): void {
    for (const { id, bytes } of blocks) this.#blocks.set(id, bytes)
  }

  async block(id: string): Promise<Uint8Array | undefined> {
    return this.#blocks.get(id)
  }

  async *log(): AsyncGenerator<LogEntry> {
    if (this.stream !== undefined) return yield* this.stream()
    let sequence = 0
    for (const [id, bytes] of this.#blocks) yield { sequence: ++sequence, id, bytes }
  }

  claim(heads: string[] = []): PeerClaim {
    return {
      heads: heads.map((id) => ({ id, dagName: '' })),
      sequence: this.#blocks.size,
      generation: this.name,
      gaps: 0,
      deferred: 0,
      ignoredDags: []
    }
  }

  /** Broadcasts heads, or whatever bytes. */
  say(message: Uint8Array | ReadonlyArray<{ id: string; block?: Uint8Array }>): void {
    const bytes =
      message instanceof Uint8Array
        ? message
        : encodeBroadcast(message.map(({ id, block }) => ({ id, dagName: '', ...(block && { block }) })))
    this.world.gossip(this, bytes)
  }

  /** Says hello to a peer with these heads. */
  greet(peer: Peer, heads: string[]): void {
    peer.greeted(this.name, this.claim(heads))
  }

  greeted(): void {}
  left(): void {}

  receive(message: Uint8Array): void {
    this.heard.push(...decodeBroadcast(message).heads)
  }
}

export class World {
  readonly clock = new FakeClock()
  readonly random: Random
  readonly latencyMs: number
  readonly messages: SentMessage[] = []
  loss: number
  readonly #duplication: number
  readonly #jitterMs: number
  readonly #participants = new Map<string, Participant>()
  readonly #stores = new Set<CrdtDatastore>()
  #connected: (a: string, b: string) => boolean = () => true
  /** Pairs between which nothing goes directly. */
  readonly #cut = new Set<string>()
  /** Waits that end when two lose each other. */
  readonly #waits = new Map<string, Set<() => void>>()

  constructor(seed: number, { latencyMs = 10, loss = 0, duplication = 0, jitterMs = 0 }: WorldInit = {}) {
    this.random = seededRandom(seed)
    this.latencyMs = latencyMs
    this.loss = loss
    this.#duplication = duplication
    this.#jitterMs = jitterMs
  }

  /** Starts a replica. One of the same name must have been closed. */
  async peer(name: string, init: PeerInit = {}): Promise<Peer> {
    const { datastore = new AtomicMemory(), goLike: _goLike, rules: _rules, ...options } = init
    const peer = new Peer(this, name, datastore, init)
    const seed = Math.floor(this.random() * 2 ** 32)
    this.#participants.set(name, peer)
    this.#reconnect()
    peer.store = await createCrdtDatastore({
      ...{ datastore, atomicBatch: true, topic: 'world', clock: this.clock, random: seededRandom(seed) },
      // Each write is a node, so that what is counted are nodes.
      coalesce: false,
      ...{ broadcaster: peer.broadcaster, exchange: peer.exchange, logger: capture(peer.lines) },
      ...options,
      start: false
    })
    peer.store.addEventListener('change', ({ detail }) => void peer.changes.push(detail))
    await this.clock.during(peer.store.start())
    this.#stores.add(peer.store)
    return peer
  }

  async peers(names: readonly string[], init: PeerInit = {}): Promise<Peer[]> {
    const peers: Peer[] = []
    for (const name of names) peers.push(await this.peer(name, init))
    return peers
  }

  outsider(name: string, { streams = false } = {}): Outsider {
    const outsider = new Outsider(this, name, streams)
    this.#participants.set(name, outsider)
    this.#reconnect()
    return outsider
  }

  /** Ends every replica; a test that is done leaves nothing behind. */
  async close(): Promise<void> {
    for (const store of this.#stores) await this.clock.during(store.close())
  }

  /** Only those in one group reach each other; whoever is in none is alone. */
  partition(...groups: ReadonlyArray<readonly string[]>): void {
    this.#connected = (a, b) => groups.some((group) => group.includes(a) && group.includes(b))
    this.#reconnect()
  }

  /** Each reaches its neighbours in this line directly, and the others through them. */
  chain(...names: readonly string[]): void {
    this.#connected = (a, b) => Math.abs(names.indexOf(a) - names.indexOf(b)) === 1
    this.#reconnect()
  }

  heal(): void {
    this.#connected = () => true
    this.#reconnect()
  }

  /** Whom a participant is connected to directly. */
  reachable(name: string): Participant[] {
    return [...this.#participants.values()].filter((other) => this.#areConnected(name, other.name))
  }

  participant(name: string): Participant | undefined {
    return this.#participants.get(name)
  }

  /** A replica came up: whoever can says hello. */
  online(name: string): void {
    for (const other of this.reachable(name)) this.#greet(name, other.name)
  }

  offline(name: string): void {
    for (const other of this.#participants.values()) this.#part(name, other.name)
  }

  /** Sends a message to everybody who is connected, directly or by way of others. */
  gossip(from: Participant, bytes: Uint8Array): void {
    this.messages.push({ at: this.clock.now(), from: from.name, bytes, heads: headsOf(bytes) })
    for (const receiver of this.#component(from.name)) {
      const copies = this.random() < this.#duplication ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        if (this.random() < this.loss) continue
        const delay = this.latencyMs + this.random() * this.#jitterMs
        this.clock.setTimeout(() => receiver.isOnline() && receiver.receive(bytes, from.name), delay)
      }
    }
  }

  /** Waits for an answer between two; fails if the signal is aborted or they lose each other. */
  async wait(a: string, b: string, ms: number | undefined, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = ms === undefined ? undefined : this.clock.setTimeout(resolve, ms)
    const onLost = (): void => reject(new Error(`The connection of ${a} and ${b} broke`))
    const onAbort = (): void => reject(signal.reason)
    const waits = this.#waits.get(pair(a, b)) ?? new Set()
    this.#waits.set(pair(a, b), waits)
    waits.add(onLost)
    signal.addEventListener('abort', onAbort)
    try {
      await promise
    } finally {
      this.clock.clearTimeout(timer)
      waits.delete(onLost)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #greet(a: string, b: string): void {
    const [one, other] = [this.participant(a), this.participant(b)]
    if (!(one instanceof Peer && other instanceof Peer && one.streams && other.streams)) return
    this.clock.setTimeout(() => {
      if (!this.#areConnected(a, b) || this.participant(a) !== one || this.participant(b) !== other) return
      const [claimOfOne, claimOfOther] = [one.claim(), other.claim()]
      one.greeted(b, claimOfOther)
      other.greeted(a, claimOfOne)
    }, 2 * this.latencyMs)
  }

  #part(a: string, b: string): void {
    for (const onLost of [...(this.#waits.get(pair(a, b)) ?? [])]) onLost()
    this.participant(a)?.left(b)
    this.participant(b)?.left(a)
  }

  #reconnect(): void {
    const names = [...this.#participants.keys()]
    for (const [index, a] of names.entries()) {
      for (const b of names.slice(index + 1)) {
        const isConnected = this.#connected(a, b)
        if (isConnected && this.#cut.delete(pair(a, b))) this.#greet(a, b)
        if (isConnected || this.#cut.has(pair(a, b))) continue
        this.#cut.add(pair(a, b))
        this.#part(a, b)
      }
    }
  }

  #areConnected(a: string, b: string): boolean {
    if (a === b || this.#cut.has(pair(a, b))) return false
    return [a, b].every((name) => this.participant(name)?.isOnline())
  }

  #component(name: string): Participant[] {
    const found = new Set<Participant>()
    const names = [name]
    for (let at = names.pop(); at !== undefined; at = names.pop()) {
      for (const next of this.reachable(at)) {
        if (found.has(next) || next.name === name) continue
        found.add(next)
        names.push(next.name)
      }
    }
    return [...found]
  }
}

export function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

function headsOf(bytes: Uint8Array): AnnouncedHead[] {
  try {
    return decodeBroadcast(bytes).heads
  } catch {
    return []
  }
}

function capture(lines: string[]): ComponentLogger {
  const write = (...args: unknown[]): void => void lines.push(args.join(' '))
  return { forComponent: () => Object.assign(() => {}, { error: write, trace: () => {} }) }
}
