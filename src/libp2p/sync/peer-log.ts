/**
 * Logs what peers do wrong, once for each peer, so that no peer can fill the log.
 */
import type { ComponentLogger, Logger, PeerName } from '../../replica/ports.ts'

/** Peers that are remembered; after that many the log may repeat itself. */
const PEERS_MAX = 1024

export class PeerLog {
  readonly #log: Logger | undefined
  readonly #seen = new Set<PeerName>()

  constructor(logger: ComponentLogger | undefined, component: string) {
    this.#log = logger?.forComponent(component)
  }

  /** Says what a peer did wrong, if this is the first time. */
  once(peer: PeerName, error: unknown): void {
    if (this.#log === undefined || this.#seen.has(peer)) return
    if (this.#seen.size >= PEERS_MAX) this.#seen.clear()
    this.#seen.add(peer)
    this.#log.error('dropped a stream of %p - %e', peer, error)
  }

  trace(format: string, ...args: unknown[]): void {
    this.#log?.trace(format, ...args)
  }

  error(format: string, ...args: unknown[]): void {
    this.#log?.error(format, ...args)
  }
}
