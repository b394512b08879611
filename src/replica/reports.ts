/**
 * What a replica learns of its peers, and tells of them: what they claim, how far it has caught up with them, what of
 * theirs is bad.
 *
 * Invariant: nothing is told after the stop.
 */
import { ClosedError } from '../errors.ts'
import type { Limits } from '../options.ts'
import type { ReplicaCounters } from './counters.ts'
import type { Divergence, RefusedBlock, ReplicaListener } from './listener.ts'
import { LogOnce } from './log-once.ts'
import { Peers } from './peers.ts'
import type { Clock, Logger, PeerName, ReplicaSnapshot } from './ports.ts'
import { SyncTracker } from './sync-tracker.ts'

export interface ReportsInit {
  limits: Limits
  clock: Clock
  counters: ReplicaCounters
  logger: Logger
  listener: ReplicaListener
  snapshot(): ReplicaSnapshot
  /** Whether everything that was heard of is merged, or was given up. */
  isLevel(): boolean
  pending(): number
  wanted(): number
}

export class Reports {
  readonly peers: Peers
  readonly logOnce: LogOnce
  readonly #init: ReportsInit
  readonly #tracker: SyncTracker
  #stopped = false

  constructor(init: ReportsInit) {
    const { limits, clock, snapshot } = init
    this.#init = init
    this.logOnce = new LogOnce(init.logger)
    this.#tracker = new SyncTracker(init)
    this.peers = new Peers({
      ...{ limits, clock, snapshot },
      onDivergence: (divergence) => this.#diverged(divergence)
    })
  }

  stop(): void {
    this.#stopped = true
    this.peers.stop(new ClosedError())
  }

  /** Something has to be fetched. */
  lacking(from: PeerName): void {
    this.#tracker.wanted(from)
  }

  /** Remote nodes were merged. */
  merged(): void {
    this.#tracker.merged()
  }

  /** Something was merged, dropped or given up. */
  settled(): void {
    // Only now can what peers claimed be the same as what is here.
    if (!this.#stopped && this.#tracker.settled()) this.peers.compareAll()
  }

  refused(block: RefusedBlock): void {
    const { from, fault, id = 'unknown' } = block
    this.logOnce.error(from, fault, '%s sent a block that is bad: %s, id %s', fault, id)
    this.#init.listener.blockRefused(block)
  }

  #diverged(divergence: Divergence): void {
    const { counters, logger, listener } = this.#init
    counters.divergences += 1
    logger.error('%s has another state for the same heads: verify() tells more', divergence.peer)
    listener.diverged(divergence)
  }
}
