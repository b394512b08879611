/**
 * What the engine needs from the world outside: a way to say which heads it has, a way to get blocks, time and
 * chance. Types only.
 *
 * Invariant: the engine reaches network, clock, timers and randomness through these ports and in no other way,
 * so that a simulated world can run it unchanged.
 */
import type { CID } from 'multiformats/cid'
import type { BlockId } from '../crdt/delta.ts'

/** A peer, by whatever name its transport knows it; for libp2p the peer id as text. */
export type PeerName = string

/** Time and timers. A timer must not keep a process alive. */
export interface Clock {
  /** Milliseconds that never go backwards. */
  now(): number
  /** @returns what `clearTimeout` takes. */
  setTimeout(callback: () => void, ms: number): unknown
  /** Does nothing where there is no such timer. */
  clearTimeout(timer: unknown): void
}

/** Uniform in [0, 1). */
export type Random = () => number

/** Says heads to everybody on the topic, and hears what they say. */
export interface Broadcaster {
  /**
   * Begins to deliver what others broadcast, until `stop`.
   *
   * @param receive - must not throw and returns at once.
   */
  start(receive: (message: Uint8Array, from: PeerName) => void): Promise<void>
  /** Nothing is delivered after it. */
  stop(): Promise<void>
  /**
   * Sends one message to whoever listens. It is no error that nobody does. One that takes longer than
   * `broadcastTimeoutMs` counts as failed, and is not waited for.
   *
   * @returns whether anybody may have heard it: what nobody heard counts as not said.
   */
  broadcast(message: Uint8Array): Promise<boolean>
}

/** A block as it came from a peer: nothing about it is verified. */
export interface ReceivedBlock {
  bytes: Uint8Array
  from: PeerName
}

/** One request for whatever a peer has and this replica lacks. */
export interface PullRequest {
  /** Whom to ask. */
  peer: PeerName
  /** The heads that the asker wants to reach. */
  want: readonly BlockId[]
  signal: AbortSignal
}

/** How blocks are asked for by id. */
export interface FetchOptions {
  /** Whom to ask first. */
  peers: readonly PeerName[]
  signal: AbortSignal
  /**
   * To be called whenever a peer is really asked, after any wait for a turn: the time that the engine gives to a request
   * counts from the newest call, and a request that came to its turn never is no attempt that failed. Until the first
   * call, or the end, nothing more that the same peer led to is asked for.
   */
  asked?(peer: PeerName): void
  /** The peer that led to these blocks, to whom they are put down where nobody knows who sent them. */
  ledBy?: PeerName
}

/** Gets blocks from other peers, and answers theirs from a `ReplicaView`. */
export interface BlockExchange {
  /** Begins to serve and to listen for peers, until `stop`. */
  start(replica: ReplicaView): Promise<void>
  /** Ends what is under way: nothing is served and nothing is told after it. */
  stop(): Promise<void>
  /**
   * Blocks by id, in any order, from the peers named first and then from others. Ends when it has them all or
   * can get no more; a block that nobody has is just not among them. One that answers with other bytes than
   * were asked for is the engine's to notice. It has to end when the signal is aborted, because a stop waits for it.
   */
  fetch(ids: readonly BlockId[], options: FetchOptions): AsyncIterable<ReceivedBlock>
  /**
   * The nodes that a peer has and this replica lacks, ancestors first: one request for any number of them.
   * Absent where the exchange can only serve blocks by id.
   */
  pull?(request: PullRequest): AsyncIterable<ReceivedBlock>
  /** Whether this peer can be asked to stream (it speaks the sync protocol for this topic, and is connected). */
  canPull?(peer: PeerName): boolean
  /** Peers that can be asked for blocks now. */
  peers(): PeerName[]
  /**
   * Peers that are here for the same topic and speak no protocol of this exchange, as Go peers do: they hear and say
   * heads, and whatever else there is between them and this replica goes another way. Absent where it cannot tell.
   */
  others?(): PeerName[]
  /**
   * Tells one connected peer to which gossip may be broken, by another way than gossip, what is here and was not told to
   * it yet. Called with every rebroadcast. Absent where there is no such way.
   */
  remind?(): void
}

/**
 * Gets single blocks by another way than the exchange, for peers that do not speak its protocol: Helia's bitswap, which
 * Go peers speak. Asked only for what the exchange did not bring.
 */
export interface BlockFetcher {
  /**
   * The bytes of one block, from whoever has it. They need not be verified.
   *
   * @param options - the signal is aborted when nobody waits for the block any more; one that is asked for and does not
   * end then is not asked for again until it does.
   * @throws whatever it likes if the block cannot be had: it is tried again later.
   */
  fetch(cid: CID, options: { signal: AbortSignal }): Promise<Uint8Array>
}

/** A head as peers tell it to each other. */
export interface HeadClaim {
  id: BlockId
  dagName: string
}

/** What a replica tells a peer of itself, as of one commit. */
export interface ReplicaSnapshot {
  /** Greatest priority first, because a hello may have no room for all. */
  heads: HeadClaim[]
  /** The digest of the alive elements, 32 bytes. */
  digest: Uint8Array
  /** The sequence number of the newest commit's last node; 0 for an empty store. */
  sequence: number
  /** Changes at every start, because sequence numbers mean something within one only. */
  generation: string
  gaps: number
  deferred: number
  ignoredDags: string[]
}

/** What a peer told of itself. */
export interface PeerClaim extends Omit<ReplicaSnapshot, 'digest'> {
  /** Absent if the peer computes it otherwise than this version does, so that the two cannot be compared. */
  digest?: Uint8Array
  /** Heads that its hello had no room for. */
  headsLeftOut?: number
}

/** The replica as its exchange sees it: what it may serve, and where what arrives goes. */
export interface ReplicaView {
  /** What it says of itself now. */
  snapshot(): ReplicaSnapshot
  /** A block that was applied for this topic, and none other. */
  appliedBlock(id: BlockId): Promise<Uint8Array | undefined>
  /** The sequence number under which a node was applied. */
  sequenceOf(id: BlockId): Promise<number | undefined>
  /** Applied nodes in the order of their commits, from a sequence number to another, both included. */
  readLog(from: number, to: number): AsyncIterable<LogEntry>
  /** The same, newest first. */
  readLogBackwards(from: number, to: number): AsyncIterable<LogEntry>
  /** Below this sequence number no node has a gap beneath it, so that it may be offered as common ground. */
  commonGroundLimit(): number
  /** A peer said what it has: heads not known are fetched, from it first. */
  peerClaims(peer: PeerName, claim: PeerClaim): void
  /** A peer is on the topic that can only hear and say heads: it is told ours soon, and may have what nobody had. */
  peerCame(peer: PeerName): void
  /** A peer is gone: nothing more is asked of it. */
  peerLeft(peer: PeerName): void
}

/** One applied node, as the log of commits holds it. */
export interface LogEntry {
  sequence: number
  id: BlockId
  bytes: Uint8Array
}

/** A logger of libp2p's kind; `%p`, `%c` and `%e` are formatted by it. */
export interface Logger {
  (format: unknown, ...args: unknown[]): void
  /** For what somebody should look at. */
  error(format: unknown, ...args: unknown[]): void
  /** For what happens all the time. */
  trace(format: unknown, ...args: unknown[]): void
}

/** libp2p's `ComponentLogger`. */
export interface ComponentLogger {
  /** The logger of one part of a program. */
  forComponent(name: string): Logger
}
