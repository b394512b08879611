/**
 * The composition root: checks what is given, and joins datastore, network and replica into a store.
 *
 * Invariants: every option that cannot be is refused by name before anything runs; an option that nobody knows is
 * refused too, since it is a misspelt one; a store that fails to start leaves nothing running.
 */
import type { Datastore, Key } from 'interface-datastore'
import { canonicalKey } from './codec/key.ts'
import { type DeltaCodec, NodeCodec } from './codec/node.ts'
import { type Blockstore, blockSourceOver } from './dag/blockstore.ts'
import { TwoWays } from './dag/two-ways.ts'
import { CrdtDatastore } from './datastore.ts'
import { InvalidOptionError, NamespaceInUseError } from './errors.ts'
import { gossipsubBroadcaster } from './libp2p/gossipsub-broadcaster.ts'
import { syncExchange } from './libp2p/sync/exchange.ts'
import { systemClock } from './libp2p/system-clock.ts'
import type { Libp2pLike } from './libp2p/types.ts'
import type { OpenReplica } from './lifecycle.ts'
import { exposeStats } from './metrics.ts'
import { LIMITS, type LimitName, type Limits, resolveLimits } from './options.ts'
import type { ReplicaListener } from './replica/listener.ts'
import type {
  BlockExchange,
  BlockFetcher,
  Broadcaster,
  Clock,
  ComponentLogger,
  Logger,
  PeerName,
  Random
} from './replica/ports.ts'
import { Replica } from './replica/replica.ts'
import { type NetworkStats, type Stats, statsOf } from './stats.ts'
import { Layout } from './storage/keys.ts'
import type { BlockSource } from './storage/log-store.ts'
import { type Durability, ensureReadable, type RowStore, rowStoreOver } from './storage/row-store.ts'

/** Options of `createCrdtDatastore`. Beside these, every limit of `LIMITS` can be given under its name. */
export interface CrdtDatastoreInit extends Partial<Record<LimitName, number>> {
  /**
   * Where everything is kept: any interface-datastore. It may be given unopened, and is closed by the caller, after
   * the store.
   */
  datastore: Datastore
  /**
   * The prefix of the store's rows in the datastore.
   *
   * @default '/crdt'
   */
  namespace?: string
  /**
   * The gossipsub topic that the replicas share; needed with `libp2p`, `broadcaster` or `exchange`. The store
   * remembers it and refuses to be opened under another.
   */
  topic?: string
  /** A node of libp2p 2 or 3 with a gossipsub in `services.pubsub`. Without one the store is offline. */
  libp2p?: Libp2pLike
  /** Says and hears heads, in place of the one over `libp2p`. */
  broadcaster?: Broadcaster
  /** Gets and serves blocks, in place of the one over `libp2p`. */
  exchange?: BlockExchange
  /**
   * Where blocks are kept, such as Helia's. They must be kept from its garbage collector.
   *
   * @default in the datastore, in the batch of their commit
   */
  blockstore?: Blockstore
  /**
   * Gets blocks that no peer of the sync protocol has, one by one, from peers that do not speak it, such as Go peers.
   * `overHelia` of `datastore-crdt/helia` makes one of Helia's bitswap. Needs `libp2p` or `exchange`.
   */
  blockFetcher?: BlockFetcher
  /**
   * Whether a peer is listened to, served and asked; its name is its peer id as text.
   *
   * @default every peer
   */
  allowPeer?: (peer: PeerName) => boolean
  /**
   * Whether the datastore's `batch()` is all or nothing. If not, commits go by way of a journal row.
   *
   * @default true for datastore-level and datastore-idb, false for all others
   */
  atomicBatch?: boolean
  /**
   * What an acknowledged write survives: a crash of the process, or with `'fsync'` of the machine as well
   * (datastore-level only).
   *
   * @default 'process'
   */
  durability?: Durability
  /**
   * Whether writes that wait together may share a delta.
   *
   * @default true
   */
  coalesce?: boolean
  /**
   * Whether the store is started before it is returned.
   *
   * @default true
   */
  start?: boolean
  /**
   * How deltas become bytes and bytes deltas, for swarms whose Go peers set a `DeltaFactory`. All replicas of a topic
   * need the same; the limits on deltas count as if it were the default.
   *
   * @default go-ds-crdt's own protobuf message
   */
  deltaCodec?: DeltaCodec
  /**
   * Called after a commit for each key that has another value, as go-ds-crdt's `PutHook`. For those who port code;
   * `watch` and the `change` event tell more. Must not throw; what it throws is counted and logged.
   */
  putHook?: (key: Key, value: Uint8Array) => void
  /** Called after a commit for each key that is gone, as go-ds-crdt's `DeleteHook`. */
  deleteHook?: (key: Key) => void
  /**
   * Where it logs, under names that begin with `datastore-crdt`.
   *
   * @default the node's own, or none
   */
  logger?: ComponentLogger
  /** Time and timers; for tests. */
  clock?: Clock
  /** Uniform in [0, 1); for tests. */
  random?: Random
}

