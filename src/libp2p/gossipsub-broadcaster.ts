/**
 * Says heads over gossipsub, and hears what others say: the `Broadcaster` of a node.
 *
 * Invariants: only signed messages of this topic by other peers that are allowed reach the receiver, whoever passed
 * them on; a message over the limit is dropped unread; that nobody listens is no error.
 */
import { InvalidOptionError } from '../errors.ts'
import { LIMITS } from '../options.ts'
import type { Broadcaster, ComponentLogger, Logger, PeerName } from '../replica/ports.ts'
import {
  type EventLike,
  type Libp2pLike,
  type PubSubLike,
  type PubSubMessageLike,
  pubsubOf
} from './types.ts'

/** What a broadcaster works with. */
export interface GossipsubBroadcasterComponents {
  /** A node of libp2p 2 or 3 with a gossipsub in `services.pubsub`. */
  libp2p: Libp2pLike
  /** @default the node's own */
  logger?: ComponentLogger
}

/** How it does so. */
export interface GossipsubBroadcasterInit {
  /** The topic of the datastore; a Go peer's is the one it gave to its `PubSubBroadcaster`. */
  topic: string
  /**
   * Whether a peer's messages are received. It is asked about the peer that signed a message.
   *
   * @default everybody's
   */
  allowPeer?: (peer: PeerName) => boolean
  /** @default LIMITS.receivedBroadcastBytesMax */
  receivedBroadcastBytesMax?: number
}

/** What happened to messages since the broadcaster was made. */
export interface BroadcastCounters {
  received: number
  sent: number
  /** Messages that reached nobody, because nobody else was on the topic. */
  unheard: number
  oversized: number
  /** Messages of peers that are not allowed. */
  refused: number
  /** Messages that do not tell who wrote them. */
  unsigned: number
}

/** A broadcaster over gossipsub. */
export interface GossipsubBroadcaster extends Broadcaster {
  readonly counters: Readonly<BroadcastCounters>
}

/** Names of gossipsub's complaints that there is nobody to publish to. It has no error classes. */
const NOBODY_LISTENS = /PublishError\.(NoPeersSubscribedToTopic|InsufficientPeers)/

/**
 * A broadcaster over the node's gossipsub.
 *
 * @throws InvalidOptionError if the node has no gossipsub, or one that does not sign.
 */
export function gossipsubBroadcaster(
  components: GossipsubBroadcasterComponents,
  init: GossipsubBroadcasterInit
): GossipsubBroadcaster {
  return new PubSubBroadcaster(components, init)
}

class PubSubBroadcaster implements GossipsubBroadcaster {
  readonly counters: BroadcastCounters = {
    received: 0,
    sent: 0,
    unheard: 0,
    oversized: 0,
    refused: 0,
    unsigned: 0
  }
  readonly #libp2p: Libp2pLike
  readonly #pubsub: PubSubLike
  readonly #topic: string
  readonly #allowPeer: (peer: PeerName) => boolean
  readonly #bytesMax: number
  readonly #log: Logger | undefined
  #receive: ((message: Uint8Array, from: PeerName) => void) | undefined
  /** Whether the subscription is ours to end: an app may have one of its own to the same topic. */
  #subscribed = false

  constructor(
    { libp2p, logger = libp2p.logger }: GossipsubBroadcasterComponents,
    init: GossipsubBroadcasterInit
  ) {
    const pubsub = pubsubOf(libp2p)
    if (pubsub === undefined) {
      throw new InvalidOptionError('libp2p', libp2p, 'a node with services: { pubsub: gossipsub() }')
    }
    if (pubsub.globalSignaturePolicy === 'StrictNoSign') {
      throw new InvalidOptionError(
        'libp2p',
        libp2p,
        'a node whose gossipsub signs (globalSignaturePolicy StrictSign)'
      )
    }
    this.#libp2p = libp2p
    this.#pubsub = pubsub
    this.#topic = init.topic
    this.#allowPeer = init.allowPeer ?? (() => true)
    this.#bytesMax = init.receivedBroadcastBytesMax ?? LIMITS.receivedBroadcastBytesMax.default
    this.#log = logger?.forComponent('datastore-crdt:broadcast')
  }

  async start(receive: (message: Uint8Array, from: PeerName) => void): Promise<void> {
    if (this.#receive !== undefined) return
    const subscribed = !this.#pubsub.getTopics().includes(this.#topic)
    if (subscribed) this.#subscribe()
    this.#subscribed = subscribed
    this.#receive = receive
    this.#pubsub.addEventListener('message', this.#onMessage)
  }

  async stop(): Promise<void> {
    if (this.#receive === undefined) return
    this.#receive = undefined
    this.#pubsub.removeEventListener('message', this.#onMessage)
    if (!this.#subscribed) return
    try {
      this.#pubsub.unsubscribe(this.#topic)
    } catch {
      // The node was stopped first, and its gossipsub has left every topic.
    }
  }

  async broadcast(message: Uint8Array): Promise<boolean> {
    // Signing takes longer than all the rest of a put, so it is not done for nobody.
    if (this.#pubsub.getSubscribers?.(this.#topic).length === 0) {
      this.counters.unheard++
      return false
    }
    try {
      await this.#pubsub.publish(this.#topic, message)
      this.counters.sent++
      return true
    } catch (error) {
      if (!(error instanceof Error && NOBODY_LISTENS.test(error.message))) throw error
      this.counters.unheard++
      return false
    }
  }

  #subscribe(): void {
    try {
      this.#pubsub.subscribe(this.#topic)
    } catch (error) {
      if (!(error instanceof Error && /not started/i.test(error.message))) throw error
      throw new InvalidOptionError('libp2p', this.#libp2p, 'a started node; await libp2p.start() first')
    }
  }

  readonly #onMessage = ({ detail }: EventLike<PubSubMessageLike>): void => {
    if (detail.topic !== this.#topic || this.#receive === undefined) return
    if (detail.from === undefined) {
      if (this.counters.unsigned++ === 0) this.#log?.error('dropped an unsigned message')
      return
    }
    const from = detail.from.toString()
    if (from === this.#libp2p.peerId.toString()) return
    if (!this.#allows(from)) {
      this.counters.refused++
      return
    }
    if (detail.data.length > this.#bytesMax) {
      if (this.counters.oversized++ === 0) {
        this.#log?.error('dropped a message of %d bytes from %p', detail.data.length, from)
      }
      return
    }
    this.counters.received++
    this.#receive(detail.data, from)
  }

  #allows(peer: PeerName): boolean {
    try {
      return this.#allowPeer(peer)
    } catch (error) {
      this.#log?.error('allowPeer threw for %p - %e', peer, error)
      return false
    }
  }
}
