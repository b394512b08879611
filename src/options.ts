/**
 * Every option and every limit of a store, in one table: default, bounds and unit.
 *
 * Invariant: a number that bounds memory, time, a queue, a message or a retry stands here and nowhere else, and
 * none of them takes part in what a received block means, so that replicas with other options converge.
 */
import { InvalidOptionError } from './errors.ts'

interface LimitSpec {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly unit: 'bytes' | 'ms' | 'count' | 'bytes/s'
}

const limit = (value: number, min: number, max: number, unit: LimitSpec['unit']): LimitSpec => ({
  default: value,
  min,
  max,
  unit
})

const KIB = 1024
const MIB = 1024 * KIB
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/**
 * The table. A name says its unit: `BytesMax`, `Ms`, or a count. Each can be given as an option of
 * `createCrdtDatastore` under the same name.
 */
export const LIMITS = {
  // What this replica writes.
  /** The longest key, in UTF-8. */
  keyBytesMax: limit(8 * KIB, 1, MIB, 'bytes'),
  /** The largest delta that is written; larger batches become several nodes. Bitswap carries 4 MiB at most. */
  deltaBytesMax: limit(MIB, KIB, 3.5 * MIB, 'bytes'),
  /** The most heads that a new node links to, greatest priority first; the others stay heads. */
  linksMax: limit(1024, 1, 65_536, 'count'),
  /** Writes that wait for their commit; more are refused. */
  writeQueueBytesMax: limit(256 * MIB, MIB, 64 * 1024 * MIB, 'bytes'),

  // One commit.
  /** Operations of local writes that share one commit, but for a single batch, which is never divided. */
  commitOperationsMax: limit(4096, 1, MIB, 'count'),
  /** Remote nodes in one commit. Larger commits are faster, smaller ones keep the event loop free. */
  commitNodesMax: limit(256, 1, 65_536, 'count'),
  /** Bytes of remote nodes in one commit, but for a single larger node. */
  commitBytesMax: limit(2 * MIB, KIB, 256 * MIB, 'bytes'),
  /** How often a commit that was journaled is tried again when the datastore fails while it is applied. */
  journalRetriesMax: limit(5, 0, 100, 'count'),

  // Announcing.
  /** The time between two rebroadcasts of heads that nobody else said, give or take 30%. */
  rebroadcastIntervalMs: limit(MINUTE, 10, DAY, 'ms'),
  /** How long new heads wait for others to share their broadcast. */
  broadcastDelayMs: limit(0, 0, MINUTE, 'ms'),
  /** The least time between two broadcasts of new heads, so that those of a busy writer share one. */
  broadcastGapMs: limit(3, 0, MINUTE, 'ms'),
  /** How long a broadcast may take before the next is sent, and before a stop goes on without it. */
  broadcastTimeoutMs: limit(2000, 10, DAY, 'ms'),
  /** How long heads that were learned otherwise than by gossip wait, at most, for somebody else to say them. */
  relayDelayMs: limit(500, 0, MINUTE, 'ms'),
  /** The least time between two broadcasts of all heads for peers that came and can be told in no other way. */
  newcomerGapMs: limit(2000, 10, DAY, 'ms'),
  /** The largest message that is broadcast, inlined blocks included. */
  broadcastBytesMax: limit(64 * KIB, KIB, MIB, 'bytes'),
  /** The largest block that rides inside its announcement; 0 for none. */
  inlineBytesMax: limit(16 * KIB, 0, 512 * KIB, 'bytes'),
  /** New nodes that wait to be announced; beyond it only the heads are. */
  announceBacklogBytesMax: limit(MIB, KIB, 256 * MIB, 'bytes'),
  /** The largest broadcast that is read. go-ds-crdt announces up to 1 MiB. */
  receivedBroadcastBytesMax: limit(MIB + 64 * KIB, KIB, 64 * MIB, 'bytes'),

  // Fetching.
  /** Blocks that are asked for by id at once. */
  fetchConcurrency: limit(64, 1, 4096, 'count'),
  /** Ids in one request. */
  fetchIdsMax: limit(64, 1, 1024, 'count'),
  /** How long a request for blocks may go without one arriving. */
  fetchTimeoutMs: limit(10_000, 10, DAY, 'ms'),
  /** How long peers that speak the sync protocol are asked for a block, at most, before the block fetcher is as well. */
  blockFetcherDelayMs: limit(250, 0, DAY, 'ms'),
  /** How long a stream may go without a block before another peer is asked as well. */
  pullStallMs: limit(1000, 10, DAY, 'ms'),
  /** Streams that are pulled at once, each from another peer. */
  pullConcurrency: limit(4, 1, 64, 'count'),
  /** The pause before the first retry of a block; it doubles, give or take 30%, up to the cap. */
  retryIntervalMs: limit(500, 1, DAY, 'ms'),
  /** The cap of that pause. */
  retryIntervalMsMax: limit(MINUTE, 1, DAY, 'ms'),
  /** How long a branch waits, since its last progress, for an ancestor nobody has, before it is merged without. */
  gapPatienceMs: limit(5 * MINUTE, 10, 30 * DAY, 'ms'),
  /** Heads heard of and not had yet; more are dropped and counted. */
  wantedHeadsMax: limit(10_000, 1, MIB, 'count'),
  /** Peers remembered as having one wanted block. */
  sourcesMax: limit(8, 1, 64, 'count'),
  /** Blocks that wait for their ancestors, and links they wait for, for each peer that announced their head. */
  pendingBlocksPerPeerMax: limit(65_536, 16, 16 * MIB, 'count'),
  /** Their bytes, which are on disk. */
  pendingBytesPerPeerMax: limit(256 * MIB, 64 * KIB, 64 * 1024 * MIB, 'bytes'),
  /** Verified blocks that wait in memory for their commit; beyond it streams are held back. */
  readyBytesMax: limit(8 * MIB, 64 * KIB, 1024 * MIB, 'bytes'),

  // What peers say.
  /** Peers whose last words are remembered. */
  peersMax: limit(1024, 1, MIB, 'count'),
  /** The least time between two reports that one peer claims another state for the same nodes. */
  divergenceIntervalMs: limit(MINUTE, 0, DAY, 'ms'),

  // Watching.
  /** Values of changes that wait for a slow consumer of `watch`; beyond it they are read again when it is ready. */
  watchBufferBytesMax: limit(16 * MIB, 64 * KIB, 64 * 1024 * MIB, 'bytes'),

  // Reading.
  /**
   * Values of keys that were read or written lately, with what it takes to keep them; 0 for none. One of more than
   * 64 KiB, or that takes more than half of it alone, is always read from the datastore.
   */
  readCacheBytesMax: limit(16 * MIB, 0, 64 * 1024 * MIB, 'bytes'),

  // The sync protocol.
  /** The largest block that is taken from a peer or sent to one. */
  blockBytesMax: limit(4.25 * MIB, 64 * KIB, 64 * MIB, 'bytes'),
  /** Blocks are packed into frames of about this size. */
  syncFrameBytes: limit(64 * KIB, KIB, 4 * MIB, 'bytes'),
  /** Heads that a hello tells, greatest priority first. */
  helloHeadsMax: limit(1024, 1, 65_536, 'count'),
  /** Sync streams that one peer may have open here. */
  syncStreamsPerPeerMax: limit(8, 1, 1024, 'count'),
  /** Sync streams that all peers together may have open here. */
  syncStreamsMax: limit(64, 1, 65_536, 'count'),
  /** How long either side of a sync stream waits for the other's next frame, or for it to take one. */
  syncIdleTimeoutMs: limit(10_000, 10, DAY, 'ms'),
  /** The least rate at which a peer must send or take blocks, over any idle timeout; slower ones are dropped. */
  syncBytesPerSecondMin: limit(1024, 0, 1024 * MIB, 'bytes/s'),
  /** Rounds in which two replicas look for common ground before the rest is sent anyway. */
  syncRoundsMax: limit(8, 1, 64, 'count'),
  /** Blocks offered as common ground in one round. */
  syncSamplesMax: limit(64, 2, 1024, 'count'),
  /** How long an answerer may look for what to send before its first block. */
  syncScanTimeoutMs: limit(2 * MINUTE, 10, DAY, 'ms'),
  /** A history of at least so many nodes is taken from several peers at once, where one alone is too slow. */
  syncDivideNodesMin: limit(8192, 16, MIB, 'count'),
  /** Peers that one history is taken from at once; 1 for always one alone. */
  syncLanesMax: limit(4, 1, 64, 'count'),
  /** Blocks that wait in memory because another peer is to send what comes before them. */
  syncAheadBytesMax: limit(8 * MIB, 4 * KIB, 1024 * MIB, 'bytes'),
  /** The largest request that is read from a sync stream, hellos included; also what a hello of ours may take. */
  syncRequestBytesMax: limit(MIB, 64 * KIB, 16 * MIB, 'bytes'),
  /** Peers that are greeted at once. */
  helloConcurrency: limit(8, 1, 1024, 'count'),
  /** The pause before a peer that failed a hello is asked again; it doubles up to the retry cap. */
  helloRetryMs: limit(1000, 10, DAY, 'ms'),
  /** How long gossip may take to reach a peer that subscribed; what came meanwhile is then told by a hello. */
  gossipSettleMs: limit(2500, 10, DAY, 'ms')
} as const satisfies Record<string, LimitSpec>

/** The name of a limit that can be given as an option. */
export type LimitName = keyof typeof LIMITS

/** Every limit with its value. */
export type Limits = { readonly [name in LimitName]: number }

/** The limits when none is given. */
export const defaultLimits: Limits = Object.freeze(
  Object.fromEntries(Object.entries(LIMITS).map(([name, spec]) => [name, spec.default])) as Record<
    LimitName,
    number
  >
)

/** The longest DAG name, in UTF-8 bytes. */
export const DAG_NAME_BYTES_MAX = 255

/** The longest topic that the sync protocol carries, in UTF-8 bytes. */
export const TOPIC_BYTES_MAX = 1024

/**
 * The limits with the given ones in place of their defaults.
 *
 * @throws InvalidOptionError naming the limit and its bounds.
 */
export function resolveLimits(given: Partial<Record<LimitName, number | undefined>>): Limits {
  const limits: Record<string, number> = { ...defaultLimits }
  for (const [name, { min, max, unit }] of Object.entries(LIMITS)) {
    const value = given[name as LimitName]
    if (value === undefined) continue
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidOptionError(name, value, `a whole number from ${min} to ${max} (${unit})`)
    }
    limits[name] = value
  }
  return limits as Limits
}
