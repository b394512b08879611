/**
 * Logs what bad input brings about once for each peer and fault: whoever sends a million bad blocks must not be
 * able to fill a disk with lines about them. All of them are counted elsewhere.
 */
import type { Logger, PeerName } from './ports.ts'

/** Pairs of peer and fault that are remembered; then all are forgotten, and each is logged once more. */
const PAIRS_MAX = 1024

export class LogOnce {
  readonly #logger: Logger
  readonly #logged = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** @param fault - what is logged once for each peer; the arguments follow the peer in the format. */
  error(peer: PeerName, fault: string, format: string, ...args: unknown[]): void {
    const pair = `${fault} ${peer}`
    if (this.#logged.has(pair)) return
    if (this.#logged.size >= PAIRS_MAX) this.#logged.clear()
    this.#logged.add(pair)
    this.#logger.error(`${format} (logged once)`, peer, ...args)
  }
}
