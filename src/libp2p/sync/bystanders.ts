/**
 * Peers that are on the topic and do not speak the sync protocol, as Go peers do not: they can only hear and say heads.
 *
 * Invariants: a peer is one of them only while it is connected and subscribed; whoever turns out to speak the protocol is
 * none; each is told of once for every time it comes.
 */
import type { PeerName } from '../../replica/ports.ts'
import { type Libp2pLike, type PeerIdLike, pubsubOf } from '../types.ts'
import { SYNC_PROTOCOL } from './protocol.ts'
import { SyncError } from './sync-error.ts'

export interface BystandersInit {
  libp2p: Libp2pLike
  topic: string
  /** One more is there. */
  came(peer: PeerName): void
}

export class Bystanders {
  readonly #init: BystandersInit
  readonly #peers = new Set<PeerName>()
  #stopped = false

  constructor(init: BystandersInit) {
    this.#init = init
  }

  list(): PeerName[] {
    return [...this.#peers]
  }

  /** Finds those that are there already. */
  lookAround(): void {
    for (const peer of this.#subscribers()) this.joined(peer.toString())
  }

  /** A peer is on the topic. */
  joined(peer: PeerName): void {
    speaksSync(this.#init.libp2p, peer).then(
      (speaks) => {
        if (speaks === false) this.doesNotSpeak(peer)
      },
      () => {
        // It is gone again.
      }
    )
  }

  /** It has turned out that a peer does not speak the protocol. */
  doesNotSpeak(peer: PeerName): void {
    if (this.#stopped || this.#peers.has(peer) || !this.#isThere(peer)) return
    this.#peers.add(peer)
    this.#init.came(peer)
  }

  /** A peer left the topic, is gone, or has turned out to speak the protocol. */
  remove(peer: PeerName): void {
    this.#peers.delete(peer)
  }

  stop(): void {
    this.#stopped = true
    this.#peers.clear()
  }

  /** Looking up what it speaks takes a moment in which it may have left. */
  #isThere(peer: PeerName): boolean {
    const { libp2p } = this.#init
    const isConnected = libp2p.getConnections().some(({ remotePeer }) => remotePeer.toString() === peer)
    return isConnected && this.#subscribers().some((subscriber) => subscriber.toString() === peer)
  }

  #subscribers(): PeerIdLike[] {
    return pubsubOf(this.#init.libp2p)?.getSubscribers?.(this.#init.topic) ?? []
  }
}

/**
 * Whether a peer speaks the sync protocol; undefined if that is not known, because it has not been identified yet.
 *
 * @throws SyncError if it is not connected.
 */
export async function speaksSync(libp2p: Libp2pLike, peer: PeerName): Promise<boolean | undefined> {
  const connection = libp2p.getConnections().find(({ remotePeer }) => remotePeer.toString() === peer)
  if (connection === undefined) throw new SyncError('unreachable', 'There is no connection', { peer })
  let protocols: string[] = []
  try {
    protocols = (await libp2p.peerStore?.get(connection.remotePeer as never))?.protocols ?? []
  } catch {
    // It has not been identified yet.
  }
  return protocols.length === 0 ? undefined : protocols.includes(SYNC_PROTOCOL)
}
