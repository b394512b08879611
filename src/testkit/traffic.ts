/**
 * What was said over the gossip of a world, and what of it each process heard from peers that are not honest.
 *
 * Invariant: it counts what the network did, and asks no replica, so that what replicas count can be held against it.
 */
import { decodeBroadcast } from '../codec/broadcast.ts'
import type { GossipMessage } from './network/simulated-network.ts'
import type { SimulatedNode } from './network/simulated-node.ts'

/** What one peer said. */
export interface Said {
  messages: number
  bytes: number
  /** The size of its largest message. */
  largest: number
}

/** What one process heard. */
export interface Heard {
  messages: number
  /** Messages that are no broadcast, and heads that are none. */
  invalid: number
  invalidHeads: number
}

export class Traffic {
  readonly #isHostile: (name: string) => boolean
  readonly #said = new Map<string, Said>()
  readonly #heard = new WeakMap<SimulatedNode, Heard>()

  /** @param isHostile - whether a peer is not honest: what others say is always valid. */
  constructor(isHostile: (name: string) => boolean) {
    this.#isHostile = isHostile
  }

  /** A message was said. */
  said({ from, bytes }: GossipMessage): void {
    const said = this.saidBy(from)
    said.messages++
    said.bytes += bytes.length
    said.largest = Math.max(said.largest, bytes.length)
    this.#said.set(from, said)
  }

  /** A message was heard by a process. */
  heard({ from, bytes }: GossipMessage, by: SimulatedNode): void {
    const heard = this.heardBy(by)
    this.#heard.set(by, heard)
    heard.messages++
    if (!this.#isHostile(from)) return
    try {
      heard.invalidHeads += decodeBroadcast(bytes).invalidHeads
    } catch {
      heard.invalid++
    }
  }

  /** What a peer has said so far. */
  saidBy(name: string): Said {
    return this.#said.get(name) ?? { messages: 0, bytes: 0, largest: 0 }
  }

  /** What a process has heard so far. */
  heardBy(node: SimulatedNode): Heard {
    return this.#heard.get(node) ?? { messages: 0, invalid: 0, invalidHeads: 0 }
  }
}
