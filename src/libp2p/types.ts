/**
 * libp2p as far as this package uses it, told by shape. Types only.
 *
 * Invariant: nodes of libp2p 2 and of libp2p 3 both fit, and no libp2p package is imported for it: libp2p belongs
 * to the app, in whatever version it has.
 */
import type { ComponentLogger } from '../replica/ports.ts'

/** A peer id; `toString()` is the name that the ports know a peer by. */
export interface PeerIdLike {
  toString(): string
}

/** A connection to a peer, over which streams are opened. */
export interface ConnectionLike {
  remotePeer: PeerIdLike
  direction: 'inbound' | 'outbound'
  status: string
  /** Present on a connection that is limited in bytes or time, such as one through a relay. */
  limits?: unknown
  newStream(protocol: string, options?: { signal?: AbortSignal }): Promise<object>
}

/** Says which peers that speak a protocol have connected. */
export interface TopologyLike {
  onConnect?(peerId: PeerIdLike, connection: ConnectionLike): void
}

/** An event that carries something, as libp2p's own and gossipsub's do. */
export interface EventLike<Detail> {
  detail: Detail
}

/** Numbers by label, read when somebody asks for them. */
export interface CalculatedMetricLike {
  label: string
  help: string
  calculate(): Record<string, number>
}

/** The parts of libp2p's `Metrics` that are used. */
export interface MetricsLike {
  registerMetricGroup(name: string, options: CalculatedMetricLike): unknown
  registerCounterGroup(name: string, options: CalculatedMetricLike): unknown
}

/** A libp2p node. */
export interface Libp2pLike {
  peerId: PeerIdLike
  /** `services.pubsub` is a gossipsub, where there is one. */
  services?: object
  logger?: ComponentLogger
  metrics?: MetricsLike
  peerStore?: { get(peerId: never): Promise<{ protocols: string[] }> }
  getConnections(): ConnectionLike[]
  /** libp2p 2 calls a handler with `{ stream, connection }`, libp2p 3 with `stream, connection`. */
  handle(
    protocol: string,
    handler: (first: object, second?: ConnectionLike) => void,
    options?: { maxInboundStreams?: number; maxOutboundStreams?: number }
  ): Promise<void>
  unhandle(protocol: string): Promise<void>
  register(protocol: string, topology: TopologyLike): Promise<string>
  unregister(id: string): void
  addEventListener(type: 'peer:disconnect', listener: (event: EventLike<PeerIdLike>) => void): void
  removeEventListener(type: 'peer:disconnect', listener: (event: EventLike<PeerIdLike>) => void): void
}

/** A message from gossip. Only a signed one tells whom it is from. */
export interface PubSubMessageLike {
  topic: string
  data: Uint8Array
  from?: PeerIdLike
}

/** Topics that a peer has joined or left. */
export interface SubscriptionChangeLike {
  peerId: PeerIdLike
  subscriptions: Array<{ topic: string; subscribe: boolean }>
}

type PubSubListener<Detail> = (event: EventLike<Detail>) => void

/** A gossipsub, old or new. */
export interface PubSubLike {
  globalSignaturePolicy?: string
  getTopics(): string[]
  /** Peers that are known to be on a topic. */
  getSubscribers?(topic: string): PeerIdLike[]
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  publish(topic: string, data: Uint8Array): Promise<unknown>
  addEventListener(type: 'message', listener: PubSubListener<PubSubMessageLike>): void
  addEventListener(type: 'subscription-change', listener: PubSubListener<SubscriptionChangeLike>): void
  removeEventListener(type: 'message', listener: PubSubListener<PubSubMessageLike>): void
  removeEventListener(type: 'subscription-change', listener: PubSubListener<SubscriptionChangeLike>): void
}

/** The node's gossipsub, if it has one. */
export function pubsubOf(libp2p: Libp2pLike): PubSubLike | undefined {
  const pubsub = (libp2p.services as { pubsub?: Partial<PubSubLike> } | undefined)?.pubsub
  const usable = typeof pubsub?.subscribe === 'function' && typeof pubsub.publish === 'function'
  return usable ? (pubsub as PubSubLike) : undefined
}
