/**
 * The requests for blocks by id: which wants go together, whom they are asked of first, and when one is given up.
 *
 * Invariants: the ids under way are bounded, and no owner has more than its share of them; a request is for the wants
 * of one owner; while it waits for its turn, what else that owner led to waits with it and goes as one after it, so
 * that many small requests never queue for one stream; a request that never came to its turn has failed nobody.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { BlockExchange, Clock, PeerName, ReceivedBlock } from '../replica/ports.ts'
import { FairQueue } from './fair-queue.ts'
import type { Want } from './wants.ts'

export interface RequestsInit {
  exchange: BlockExchange
  clock: Clock
  limits: Limits
  deliver(block: ReceivedBlock, expected: ReadonlySet<BlockId>): Promise<boolean>
}

/** What a request is about, for whoever waits for its wants. */
export interface RequestEvents {
  /** Whether this is wanted still. */
  isWanted(want: Want): boolean
  /** There is room for others. */
  freed(): void
  /** It did not come. */
  failed(want: Want, wasAsked: boolean): void
}

interface Request {
  readonly owner: PeerName
  readonly ids: ReadonlySet<BlockId>
  /** What has not arrived. */
  readonly wants: Set<Want>
  readonly controller: AbortController
  /** Nobody has been asked yet. */
  isWaiting: boolean
  timer: unknown
}

export class Requests {
  readonly #init: RequestsInit
  readonly #events: RequestEvents
  readonly #queue: FairQueue<Want>
  readonly #open = new Set<Request>()
  /** Owners one of whose requests waits for its turn. */
  readonly #waiting = new Set<PeerName>()
  #idsUnderWay = 0

  constructor(init: RequestsInit, events: RequestEvents) {
    this.#init = init
    this.#events = events
    this.#queue = new FairQueue(Math.ceil(init.limits.fetchConcurrency / 2))
  }

  add(want: Want): void {
    this.#queue.add(want)
  }

  delete(want: Want): void {
    this.#queue.delete(want)
  }

  /** The wants that are to be asked for next, in one request; none if there is nothing, or no room. */
  next(): Want[] {
    const { fetchConcurrency, fetchIdsMax } = this.#init.limits
    const count = Math.min(fetchIdsMax, fetchConcurrency - this.#idsUnderWay)
    const wants = this.#queue.take(count, (owner) => !this.#waiting.has(owner))
    const [first] = wants
    if (first !== undefined) this.#waiting.add(first.owner)
    this.#idsUnderWay += wants.length
    return wants
  }

  /** Asks for what `next` gave. */
  async run(wants: readonly Want[]): Promise<void> {
    const { exchange, clock, deliver } = this.#init
    const { isWanted, failed } = this.#events
    const hadPeers = exchange.peers().length > 0
    const peers = this.#peersFor(wants)
    const request = this.#begin(wants)
    const { ids, controller } = request
    try {
      const asked = (): void => this.#asked(request)
      const options = { peers, signal: controller.signal, asked, ledBy: request.owner }
      for await (const block of exchange.fetch([...ids], options)) {
        this.#asked(request)
        clock.clearTimeout(request.timer)
        await deliver(block, ids)
        // What has arrived makes room at once, however long the rest of the answer takes.
        for (const want of request.wants) if (!isWanted(want)) this.#landed(want, request)
        this.#restartTimeout(request)
      }
    } catch {
      // Whatever did not arrive is tried again; why it failed is the exchange's to report.
    }
    clock.clearTimeout(request.timer)
    this.#open.delete(request)
    // One that ended by itself has asked whom it could, whether it says so or not.
    const wasAsked = hadPeers && !(request.isWaiting && controller.signal.aborted)
    this.#stopWaiting(request)
    for (const want of request.wants) {
      this.#landed(want, request)
      if (isWanted(want)) failed(want, wasAsked)
    }
  }

  stop(): void {
    for (const { controller } of this.#open) controller.abort()
  }

  #begin(wants: readonly Want[]): Request {
    const [owner = ''] = wants.map((want) => want.owner)
    const ids = new Set(wants.map(({ id }) => id))
    const controller = new AbortController()
    const request: Request = {
      ...{ owner, ids, controller, wants: new Set(wants) },
      ...{ isWaiting: true, timer: undefined }
    }
    this.#open.add(request)
    this.#restartTimeout(request)
    return request
  }

  #restartTimeout(request: Request): void {
    const { clock, limits } = this.#init
    clock.clearTimeout(request.timer)
    request.timer = clock.setTimeout(() => request.controller.abort(), limits.fetchTimeoutMs)
  }

  /** Its time counts from here: what it waited before was no peer's doing. */
  #asked(request: Request): void {
    if (request.controller.signal.aborted || !this.#open.has(request)) return
    this.#restartTimeout(request)
    this.#stopWaiting(request)
  }

  #stopWaiting(request: Request): void {
    if (!request.isWaiting) return
    request.isWaiting = false
    this.#waiting.delete(request.owner)
    this.#events.freed()
  }

  #landed(want: Want, { wants }: Request): void {
    wants.delete(want)
    this.#idsUnderWay -= 1
    this.#queue.done(want)
    this.#events.freed()
  }

  /** Whom to ask first: those who said that they have it, and after a failure each time another peer. */
  #peersFor(wants: readonly Want[]): PeerName[] {
    const sources = wants.flatMap((want) => [...want.sources])
    const failures = Math.max(...wants.map((want) => want.failures))
    if (failures === 0) return [...new Set(sources)]
    const peers = [...new Set([...sources, ...this.#init.exchange.peers()])]
    const first = failures % Math.max(1, peers.length)
    return [...peers.slice(first), ...peers.slice(0, first)]
  }
}