/** The options that are no limits, with what they must be. */
const OPTIONS: {
  [name in Exclude<keyof CrdtDatastoreInit, LimitName>]-?: [(value: never) => boolean, string]
} = {
  datastore: [has('get', 'put', 'delete', 'query', 'batch'), 'an interface-datastore'],
  namespace: [
    (value: unknown) => typeof value === 'string' && canonicalKey(value) === value,
    'a canonical key such as /crdt'
  ],
  topic: [(value: unknown) => typeof value === 'string' && value !== '', 'a text that is not empty'],
  libp2p: [has('handle', 'register', 'getConnections'), 'a libp2p node'],
  broadcaster: [has('start', 'stop', 'broadcast'), 'a Broadcaster'],
  exchange: [has('start', 'stop', 'fetch', 'peers'), 'a BlockExchange'],
  blockstore: [has('get', 'put'), 'an interface-blockstore'],
  blockFetcher: [has('fetch'), 'a BlockFetcher'],
  allowPeer: [isFunction, 'a function from a peer to true or false'],
  atomicBatch: [isBoolean, 'true or false'],
  durability: [(value: unknown) => value === 'process' || value === 'fsync', "'process' or 'fsync'"],
  coalesce: [isBoolean, 'true or false'],
  start: [isBoolean, 'true or false'],
  deltaCodec: [has('encode', 'decode'), 'a DeltaCodec'],
  putHook: [isFunction, 'a function'],
  deleteHook: [isFunction, 'a function'],
  logger: [has('forComponent'), "a ComponentLogger, such as libp2p's"],
  clock: [has('now', 'setTimeout', 'clearTimeout'), 'a Clock'],
  random: [isFunction, 'a function that gives numbers from 0 to 1']
}

/**
 * Makes a replicated datastore, and starts it unless `start` is false.
 *
 * @throws InvalidOptionError naming the option, and what `CrdtDatastore.start` throws.
 */
export async function createCrdtDatastore(init: CrdtDatastoreInit): Promise<CrdtDatastore> {
  checkOptions(init)
  const {
    datastore,
    namespace = '/crdt',
    durability = 'process',
    atomicBatch,
    logger = init.libp2p?.logger
  } = init
  const limits = resolveLimits(init)
  const log = logger?.forComponent('datastore-crdt') ?? silent
  const rows = rowStoreOver(datastore, { atomicBatch, durability })
  const layout = new Layout(namespace)
  const blocks = init.blockstore === undefined ? undefined : blockSourceOver(init.blockstore)
  const codec = new NodeCodec(init.deltaCodec)
  const { putHook, deleteHook, topic, clock = systemClock } = init
  const parts = { rows, layout, blocks, codec, limits, clock }
  const store = new CrdtDatastore({
    ...{ limits, clock, logger: log, putHook, deleteHook, topic },
    checkContext: (signal) => ({ ...parts, signal }),
    whileStopped: async (task) => {
      const release = claimNamespace(datastore, namespace)
      try {
        await ensureReadable(datastore, rows, layout.meta)
        return await task()
      } finally {
        release()
      }
    },
    open: async (listener) => {
      const release = claimNamespace(datastore, namespace)
      try {
        return await openReplica(init, { ...parts, log, listener, release })
      } catch (error) {
        release()
        throw error
      }
    }
  })
  if (init.start !== false) await store.start()
  return store
}

interface OpenInit {
  rows: RowStore
  limits: Limits
  layout: Layout
  blocks: BlockSource | undefined
  codec: NodeCodec
  clock: Clock
  log: Logger
  listener: ReplicaListener
  release(): void
}

