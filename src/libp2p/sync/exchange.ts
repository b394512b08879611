/**
 * The sync protocol as a `BlockExchange`: serves the blocks of one store to its peers, and gets theirs.
 *
 * Invariants: a peer that is not allowed is neither served nor asked; each request ends, in success or in a
 * `SyncError`, whatever the peer does; after `stop` nothing of it runs.
 */
import type { BlockId } from '../../crdt/delta.ts'
import { InvalidOptionError } from '../../errors.ts'
import { type LimitName, type Limits, resolveLimits, TOPIC_BYTES_MAX } from '../../options.ts'
import type {
  BlockExchange,
  Clock,
  ComponentLogger,
  FetchOptions,
  PeerClaim,
  PeerName,
  PullRequest,
  Random,
  ReceivedBlock,
  ReplicaView
} from '../../replica/ports.ts'
import { systemClock } from '../system-clock.ts'
import { type EventLike, type Libp2pLike, pubsubOf, type SubscriptionChangeLike } from '../types.ts'
import { Asker } from './asker.ts'
import { Bystanders, speaksSync } from './bystanders.ts'
import { newCounters, type SyncCounters } from './counters.ts'
import { Greeter } from './greeter.ts'
import { type Hello, Refusal_Reason } from './messages_pb.ts'
import { PeerLog } from './peer-log.ts'
import { claimOf } from './protocol.ts'
import { Reminder } from './reminder.ts'
import { refuse, SyncRouter, type TopicService } from './router.ts'
import { type ServerChannel, SyncServer } from './server.ts'
import { Sessions } from './sessions.ts'
import { SyncError } from './sync-error.ts'

/** What an exchange works with. */
export interface SyncExchangeComponents {
  /** A node of libp2p 2 or 3. With a gossipsub in `services.pubsub` peers are also found by their subscription. */
  libp2p: Libp2pLike
  /** @default real time */
  clock?: Clock
  /** @default Math.random */
  random?: Random
  /** @default the node's own */
  logger?: ComponentLogger
}

/** How it does so. */
export interface SyncExchangeInit {
  /** The topic of the store. Two stores on one node need two topics. */
  topic: string
  /**
   * Whether a peer is served and asked.
   *
   * @default everybody
   */
  allowPeer?: (peer: PeerName) => boolean
  /** Limits that are not to have their defaults. */
  limits?: Partial<Record<LimitName, number | undefined>>
}

/** A `BlockExchange` over the sync protocol. */
export interface SyncExchange extends BlockExchange {
  pull(request: PullRequest): AsyncIterable<ReceivedBlock>
  canPull(peer: PeerName): boolean
  /** What it did so far. Streams whose hello has not come yet count for every store of the node. */
  readonly counters: Readonly<SyncCounters>
}

/**
 * An exchange over the node's connections.
 *
 * @throws InvalidOptionError if the topic is too long, or a limit out of its bounds.
 */
export function syncExchange(components: SyncExchangeComponents, init: SyncExchangeInit): SyncExchange {
  return new LibP2pSyncExchange(components, init)
}

/** What there is only between `start` and `stop`. */
interface Running {
  replica: ReplicaView
  sessions: Sessions
  asker: Asker
  greeter: Greeter
  bystanders: Bystanders
  /** Inbound streams. */
  channels: Set<ServerChannel>
  reminder: Reminder
  tasks: Set<Promise<unknown>>
  stopping: AbortController
}

class LibP2pSyncExchange implements SyncExchange, TopicService {
  readonly topic: string
  readonly limits: Limits
  readonly clock: Clock
  readonly #counters = newCounters()
  readonly #libp2p: Libp2pLike
  readonly #random: Random
  readonly #router: SyncRouter
  readonly #allowPeer: (peer: PeerName) => boolean
  readonly #log: PeerLog
  #running: Running | undefined

  constructor(components: SyncExchangeComponents, { topic, allowPeer, limits }: SyncExchangeInit) {
    if (new TextEncoder().encode(topic).length > TOPIC_BYTES_MAX) {
      throw new InvalidOptionError('topic', topic, `at most ${TOPIC_BYTES_MAX} bytes long in UTF-8`)
    }
    const { libp2p, clock = systemClock, random = Math.random, logger = libp2p.logger } = components
    this.topic = topic
    this.limits = resolveLimits(limits ?? {})
    this.clock = clock
    this.#libp2p = libp2p
    this.#random = random
    this.#router = SyncRouter.of(libp2p, logger)
    this.#allowPeer = allowPeer ?? (() => true)
    this.#log = new PeerLog(logger, 'datastore-crdt:sync')
  }

