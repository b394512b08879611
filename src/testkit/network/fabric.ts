/**
 * What a simulated node needs of the network it is in. Types only.
 */
import type { EventLike, PeerIdLike, SubscriptionChangeLike } from '../../libp2p/types.ts'
import type { Link } from './link.ts'

/** Topics that a node joined, as it tells its peers. */
export type Subscriptions = SubscriptionChangeLike['subscriptions']

export type DisconnectListener = (event: EventLike<PeerIdLike>) => void

export interface Fabric {
  /** The link from one node to another, and the one back. */
  links(from: string, to: string): [Link, Link]
  /** A stream was opened. */
  streamOpened(): void
  /** One node tells another which protocols it has. */
  identify(from: string, to: string): void
  /** One node tells another which topics it joined. */
  tellSubscriptions(from: string, to: string, subscriptions: Subscriptions): void
  /** Says a message to all subscribers that can be reached. */
  gossip(from: string, topic: string, bytes: Uint8Array): void
  /** Whom a node's gossip can reach, directly or through others. */
  subscribersFor(name: string, topic: string): Array<{ peerId: PeerIdLike }>
}
