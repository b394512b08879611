/**
 * A peer that is on the network and on the topic like any other, and not honest.
 *
 * It speaks through the real broadcaster and the real sync protocol, over a replica that lies, so that what it says is
 * well formed and wrong; and besides, it says and streams what those would never say.
 *
 * Invariants: what it does follows from the seed and from what it is told to do; once it rests, it makes up nothing
 * new, though it still lies when it is asked; after `leave` nothing of it runs.
 */
import { digestFromBlockId } from '../../codec/block-id.ts'
import { encodeBroadcast } from '../../codec/broadcast.ts'
import type { BlockId } from '../../crdt/delta.ts'
import { type SyncExchange, syncExchange } from '../../libp2p/index.ts'
import { SYNC_PROTOCOL } from '../../libp2p/sync/protocol.ts'
import type { Random } from '../../replica/ports.ts'
import type { SimulatedNode } from '../network/simulated-node.ts'
import type { SimulatedStream } from '../network/simulated-stream.ts'
import { below } from '../seeded-random.ts'
import type { Surroundings } from '../simulated-replica.ts'
import type { ClockScope } from '../virtual-clock.ts'
import { FalseReplica, type Lie } from './false-replica.ts'
import { type Forged, missingNode } from './forged.ts'
import { type OddInit, type OddKind, oddBlocks } from './odd-blocks.ts'
import { type Manner, misuse } from './raw-streams.ts'

/** How others come to hear of a block. */
export type Telling = 'inlined' | 'by id' | 'with another block' | 'streamed'

export interface HostilePeerInit {
  /** @default 'nothing but the truth' */
  lie?: Lie
}

/** How long it asks for blocks before it loses interest, in milliseconds. */
const ASKS_MS = 3000

export class HostilePeer {
  readonly name: string
  readonly replica: FalseReplica
  /** What it does with streams that others open to it; undefined for what the sync protocol does. */
  answers: Manner | undefined
  /** Messages of gossip that it said. */
  said = 0
  /** Blocks that it told of. */
  told = 0
  readonly #world: Surroundings
  readonly #node: SimulatedNode
  readonly #clock: ClockScope
  readonly #random: Random
  readonly #exchange: SyncExchange
  #asked = 0
  #isGone = false

