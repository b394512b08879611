/**
 * Two ways to get blocks, as one exchange: that of peers that speak our protocol, and a fetcher of single blocks for all
 * other peers.
 *
 * The first way is the faster by far, since it streams. So whatever can be streamed is pulled by it alone, and blocks by
 * id are asked of it first; the fetcher is asked for those that it did not have, or that it has not brought within a
 * short time.
 *
 * Invariants: a block is asked of the fetcher once at a time, and no more of them than a limit, whatever the fetcher does:
 * one that hangs has a place only until its time is over, one that does not end even then keeps its own and no other;
 * what it brings is handed on unverified, like all that peers send; a request ends when its signal is aborted.
 */
import { untilAborted } from '../abort.ts'
import { blockIdOf, cidFromBlockId } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type {
  BlockExchange,
  BlockFetcher,
  Clock,
  FetchOptions,
  PeerName,
  PullRequest,
  ReceivedBlock,
  ReplicaView
} from '../replica/ports.ts'
import { Handover } from './handover.ts'

export interface TwoWaysInit {
  exchange: BlockExchange
  fetcher: BlockFetcher
  clock: Clock
  limits: Limits
}

/** What was asked of the block fetcher since the store was started. */
export interface BlockFetcherCounters {
  /** Blocks that were asked for. */
  requests: number
  /** Those that came. */
  blocks: number
  /** Those that did not: it failed, took too long, or the block came the other way meanwhile. */
  failures: number
}

/** One call of `fetch`, as both ways work on it. */
interface Request {
  readonly options: FetchOptions
  readonly missing: Set<BlockId>
  readonly arrived: Handover<ReceivedBlock>
  /** What the fetcher is being asked for. */
  readonly asked: Map<BlockId, AbortController>
}

export class TwoWays implements BlockExchange {
  readonly counters: BlockFetcherCounters = { requests: 0, blocks: 0, failures: 0 }
  readonly pull?: (request: PullRequest) => AsyncIterable<ReceivedBlock>
  readonly canPull?: (peer: PeerName) => boolean
  readonly #init: TwoWaysInit
  /** What the fetcher has not ended yet. */
  readonly #underWay = new Set<BlockId>()

  constructor(init: TwoWaysInit) {
    const { exchange } = init
    this.#init = init
    if (exchange.pull !== undefined) this.pull = exchange.pull.bind(exchange)
    if (exchange.canPull !== undefined) this.canPull = exchange.canPull.bind(exchange)
  }

  async start(replica: ReplicaView): Promise<void> {
    await this.#init.exchange.start(replica)
  }

  async stop(): Promise<void> {
    await this.#init.exchange.stop()
  }

  peers(): PeerName[] {
    return [...new Set([...this.#init.exchange.peers(), ...this.others()])]
  }

  others(): PeerName[] {
    return this.#init.exchange.others?.() ?? []
  }

  remind(): void {
    this.#init.exchange.remind?.()
  }

  async *fetch(ids: readonly BlockId[], options: FetchOptions): AsyncGenerator<ReceivedBlock> {
    const controller = new AbortController()
    const onAbort = (): void => controller.abort(options.signal.reason)
    options.signal.addEventListener('abort', onAbort, { once: true })
    if (options.signal.aborted) onAbort()
    const request: Request = {
      options: { ...options, signal: controller.signal },
      missing: new Set(ids),
      arrived: new Handover(),
      asked: new Map()
    }
    controller.signal.addEventListener('abort', () => request.arrived.end(), { once: true })
    const working = this.#work(request).finally(() => request.arrived.end())
    working.catch(() => {})
    try {
      yield* request.arrived
      options.signal.throwIfAborted()
      await working
    } finally {
      options.signal.removeEventListener('abort', onAbort)
      controller.abort()
      // Nothing of it goes on after its end; how it ends is no news any more.
      await working.catch(() => {})
    }
  }

  async #work(request: Request): Promise<void> {
    const exchanging = this.#fromExchange(request).then(
      () => undefined,
      (error: unknown) => ({ error })
    )
    await this.#headStart(exchanging)
    await this.#fromFetcher(request)
    const failed = await exchanging
    if (failed !== undefined && request.missing.size > 0) throw failed.error
  }

  async #fromExchange(request: Request): Promise<void> {
    const { options, missing, arrived, asked } = request
    for await (const block of this.#init.exchange.fetch([...missing], options)) {
      const id = await blockIdOf(block.bytes)
      missing.delete(id)
      asked.get(id)?.abort()
      await arrived.put(block)
    }
  }

  /** Waits until the exchange has brought what it can, but not for long. */
  async #headStart(exchanging: Promise<unknown>): Promise<void> {
    const { clock, limits } = this.#init
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.setTimeout(resolve, limits.blockFetcherDelayMs)
    await Promise.race([exchanging, promise])
    clock.clearTimeout(timer)
  }

  async #fromFetcher(request: Request): Promise<void> {
    const { options, missing } = request
    const ids = [...missing]
    const worker = async (): Promise<void> => {
      for (let id = ids.shift(); id !== undefined && !options.signal.aborted; id = ids.shift()) {
        if (missing.has(id)) await this.#ask(id, request)
      }
    }
    const count = Math.min(ids.length, this.#init.limits.fetchConcurrency)
    await Promise.all(Array.from({ length: count }, worker))
  }

  /** Asks for one block, for as long as a request may take. */
  async #ask(id: BlockId, { options, missing, arrived, asked }: Request): Promise<void> {
    const { clock, limits } = this.#init
    // Twice, because a repair asks beside what is wanted.
    if (this.#underWay.has(id) || this.#underWay.size >= 2 * limits.fetchConcurrency) return
    const controller = new AbortController()
    const from = options.ledBy ?? options.peers[0] ?? ''
    const onAbort = (): void => controller.abort(options.signal.reason)
    const timer = clock.setTimeout(() => controller.abort(), limits.fetchTimeoutMs)
    options.signal.addEventListener('abort', onAbort)
    asked.set(id, controller)
    options.asked?.(from)
    this.counters.requests += 1
    try {
      const bytes = await untilAborted(this.#begin(id, controller.signal), controller.signal)
      this.counters.blocks += 1
      // What is too large is not worth a hash: it is refused like all that is not what was asked for.
      if (bytes.length <= limits.blockBytesMax && (await blockIdOf(bytes)) === id) missing.delete(id)
      await arrived.put({ bytes, from })
    } catch {
      // Whoever wants it asks again; that a single block cannot be had is no error.
      this.counters.failures += 1
    } finally {
      clock.clearTimeout(timer)
      options.signal.removeEventListener('abort', onAbort)
      asked.delete(id)
    }
  }

  async #begin(id: BlockId, signal: AbortSignal): Promise<Uint8Array> {
    this.#underWay.add(id)
    try {
      const bytes: unknown = await this.#init.fetcher.fetch(cidFromBlockId(id), { signal })
      if (!(bytes instanceof Uint8Array)) throw new TypeError('The block fetcher gave no bytes')
      return bytes
    } finally {
      this.#underWay.delete(id)
    }
  }
}
