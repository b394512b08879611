/**
 * What to say over gossip, and when.
 *
 * A new local node goes out at once, its block inlined where it is small; nodes that are committed within a moment
 * after it share the next message: with a message for each, an awaited put that one peer follows takes 2.4 times as much
 * of the main thread. Heads that were learned otherwise than by gossip are said once, after a short random wait in which
 * somebody else may say them. And every interval, give or take 30%, the heads that nobody else said within it are said
 * again, and a peer to which gossip may be broken is told of them by another way.
 *
 * Invariants: no message is empty or larger than the limit; what waits to be said is bounded, and beyond that only
 * heads are said; a message that fails is lost to gossip alone, for the rebroadcast repeats the heads.
 */

import { jittered } from '../backoff.ts'
import { type AnnouncedHead, announcedHeadSize, encodeBroadcast } from '../codec/broadcast.ts'
import { dagNameHint } from '../codec/dag-name-hint.ts'
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { ReplicaCounters } from './counters.ts'
import { Newcomers } from './newcomers.ts'
import type { Broadcaster, Clock, Logger, Random } from './ports.ts'

export interface AnnouncerInit {
  broadcaster: Broadcaster
  clock: Clock
  random: Random
  limits: Limits
  counters: ReplicaCounters
  logger: Logger
  /** The heads as they are now. */
  heads(): AnnouncedHead[]
  /** How many they are. */
  headCount(): number
  /** Whether nothing is being streamed or merged, so that the heads are worth telling. */
  isLevel(): boolean
  /** Tells a peer outside of gossip, for whom gossip may be broken. */
  remind(): void
}

export class Announcer {
  readonly #init: AnnouncerInit
  /** New local nodes that wait to be said, oldest first. */
  readonly #backlog = new Map<BlockId, AnnouncedHead>()
  #backlogBytes = 0
  /** Heads that somebody said since the last rebroadcast, us included. */
  readonly #said = new Set<BlockId>()
  readonly #newcomers: Newcomers
  #rebroadcastTimer: unknown
  #relayTimer: unknown
  #flushTimer: unknown
  #flushedAt = Number.NEGATIVE_INFINITY
  #sending: Promise<void> | undefined
  #stopped = true

