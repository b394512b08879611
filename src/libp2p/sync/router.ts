/**
 * One router for each libp2p node: it hands every inbound stream to the store whose topic its hello names, and tells
 * all stores of the node which peers come and go.
 *
 * Invariants: the protocol is registered while at least one store runs and not a moment longer; the streams that are
 * open, those that have not said their topic included, are capped for each peer and in total, by the largest limits
 * of the stores; nothing that a stream does throws out of here.
 */
import { create } from '@bufbuild/protobuf'
import { InvalidOptionError } from '../../errors.ts'
import type { Limits } from '../../options.ts'
import type { Clock, ComponentLogger, PeerName } from '../../replica/ports.ts'
import type { ConnectionLike, EventLike, Libp2pLike, PeerIdLike } from '../types.ts'
import { Channel } from './channel.ts'
import { newCounters, type SyncCounters } from './counters.ts'
import { type Hello, Refusal_Reason, RefusalSchema, RequestSchema, ResponseSchema } from './messages_pb.ts'
import { PeerLog } from './peer-log.ts'
import { response, SYNC_PROTOCOL } from './protocol.ts'
import type { ServerChannel } from './server.ts'
import { SyncError } from './sync-error.ts'

/** A store, as its node's router knows it. */
export interface TopicService {
  readonly topic: string
  readonly limits: Limits
  readonly clock: Clock
  /** Serves a stream to its end. It may reject, when the stream broke. */
  accept(channel: ServerChannel, hello: Hello, peer: PeerName): Promise<void>
  /** A peer that speaks the protocol is connected; over an outbound connection it is for us to greet it. */
  peerConnected(peer: PeerName, direction: 'inbound' | 'outbound'): void
  /** The last connection to a peer is closed. */
  peerDisconnected(peer: PeerName): void
}

const routers = new WeakMap<Libp2pLike, SyncRouter>()

export class SyncRouter {
  /** What streams did before they were any store's. */
  readonly counters: SyncCounters = newCounters()
  readonly #libp2p: Libp2pLike
  readonly #log: PeerLog
  readonly #services = new Map<string, TopicService>()
  /** Streams from the first byte on, and those that are being refused. */
  readonly #channels = new Map<ServerChannel, PeerName>()
  readonly #tasks = new Set<Promise<void>>()
  #topology: string | undefined
  /** Registering and unregistering take time, and must not overtake each other. */
  #turn: Promise<unknown> = Promise.resolve()

  /** The router of a node. */
  static of(libp2p: Libp2pLike, logger?: ComponentLogger): SyncRouter {
    let router = routers.get(libp2p)
    if (router === undefined) {
      router = new SyncRouter(libp2p, logger)
      routers.set(libp2p, router)
    }
    return router
  }

  private constructor(libp2p: Libp2pLike, logger: ComponentLogger | undefined) {
    this.#libp2p = libp2p
    this.#log = new PeerLog(logger, 'datastore-crdt:sync:router')
  }

  /**
   * Begins to hand streams to a store.
   *
   * @throws InvalidOptionError if another store of this node has the topic.
   */
  async add(service: TopicService): Promise<void> {
    if (this.#services.has(service.topic)) {
      throw new InvalidOptionError('topic', service.topic, 'one that no other store on this libp2p node has')
    }
    this.#services.set(service.topic, service)
    try {
      await this.#inTurn(() => this.#register())
    } catch (error) {
      this.#services.delete(service.topic)
      throw error
    }
  }

  /** Ends it. Streams that the store has accepted are the store's to end. */
  async remove(service: TopicService): Promise<void> {
    if (this.#services.get(service.topic) !== service) return
    this.#services.delete(service.topic)
    await this.#inTurn(() => this.#unregister())
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }

  async #register(): Promise<void> {
    if (this.#topology !== undefined || this.#services.size === 0) return
    // Above the caps, so that a stream too many gets an answer.
    const { perPeer } = this.#caps()
    const options = { maxInboundStreams: 2 * perPeer, maxOutboundStreams: 2 * perPeer }
    await this.#libp2p.handle(SYNC_PROTOCOL, this.#onStream, options)
    this.#libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#topology = await this.#libp2p.register(SYNC_PROTOCOL, {
      onConnect: (peerId, { direction }) => {
        for (const service of this.#services.values()) service.peerConnected(peerId.toString(), direction)
      }
    })
  }

