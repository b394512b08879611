/**
 * Gossip of a simulated node, in the shape of gossipsub: whoever is subscribed and can be reached, directly or through
 * others, hears a message, unless it is lost on the way.
 *
 * Invariant: nobody hears what it said itself, nor anything of a topic to which it is not subscribed.
 */
import type {
  EventLike,
  PeerIdLike,
  PubSubLike,
  PubSubMessageLike,
  SubscriptionChangeLike
} from '../../libp2p/types.ts'
import type { Fabric } from './fabric.ts'

type Listener = (event: EventLike<never>) => void

export class SimulatedPubSub implements PubSubLike {
  readonly globalSignaturePolicy = 'StrictSign'
  readonly #network: Fabric
  readonly #name: string
  readonly #connected: () => string[]
  readonly #topics = new Set<string>()
  readonly #listeners = { message: new Set<Listener>(), 'subscription-change': new Set<Listener>() }

  /** @param connected - whom its node is connected to. */
  constructor(network: Fabric, name: string, connected: () => string[]) {
    this.#network = network
    this.#name = name
    this.#connected = connected
  }

  getTopics(): string[] {
    return [...this.#topics]
  }

  getSubscribers(topic: string): PeerIdLike[] {
    return this.#network.subscribersFor(this.#name, topic).map(({ peerId }) => peerId)
  }

  isSubscribed(topic: string): boolean {
    return this.#topics.has(topic)
  }

  subscribe(topic: string): void {
    this.#topics.add(topic)
    for (const peer of this.#connected()) {
      this.#network.tellSubscriptions(this.#name, peer, [{ topic, subscribe: true }])
    }
  }

  unsubscribe(topic: string): void {
    this.#topics.delete(topic)
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    this.#network.gossip(this.#name, topic, data)
  }

  addEventListener(
    type: 'message' | 'subscription-change',
    listener: (event: EventLike<never>) => void
  ): void {
    this.#listeners[type].add(listener)
  }

  removeEventListener(
    type: 'message' | 'subscription-change',
    listener: (event: EventLike<never>) => void
  ): void {
    this.#listeners[type].delete(listener)
  }

  /** A message came. Used by the network. @returns whether anybody listens. */
  receive(detail: PubSubMessageLike): boolean {
    const listeners = [...this.#listeners.message]
    for (const listener of listeners) listener({ detail } as EventLike<never>)
    return listeners.length > 0
  }

  /** A peer joined topics. Used by the network. */
  subscribed(detail: SubscriptionChangeLike): void {
    for (const listener of [...this.#listeners['subscription-change']]) {
      listener({ detail } as EventLike<never>)
    }
  }

  /** What was not taken back. */
  leftBehind(): string[] {
    return [
      ...this.getTopics().map((topic) => `subscription to ${topic}`),
      ...Array.from(this.#listeners.message, () => 'listener of messages'),
      ...Array.from(this.#listeners['subscription-change'], () => 'listener of subscriptions')
    ]
  }
}
