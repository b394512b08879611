// A gossipsub that does what a test wants.
import type {
  EventLike,
  PeerIdLike,
  PubSubMessageLike,
  SubscriptionChangeLike
} from '../../src/libp2p/types.ts'

type Listener = (event: EventLike<never>) => void

export class FakePubSub {
  globalSignaturePolicy = 'StrictSign'
  started = true
  readonly topics = new Set<string>()
  readonly published: Array<{ topic: string; data: Uint8Array }> = []
  readonly #listeners = { message: new Set<Listener>(), 'subscription-change': new Set<Listener>() }
  publishError: Error | undefined

  getTopics(): string[] {
    return [...this.topics]
  }

  subscribe(topic: string): void {
    if (!this.started) throw new Error('Pubsub has not started')
    this.topics.add(topic)
  }

  unsubscribe(topic: string): void {
    if (!this.started) throw new Error('Pubsub is not started')
    this.topics.delete(topic)
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    if (this.publishError !== undefined) throw this.publishError
    this.published.push({ topic, data })
  }

  addEventListener(type: 'message' | 'subscription-change', listener: Listener): void {
    this.#listeners[type].add(listener)
  }

  removeEventListener(type: 'message' | 'subscription-change', listener: Listener): void {
    this.#listeners[type].delete(listener)
  }

  get listeners(): Set<Listener> {
    return new Set(Object.values(this.#listeners).flatMap((listeners) => [...listeners]))
  }

  /** A peer was seen to be on the topic. */
  joined(peer: string, topic = 'topic'): void {
    const detail: SubscriptionChangeLike = {
      peerId: { toString: () => peer },
      subscriptions: [{ topic, subscribe: true }]
    }
    this.#say('subscription-change', detail)
  }

  /** A message came: of so many bytes, or of these. */
  deliver(from: string | undefined, bytes: number | Uint8Array = 1, topic = 'topic'): void {
    const data = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes
    const sender: PeerIdLike | undefined = from === undefined ? undefined : { toString: () => from }
    const detail: PubSubMessageLike = { topic, data, ...(sender && { from: sender }) }
    this.#say('message', detail)
  }

  #say(type: 'message' | 'subscription-change', detail: PubSubMessageLike | SubscriptionChangeLike): void {
    for (const listener of this.#listeners[type]) listener({ detail: detail as never })
  }
}
