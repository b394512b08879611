/**
 * What peers say they have becomes what is wanted here: broadcasts and hellos are decoded, heads that are not here
 * are fetched, and those that nobody has are given up.
 *
 * Invariants: a head that is wanted is remembered on disk until it is merged, waits as a block or is given up; what
 * a peer says is at worst counted and logged once.
 */
import { type AnnouncedHead, decodeBroadcast } from '../codec/broadcast.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Fetcher } from '../dag/fetch.ts'
import type { Limits } from '../options.ts'
import type { ReplicaCounters } from './counters.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import { Inbox } from './inbox.ts'
import type { Ingest } from './ingest.ts'
import type { LogOnce } from './log-once.ts'
import type { HeadClaim, Logger, PeerName } from './ports.ts'
import type { WantedHeads } from './wanted.ts'

export interface IntakeInit {
  ingest: Ingest
  wanted: WantedHeads
  ignored: IgnoredDags
  limits: Limits
  counters: ReplicaCounters
  logger: Logger
  logOnce: LogOnce
  /** Absent where there is nobody to fetch from. */
  fetcher(): Fetcher | undefined
  /** Whether a block was applied, lately or long ago. */
  isApplied(id: BlockId): Promise<boolean>
  /** A peer said heads to everybody. */
  announced(from: PeerName, heads: readonly AnnouncedHead[]): void
  /** Something has to be fetched. */
  lacking(from: PeerName): void
}

/** How a block is wanted. */
export interface WantOptions {
  sources?: PeerName[]
  /** Somebody said that it is a head. */
  root?: boolean
  byIdFirst?: boolean
}

export class Intake {
  readonly #init: IntakeInit
  readonly #inbox: Inbox
  #stopped = false

  constructor(init: IntakeInit) {
    const { limits, counters, logger } = init
    this.#init = init
    this.#inbox = new Inbox({
      bytesMax: limits.readyBytesMax,
      handle: (head, { from, gossip }) => this.#handle(head, from, gossip),
      onDropped: () => {
        counters.droppedMessages += 1
      },
      onError: (error) => logger.error('a head could not be handled - %e', error)
    })
  }

  /** Takes up the heads that were wanted when the store was closed. */
  async load(): Promise<void> {
    const { wanted, ingest, isApplied } = this.#init
    for (const id of await wanted.load()) {
      if (ingest.holds(id) || (await isApplied(id))) wanted.remove(id)
      else this.want(id, { root: true })
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#inbox.stop()
  }

  /** Resolves when everything that was heard so far is handled. */
  async handled(signal?: AbortSignal): Promise<void> {
    await this.#inbox.handled(signal)
  }

  receiveBroadcast(message: Uint8Array, from: PeerName): void {
    const { counters, announced, logOnce } = this.#init
    counters.broadcastsReceived += 1
    try {
      const { heads, invalidHeads } = decodeBroadcast(message)
      counters.invalidHeads += invalidHeads
      announced(from, heads)
      this.#inbox.push({ heads, from, gossip: true })
    } catch (error) {
      counters.invalidBroadcasts += 1
      logOnce.error(from, 'broadcast', 'a broadcast from %s does not decode - %e', error)
    }
  }

  /** A peer told us, and nobody else, which heads it has. */
  receiveClaim(heads: readonly HeadClaim[], from: PeerName): void {
    this.#inbox.push({ heads, from, gossip: false })
  }

  want(id: BlockId, options: WantOptions): void {
    const { fetcher, wanted, lacking } = this.#init
    if (this.#stopped) return
    fetcher()?.want(id, options)
    if (!fetcher()?.has(id)) return
    lacking(options.sources?.[0] ?? '')
    if (options.root) wanted.add(id)
  }

  /** Nobody has a block that was wanted. */
  async giveUp(id: BlockId, root: boolean): Promise<void> {
    const { counters, wanted, logger, ingest } = this.#init
    if (root) {
      counters.droppedHeads += 1
      wanted.remove(id)
      // Not an error line: whoever says heads that nobody has could fill a disk with them.
      logger('head %s cannot be had and was dropped', id)
    }
    await ingest.giveUp(id)
  }

  async #handle({ id, dagName, block }: AnnouncedHead, from: PeerName, gossip: boolean): Promise<void> {
    const { ingest, ignored, isApplied } = this.#init
    if (ignored.hasNode(id) || ingest.isHead(id, from) || (await isApplied(id))) return
    // The name is a hint that saves a request; what came along anyway tells for itself.
    if (block === undefined && ignored.has(dagName)) return
    if (block !== undefined) {
      await ingest.room()
      const receipt = await ingest.receive({ bytes: block, from }, new Set([id]), true)
      // What is new may have been dropped over a budget, and is asked for again when there is room.
      if (receipt !== 'refused') return
    }
    if (!ingest.holds(id)) this.want(id, { sources: [from], root: true, byIdFirst: gossip })
  }
}