  async #unregister(): Promise<void> {
    if (this.#topology === undefined || this.#services.size > 0) return
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    this.#libp2p.unregister(this.#topology)
    this.#topology = undefined
    await this.#libp2p.unhandle(SYNC_PROTOCOL)
    const error = new SyncError('stopped', 'The last store of this node was stopped')
    for (const channel of this.#channels.keys()) channel.abort(error)
    await Promise.allSettled(this.#tasks)
  }

  /** The event comes at once and always; a topology hears of it only if the peer was identified. */
  readonly #onDisconnect = ({ detail }: EventLike<PeerIdLike>): void => {
    const peer = detail.toString()
    for (const service of this.#services.values()) service.peerDisconnected(peer)
  }

  /** libp2p 2 gives one argument, libp2p 3 two. */
  readonly #onStream = (first: object, second?: ConnectionLike): void => {
    const { stream, connection } =
      second === undefined
        ? (first as { stream: object; connection: ConnectionLike })
        : { stream: first, connection: second }
    // What rejects here was no stream of either version.
    const task = this.#serve(stream, connection.remotePeer.toString()).catch(() => abortStream(stream))
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }

  async #serve(stream: object, peer: PeerName): Promise<void> {
    const [service] = this.#services.values()
    if (service === undefined) return abortStream(stream)
    const { perPeer, total, requestBytesMax } = this.#caps()
    const ofPeer = [...this.#channels.values()].filter((other) => other === peer).length
    // Refusing takes a stream too, so there is an end to politeness.
    if (ofPeer >= 2 * perPeer || this.#channels.size >= 2 * total) {
      this.counters.refusedStreams++
      return abortStream(stream)
    }
    const channel = new Channel({
      stream,
      input: RequestSchema,
      output: ResponseSchema,
      frameBytesMax: requestBytesMax,
      pace: {
        windowMs: service.limits.syncIdleTimeoutMs,
        bytesPerSecondMin: service.limits.syncBytesPerSecondMin
      },
      clock: service.clock,
      counters: this.counters
    })
    this.#channels.set(channel, peer)
    try {
      if (ofPeer >= perPeer || this.#channels.size > total) {
        this.counters.refusedStreams++
        await refuse(channel, Refusal_Reason.BUSY)
      } else await this.#dispatch(channel, peer)
    } catch (error) {
      this.#onBroken(channel, peer, error)
    } finally {
      this.#channels.delete(channel)
    }
  }

  async #dispatch(channel: ServerChannel, peer: PeerName): Promise<void> {
    const message = await channel.read()
    if (message === undefined) return await channel.finish()
    const { body } = message
    if (body.case !== 'hello')
      throw channel.invalid(`A hello comes first, and not ${body.case ?? 'nothing known'}`)
    const service = this.#services.get(body.value.topic)
    if (service === undefined) await refuse(channel, Refusal_Reason.UNKNOWN_TOPIC)
    else if (body.value.version === 0) await refuse(channel, Refusal_Reason.VERSION)
    else await service.accept(channel, body.value, peer)
  }

  #onBroken(channel: ServerChannel, peer: PeerName, error: unknown): void {
    channel.fail(error)
    if (!(error instanceof SyncError) || error.reason === 'stopped') return
    channel.counters.droppedStreams++
    this.#log.once(peer, error)
  }

  #caps(): { perPeer: number; total: number; requestBytesMax: number } {
    const caps = { perPeer: 0, total: 0, requestBytesMax: 0 }
    for (const { limits } of this.#services.values()) {
      caps.perPeer = Math.max(caps.perPeer, limits.syncStreamsPerPeerMax)
      caps.total = Math.max(caps.total, limits.syncStreamsMax)
      caps.requestBytesMax = Math.max(caps.requestBytesMax, limits.syncRequestBytesMax)
    }
    return caps
  }
}

/** Says why a stream is not served, and closes it. */
export async function refuse(channel: ServerChannel, reason: Refusal_Reason): Promise<void> {
  await channel.write(response({ case: 'refusal', value: create(RefusalSchema, { reason }) }))
  await channel.finish()
}

function abortStream(stream: object): void {
  const { abort } = stream as { abort?: unknown }
  const error = new SyncError('busy', 'Too many streams')
  if (typeof abort === 'function') abort.call(stream, error)
}