  /** Made by `World.hostile`. */
  constructor(world: Surroundings, name: string, { lie = 'nothing but the truth' }: HostilePeerInit = {}) {
    this.name = name
    this.#world = world
    this.#node = world.network.join(name)
    this.#clock = world.clock.scope()
    this.#random = world.random(name)
    this.replica = new FalseReplica({ name, lie, clock: this.#clock, random: this.#random })
    const components = { libp2p: this.#node, clock: this.#clock, random: this.#random }
    this.#exchange = syncExchange(components, { topic: world.topic })
  }

  /** Joins the topic, and begins to serve. */
  async start(): Promise<void> {
    this.#world.trace.add(this.name, 'comes', this.replica.lie)
    this.#node.pubsub.subscribe(this.#world.topic)
    await this.#exchange.start(this.replica)
    const serve = this.#node.handlers.get(SYNC_PROTOCOL)
    this.#node.handlers.set(SYNC_PROTOCOL, (first, second) => {
      const { stream } = first as { stream: SimulatedStream }
      if (this.answers === undefined) serve?.(first, second)
      else void this.#misuse(stream, this.answers, false)
    })
  }

  /** Says bytes to everybody. */
  say(message: Uint8Array): void {
    if (this.#isGone) return
    this.said++
    this.#world.network.gossip(this.name, this.#world.topic, message)
  }

  /** Has blocks, and lets others know. */
  tell(blocks: readonly Forged[], how: Telling): void {
    for (const block of blocks) this.replica.add(block)
    this.told += blocks.length
    if (how === 'streamed') {
      // Its hello tells of them, as soon as somebody hears it.
      for (const { id } of blocks) this.replica.claimed.push({ id, dagName: '' })
      for (const { remote } of this.#node.getConnections()) void this.ask(remote.name)
      return
    }
    for (const [index, { id, bytes }] of blocks.entries()) {
      const other = blocks.at(index - 1)?.bytes ?? bytes
      const block = how === 'inlined' ? bytes : how === 'with another block' ? flipped(other) : undefined
      // Its name in the broadcast is a hint, and may be a lie as well.
      const dagName = this.#random() < 0.2 ? 'another' : ''
      this.say(encodeBroadcast([{ id, dagName, ...(block === undefined ? {} : { block }) }]))
    }
  }

  /** Tells of an odd block on top of what honest peers have. */
  tellOdd(kind: OddKind, init: Omit<OddInit, 'heads'>, how: Telling): void {
    const heads = this.replica.heard.slice(0, 3).map(({ id }) => id)
    this.tell(oddBlocks(kind, { ...init, heads }), how)
  }

  /** Says heads that nobody has, in one message or each as peers said them before there were messages. */
  forgeHeads(name: string, count: number, { legacy = false } = {}): void {
    const ids = Array.from({ length: count }, (_, index) => missingNode(`${name} ${index}`))
    if (legacy) for (const id of ids) this.say(legacyMessage(id))
    else this.say(encodeBroadcast(ids.map((id) => ({ id, dagName: '' }))))
  }

  /** Says noise: bytes at random, or a message with some bytes changed. */
  sayNoise(count: number): void {
    for (let left = count; left > 0; left--) {
      const length = below(this.#random, 100)
      const heads = this.replica.heard.slice(0, 4)
      const message = heads.length === 0 ? new Uint8Array(length) : encodeBroadcast(heads)
      for (let changes = 1 + below(this.#random, 4); changes > 0 && message.length > 0; changes--) {
        message[below(this.#random, message.length)] = below(this.#random, 256)
      }
      this.say(this.#random() < 0.3 ? message.subarray(0, below(this.#random, message.length + 1)) : message)
    }
  }

  /** Opens streams to a peer and misuses them. */
  async open(to: string, manner: Manner, count = 1): Promise<void> {
    const connection = this.#node.connectionTo(to)
    if (connection === undefined) return
    const opened = Array.from({ length: count }, async () => {
      try {
        const stream = await connection.newStream(SYNC_PROTOCOL)
        await this.#misuse(stream, manner, true)
      } catch {
        // The peer has gone meanwhile.
      }
    })
    await Promise.all(opened)
  }

  /** Asks a peer for what it has, by way of a hello that lies. */
  async ask(peer: string): Promise<void> {
    const controller = new AbortController()
    const timer = this.#clock.setTimeout(() => controller.abort(), ASKS_MS)
    try {
      const want = [missingNode(`${this.name} asks ${this.#asked++}`)]
      // What it is sent it does not keep.
      for await (const _ of this.#exchange.pull({ peer, want, signal: controller.signal }));
    } catch {
      // Whoever is lied to may end the stream.
    } finally {
      this.#clock.clearTimeout(timer)
    }
  }

  /** Makes up nothing more, though it stays where it is. */
  rest(): void {
    this.replica.rests = true
    this.answers = undefined
  }

  /** Is gone from one moment to the next. */
  leave(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#world.trace.add(this.name, 'goes')
    this.rest()
    this.#clock.kill()
    this.#world.network.leave(this.name)
  }

  async #misuse(stream: SimulatedStream, manner: Manner, asks: boolean): Promise<void> {
    await misuse(stream, {
      ...{ topic: this.#world.topic, manner, asks, random: this.#random },
      snapshot: () => this.replica.snapshot(),
      pause: (ms) => new Promise<void>((resolve) => this.#clock.setTimeout(resolve, ms)),
      rests: () => this.replica.rests
    })
  }
}

/** A bare CIDv0, which is what peers said before there were broadcasts. */
function legacyMessage(id: BlockId): Uint8Array {
  return Uint8Array.of(0x12, 32, ...digestFromBlockId(id))
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  if (copy.length > 0) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}
