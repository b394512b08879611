/**
 * Asks once in a while for what was missing when its branch was merged.
 *
 * Invariants: a retry that is due sooner is not put off by a later one; there is no timer while there is no gap.
 */

import { jittered } from '../backoff.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { GapStore } from '../storage/gap-store.ts'
import type { Clock, Logger, Random } from './ports.ts'

export interface GapRetryInit {
  gaps: GapStore
  clock: Clock
  random: Random
  limits: Limits
  logger: Logger
  hasGaps(): boolean
  /** Whether a missing block is of no use, because its DAG is ignored. */
  isIgnored(id: BlockId): boolean
  /** Asks for these, once. */
  ask(missing: readonly BlockId[]): void
}

export class GapRetry {
  readonly #init: GapRetryInit
  #timer: unknown
  #dueAt = Number.POSITIVE_INFINITY
  #last: BlockId | undefined
  #stopped = false

  constructor(init: GapRetryInit) {
    this.#init = init
  }

  /** Retries in so many milliseconds, give or take 30%, or sooner if that was asked for before. */
  within(ms: number): void {
    const { clock, random, limits, logger, hasGaps } = this.#init
    if (this.#stopped || !hasGaps()) return
    const pause = jittered(ms, random)
    if (clock.now() + pause >= this.#dueAt) return
    clock.clearTimeout(this.#timer)
    this.#dueAt = clock.now() + pause
    this.#timer = clock.setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY
      this.#retry()
        .catch((error) => logger.error('gaps could not be read - %e', error))
        .finally(() => this.within(limits.retryIntervalMsMax))
    }, pause)
  }

  stop(): void {
    this.#stopped = true
    this.#init.clock.clearTimeout(this.#timer)
  }

  /** The missing blocks take turns where there are more than one request may ask for. */
  async #retry(): Promise<void> {
    const { gaps, limits, isIgnored, ask } = this.#init
    const missing = await gaps.missing(limits.fetchIdsMax, this.#last, isIgnored)
    this.#last = missing.at(-1)
    if (!this.#stopped) ask(missing)
  }
}
