// A gossipsub that does what a test wants.
import type { EventLike, PeerIdLike, PubSubMessageLike } from '../../src/libp2p/types.ts'

export class FakePubSub {
  globalSignaturePolicy = 'StrictSign'
  started = true
  readonly topics = new Set<string>()
  readonly published: Array<{ topic: string; data: Uint8Array }> = []
  readonly listeners = new Set<(event: EventLike<PubSubMessageLike>) => void>()
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

  addEventListener(type: string, listener: (event: EventLike<never>) => void): void {
    if (type === 'message') this.listeners.add(listener as (event: EventLike<PubSubMessageLike>) => void)
  }

  removeEventListener(_type: string, listener: (event: EventLike<never>) => void): void {
    this.listeners.delete(listener as (event: EventLike<PubSubMessageLike>) => void)
  }

  /** A message came: of so many bytes, or of these. */
  deliver(from: string | undefined, bytes: number | Uint8Array = 1, topic = 'topic'): void {
    const data = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes
    const sender: PeerIdLike | undefined = from === undefined ? undefined : { toString: () => from }
    const detail: PubSubMessageLike = { topic, data, ...(sender && { from: sender }) }
    for (const listener of this.listeners) listener({ detail })
  }
}