  constructor(init: AnnouncerInit) {
    const { clock, limits } = init
    this.#init = init
    this.#newcomers = new Newcomers({
      ...{ clock, limits },
      tell: () => {
        this.#said.clear()
        this.learned()
      }
    })
  }

  start(): void {
    this.#stopped = false
    this.#scheduleRebroadcast()
    this.#newcomers.start()
  }

  /** Says what still waits to be said, and nothing after it. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#flush()
    const last = this.#sending
    const { clock } = this.#init
    this.#newcomers.stop()
    for (const timer of [this.#rebroadcastTimer, this.#relayTimer, this.#flushTimer])
      clock.clearTimeout(timer)
    this.#flushTimer = undefined
    this.#relayTimer = undefined
    await last
    this.#stopped = true
  }

  /** Somebody else said that this is a head. */
  heard(id: BlockId): void {
    const { limits, headCount } = this.#init
    // Of many heads all have to be remembered: each replica would otherwise say again what the others just said.
    const max = Math.max(limits.wantedHeadsMax, headCount())
    const oldest = this.#said.values().next().value
    if (oldest !== undefined && this.#said.size >= max) this.#said.delete(oldest)
    this.#said.add(id)
  }

  /** Nodes that were written here. */
  published(nodes: readonly DagNode[]): void {
    const { limits } = this.#init
    for (const { id, bytes, delta } of nodes) {
      const block = bytes.length <= limits.inlineBytesMax ? { block: bytes } : {}
      const head = { id, dagName: delta.dagName, ...block }
      this.#backlog.set(id, head)
      this.#backlogBytes += announcedHeadSize(head)
    }
    this.#trimBacklog()
    this.#flushSoon()
  }

  /** The nodes of a DAG are not here any more, and could not be served. */
  forget(dagName: string): void {
    for (const [id, head] of this.#backlog) {
      if (head.dagName !== dagName) continue
      this.#backlog.delete(id)
      this.#backlogBytes -= announcedHeadSize(head)
    }
  }

  /** Heads changed by nodes that did not come by gossip, so that those who only gossip with us may lack them. */
  learned(): void {
    const { limits, random } = this.#init
    if (this.#relayTimer === undefined) this.#relayIn(limits.relayDelayMs * random())
  }

  /**
   * Somebody came who heard nothing of what was said before, and to whom nothing can be told otherwise. All heads are
   * said again, but for those that somebody says meanwhile.
   */
  newcomer(): void {
    this.#newcomers.came()
  }

  #relayIn(ms: number): void {
    if (this.#stopped) return
    const { clock, limits, random, isLevel } = this.#init
    this.#relayTimer = clock.setTimeout(() => {
      this.#relayTimer = undefined
      if (isLevel()) this.#track(this.#sayUnsaid())
      // The pause of the first wait may be none at all, and would be a loop here.
      else this.#relayIn(jittered(limits.retryIntervalMs, random))
    }, ms)
  }

  /** Says the heads that nobody said since the last time. */
  async #sayUnsaid(): Promise<void> {
    await this.#send(this.#init.heads().filter(({ id }) => !this.#said.has(id)))
  }

  #scheduleRebroadcast(): void {
    const { clock, limits, random } = this.#init
    this.#rebroadcastTimer = clock.setTimeout(
      () => {
        this.#track(this.#sayUnsaid().then(() => this.#said.clear()))
        if (this.#stopped) return
        this.#init.remind()
        this.#scheduleRebroadcast()
      },
      jittered(limits.rebroadcastIntervalMs, random)
    )
  }

  /** A receiver that misses a dropped block fetches it, so only the newest nodes are worth their bytes. */
  #trimBacklog(): void {
    const { announceBacklogBytesMax } = this.#init.limits
    for (const [id, head] of this.#backlog) {
      if (this.#backlogBytes <= announceBacklogBytesMax) return
      this.#backlog.delete(id)
      this.#backlogBytes -= announcedHeadSize(head)
    }
  }

  /** At once if nothing was said just now, so that a lone write is not held up; soon otherwise. */
  #flushSoon(): void {
    if (this.#stopped || this.#sending !== undefined || this.#flushTimer !== undefined) return
    const { clock, limits } = this.#init
    const wait = Math.max(limits.broadcastDelayMs, this.#flushedAt + limits.broadcastGapMs - clock.now())
    if (wait <= 0) this.#flush()
    else {
      this.#flushTimer = clock.setTimeout(() => {
        this.#flushTimer = undefined
        this.#flush()
      }, wait)
    }
  }

  #flush(): void {
    if (this.#backlog.size === 0) return
    this.#flushedAt = this.#init.clock.now()
    const heads = [...this.#backlog.values()]
    this.#backlog.clear()
    this.#backlogBytes = 0
    this.#track(this.#send(heads))
  }

  /** One message after the other: what is published meanwhile shares the next. */
  #track(sending: Promise<void>): void {
    const tracked = Promise.all([this.#sending, sending]).then(() => {
      if (this.#sending !== tracked) return
      this.#sending = undefined
      if (this.#backlog.size > 0) this.#flushSoon()
    })
    this.#sending = tracked
  }

  /** A broadcaster that hangs must hold up neither what is written next nor a stop. */
  async #inTime(sending: Promise<boolean>): Promise<boolean> {
    const { clock, limits } = this.#init
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = clock.setTimeout(
      () => reject(new BroadcastTimeoutError(limits.broadcastTimeoutMs)),
      limits.broadcastTimeoutMs
    )
    try {
      return await Promise.race([sending, promise])
    } finally {
      clock.clearTimeout(timer)
    }
  }

  async #send(heads: readonly AnnouncedHead[]): Promise<void> {
    const { broadcaster, counters, logger, limits } = this.#init
    for (const message of split(heads, limits.broadcastBytesMax)) {
      if (this.#stopped) return
      try {
        const heard = await this.#inTime(broadcaster.broadcast(encodeBroadcast(message)))
        counters.broadcastsSent += 1
        if (!heard) continue
        for (const { id } of message) this.#said.add(id)
      } catch (error) {
        counters.broadcastsFailed += 1
        logger.error(
          'a broadcast of %d heads failed, the rebroadcast will repeat it - %e',
          message.length,
          error
        )
      }
    }
  }
}

/** Messages within the limit; a head whose block alone would exceed it goes without, and one whose name would with a hint. */
function* split(heads: readonly AnnouncedHead[], bytesMax: number): Generator<AnnouncedHead[]> {
  let message: AnnouncedHead[] = []
  let bytes = 0
  for (const head of heads) {
    const said = [head, { id: head.id, dagName: head.dagName }].find(
      (one) => announcedHeadSize(one) <= bytesMax
    ) ?? { id: head.id, dagName: dagNameHint(head.dagName) }
    const size = announcedHeadSize(said)
    if (message.length > 0 && bytes + size > bytesMax) {
      yield message
      message = []
      bytes = 0
    }
    message.push(said)
    bytes += size
  }
  if (message.length > 0) yield message
}

/** Logged, and counted as a broadcast that failed. */
class BroadcastTimeoutError extends Error {
  override name = 'BroadcastTimeoutError'

  constructor(ms: number) {
    super(`The broadcaster did not end within ${ms} ms (option broadcastTimeoutMs)`)
  }
}