  get counters(): Readonly<SyncCounters> {
    const sum = { ...this.#counters }
    for (const name of Object.keys(sum) as Array<keyof SyncCounters>) sum[name] += this.#router.counters[name]
    return sum
  }

  async start(replica: ReplicaView): Promise<void> {
    if (this.#running !== undefined) return
    const running = this.#newRun(replica)
    this.#running = running
    try {
      await this.#router.add(this)
    } catch (error) {
      this.#running = undefined
      throw error
    }
    if (this.#running !== running) return
    pubsubOf(this.#libp2p)?.addEventListener('subscription-change', this.#onSubscription)
    // Who is connected already will not be announced, and cannot know that this store has started.
    const connected = new Set(this.#libp2p.getConnections().map(({ remotePeer }) => remotePeer.toString()))
    for (const peer of connected) if (this.#allows(peer)) running.greeter.greetNow(peer)
    running.bystanders.lookAround()
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    pubsubOf(this.#libp2p)?.removeEventListener('subscription-change', this.#onSubscription)
    const error = new SyncError('stopped', 'The exchange was stopped')
    running.stopping.abort(error)
    running.greeter.stop()
    running.reminder.stop()
    running.bystanders.stop()
    const closed = running.sessions.stop()
    for (const channel of running.channels) channel.abort(error)
    await this.#router.remove(this)
    await Promise.allSettled([closed, ...running.tasks])
  }

  peers(): PeerName[] {
    return this.#running?.greeter.greeted().filter((peer) => this.#allows(peer)) ?? []
  }

  others(): PeerName[] {
    return this.#running?.bystanders.list().filter((peer) => this.#allows(peer)) ?? []
  }

  remind(): void {
    this.#running?.reminder.remind()
  }

  canPull(peer: PeerName): boolean {
    return this.#running?.greeter.isGreeted(peer) === true && this.#allows(peer)
  }

  pull(request: PullRequest): AsyncIterable<ReceivedBlock> {
    return this.#asker.pull(request)
  }

  fetch(ids: readonly BlockId[], options: FetchOptions): AsyncGenerator<ReceivedBlock> {
    const peers = [...new Set([...options.peers, ...this.peers()])]
    return this.#asker.fetch(ids, { ...options, peers })
  }

  async accept(channel: ServerChannel, hello: Hello, peer: PeerName): Promise<void> {
    const running = this.#running
    if (running === undefined) return await refuse(channel, Refusal_Reason.UNKNOWN_TOPIC)
    channel.counters = this.#counters
    if (!this.#allows(peer)) {
      this.#counters.refusedPeers++
      return await refuse(channel, Refusal_Reason.NOT_ALLOWED)
    }
    const claim = this.#claimOf(channel, hello)
    const greeted = (): void => this.#onGreeted(running, peer, claim)
    const { topic, limits, clock } = this
    running.reminder.telling(peer)
    const server = new SyncServer({
      channel,
      topic,
      peer,
      claim,
      replica: running.replica,
      limits,
      clock,
      greeted
    })
    running.channels.add(channel)
    this.#counters.streams++
    this.#counters.streamsOpen++
    try {
      await this.#track(running, server.serve())
    } finally {
      running.channels.delete(channel)
      this.#counters.streamsOpen--
    }
  }

  peerConnected(peer: PeerName, direction: 'inbound' | 'outbound'): void {
    const running = this.#running
    if (running === undefined || !this.#allows(peer)) return
    if (running.sessions.isConnectedTwice(peer)) running.reminder.redialled(peer)
    if (direction === 'outbound') running.greeter.greetNow(peer)
    else running.greeter.greetLater(peer)
  }

  peerDisconnected(peer: PeerName): void {
    const running = this.#running
    // It may have a new connection already.
    if (running === undefined || running.sessions.isConnected(peer)) return
    running.reminder.left(peer)
    running.greeter.left(peer)
    running.bystanders.remove(peer)
    running.sessions.left(peer)
    running.replica.peerLeft(peer)
  }

  get #asker(): Asker {
    if (this.#running === undefined) throw new SyncError('stopped', 'The exchange is not started')
    return this.#running.asker
  }

  #newRun(replica: ReplicaView): Running {
    const { topic, limits, clock } = this
    const counters = this.#counters
    const log = this.#log
    const sessions = new Sessions({ libp2p: this.#libp2p, topic, limits, clock, counters, replica })
    const greet = (peer: PeerName): Promise<void> => this.#track(running, this.#greet(running, peer))
    const failed = (peer: PeerName, error: unknown): void => {
      counters.helloFailures++
      log.trace('could not greet %p - %e', peer, error)
      if (error instanceof SyncError && error.reason === 'unsupported') bystanders.doesNotSpeak(peer)
    }
    const greeter = new Greeter({
      limits,
      clock,
      random: this.#random,
      greet,
      failed
    })
    const reminder = new Reminder({
      limits,
      clock,
      random: this.#random,
      sequence: () => replica.snapshot().sequence,
      isConnected: (peer) => sessions.isConnected(peer),
      allows: (peer) => this.#allows(peer),
      greet,
      failed
    })
    const bystanders = new Bystanders({
      ...{ libp2p: this.#libp2p, topic },
      came: (peer) => {
        if (this.#running === running && this.#allows(peer)) replica.peerCame(peer)
      }
    })
    const asker = new Asker({
      sessions,
      greeter,
      limits,
      counters,
      log,
      clock,
      replica,
      allows: (peer) => this.#allows(peer),
      greeted: (peer, claim) => this.#onGreeted(running, peer, claim)
    })
    const stopping = new AbortController()
    const running: Running = {
      replica,
      sessions,
      greeter,
      bystanders,
      asker,
      channels: new Set(),
      reminder,
      tasks: new Set(),
      stopping
    }
    return running
  }

  readonly #onSubscription = ({ detail }: EventLike<SubscriptionChangeLike>): void => {
    const running = this.#running
    const change = detail.subscriptions.find(({ topic }) => topic === this.topic)
    if (change === undefined || running === undefined) return
    const peer = detail.peerId.toString()
    if (!change.subscribe) {
      running.bystanders.remove(peer)
      return
    }
    running.bystanders.joined(peer)
    if (!running.sessions.isConnected(peer) || !this.#allows(peer)) return
    running.greeter.greetLater(peer)
    running.reminder.subscribed(peer)
  }

  async #greet(running: Running, peer: PeerName): Promise<void> {
    await this.#assertSpeaks(peer)
    running.sessions.renew(peer)
    running.reminder.telling(peer)
    const lease = await running.sessions.lease(peer, { signal: running.stopping.signal })
    lease.done()
    // After the session was given back, so that what follows from the claim can use it.
    this.#onGreeted(running, peer, lease.session.claim)
  }

  /** Does not open a stream to a peer that is known not to speak the protocol. */
  async #assertSpeaks(peer: PeerName): Promise<void> {
    if ((await speaksSync(this.#libp2p, peer)) === false) {
      throw new SyncError('unsupported', 'The peer does not speak the sync protocol', { peer })
    }
  }

  /** Hellos have been said, whoever began. */
  #onGreeted(running: Running, peer: PeerName, claim: PeerClaim): void {
    if (this.#running !== running) return
    this.#counters.hellos++
    if (running.sessions.isConnected(peer)) running.greeter.heard(peer, claim)
    running.bystanders.remove(peer)
    try {
      running.replica.peerClaims(peer, claim)
    } catch (error) {
      this.#log.error('a claim of %p could not be used - %e', peer, error)
    }
  }

  #claimOf(channel: ServerChannel, hello: Hello): PeerClaim {
    try {
      return claimOf(hello, this.limits)
    } catch (error) {
      throw channel.fail(error)
    }
  }

  #allows(peer: PeerName): boolean {
    try {
      return this.#allowPeer(peer)
    } catch (error) {
      this.#log.error('allowPeer threw for %p - %e', peer, error)
      return false
    }
  }

  /** Remembers work that `stop` waits for. */
  async #track<T>(running: Running, work: Promise<T>): Promise<T> {
    running.tasks.add(work)
    try {
      return await work
    } finally {
      running.tasks.delete(work)
    }
  }
}