async function openReplica(init: CrdtDatastoreInit, open: OpenInit): Promise<OpenReplica> {
  const { rows, layout, blocks, codec, limits, clock, log, listener, release } = open
  const { datastore, coalesce = true, random = Math.random, topic } = init
  await ensureReadable(datastore, rows, layout.meta)
  const { broadcaster, exchange, stats } = networkOf(init, limits, clock, random)
  const replica = await Replica.start({
    ...{ rows, layout, limits, topic, coalesce, clock, random, listener, broadcaster, exchange },
    ...{ blocks, codec, logger: log }
  })
  const allStats = (): Stats => statsOf(replica, stats())
  const { metrics } = init.libp2p ?? {}
  const hide = metrics === undefined || topic === undefined ? () => {} : exposeStats(metrics, topic, allStats)
  return {
    replica,
    stats: allStats,
    flush: () => rows.flush(layout.meta),
    stop: async () => {
      hide()
      try {
        await replica.stop()
      } finally {
        release()
      }
    }
  }
}

interface Network {
  broadcaster?: Broadcaster | undefined
  exchange?: BlockExchange | undefined
  stats(): NetworkStats
}

function networkOf(init: CrdtDatastoreInit, limits: Limits, clock: Clock, random: Random): Network {
  const { libp2p, topic, allowPeer, logger = libp2p?.logger } = init
  if (libp2p === undefined || topic === undefined) {
    const ways = bothWays(init.exchange, init.blockFetcher, limits, clock)
    return { broadcaster: init.broadcaster, exchange: ways.exchange, stats: () => ways.stats() }
  }
  const components = { libp2p, ...(logger === undefined ? {} : { logger }) }
  const shared = { topic, ...(allowPeer === undefined ? {} : { allowPeer }) }
  const { receivedBroadcastBytesMax } = limits
  // What is given in place of one of the two needs nothing of the node that this one would need.
  const gossip =
    init.broadcaster === undefined
      ? gossipsubBroadcaster(components, { ...shared, receivedBroadcastBytesMax })
      : undefined
  const sync =
    init.exchange === undefined
      ? syncExchange({ ...components, clock, random }, { ...shared, limits })
      : undefined
  const ways = bothWays(init.exchange ?? sync, init.blockFetcher, limits, clock)
  return {
    broadcaster: init.broadcaster ?? gossip,
    exchange: ways.exchange,
    stats: () => ({
      ...ways.stats(),
      ...(gossip === undefined ? {} : { broadcast: { ...gossip.counters } }),
      ...(sync === undefined ? {} : { sync: { ...sync.counters } })
    })
  }
}

/** The exchange, and where a block fetcher is given the two as one. */
function bothWays(
  exchange: BlockExchange | undefined,
  fetcher: BlockFetcher | undefined,
  limits: Limits,
  clock: Clock
): Pick<Network, 'exchange' | 'stats'> {
  if (exchange === undefined || fetcher === undefined) return { exchange, stats: () => ({}) }
  const ways = new TwoWays({ exchange, fetcher, clock, limits })
  return { exchange: ways, stats: () => ({ blockFetcher: { ...ways.counters } }) }
}

function checkOptions(init: CrdtDatastoreInit): void {
  for (const [name, value] of Object.entries(init)) {
    if (Object.hasOwn(LIMITS, name) || value === undefined) continue
    const option = OPTIONS[name as keyof typeof OPTIONS] as [(value: unknown) => boolean, string]
    if (!Object.hasOwn(OPTIONS, name))
      throw new InvalidOptionError(name, value, 'left out: there is no such option')
    const [isValid, expected] = option
    if (!isValid(value)) throw new InvalidOptionError(name, value, expected)
  }
  if (init.datastore === undefined)
    throw new InvalidOptionError('datastore', undefined, 'an interface-datastore')
  const networked = init.libp2p ?? init.broadcaster ?? init.exchange
  if (networked !== undefined && init.topic === undefined) {
    throw new InvalidOptionError('topic', undefined, 'given where the store replicates')
  }
  if (init.blockFetcher !== undefined && init.libp2p === undefined && init.exchange === undefined) {
    throw new InvalidOptionError('blockFetcher', init.blockFetcher, 'given together with libp2p or exchange')
  }
}

function has(...methods: string[]): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

const namespacesInUse = new WeakMap<Datastore, Set<string>>()

/** Two stores over the same rows would undo each other's commits. */
function claimNamespace(datastore: Datastore, namespace: string): () => void {
  const claimed = namespacesInUse.get(datastore) ?? new Set()
  for (const other of claimed) {
    if (`${other}/`.startsWith(`${namespace}/`) || `${namespace}/`.startsWith(`${other}/`)) {
      throw new NamespaceInUseError(namespace, other)
    }
  }
  claimed.add(namespace)
  namespacesInUse.set(datastore, claimed)
  return () => void claimed.delete(namespace)
}

const silent: Logger = Object.assign(() => {}, { error: () => {}, trace: () => {} })
