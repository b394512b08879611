/**
 * What the suite can ask of a peer in a process of its own. Types only.
 *
 * All times are nanoseconds of `process.hrtime.bigint()`. It is a monotonic clock that all processes of a machine
 * share (on Linux CLOCK_MONOTONIC), so that times of two peers can be subtracted.
 */

/** What a peer tells of its store. */
export interface PeerState {
  digest: string
  keys: number
  nodes: number
  heads: number
  /** Every counter that is not zero. */
  counters: Record<string, number>
}

/** The memory of a process at some time since it was told to watch itself. */
export interface MemorySample {
  seconds: number
  heapMiB: number
  /** Resident memory that is the process's own, and pages of files that it has mapped. */
  ownMiB: number
  mappedMiB: number
}

/** How the process of a peer fared since it was told to watch itself. */
export interface PeerLoad {
  /** How late timers were, in milliseconds. */
  loopDelayP99: number
  loopDelayMax: number
  /** By how much the resident memory of its own grew at most, in MiB. */
  memoryGrowth: number
  /** The same for pages of files that it has mapped. */
  mappedGrowth: number
  /** The heap of JavaScript at its largest, in MiB. */
  heapMax: number
  /** How heap and memory went, once a second. */
  memory: MemorySample[]
  /** Processor time of all threads, in milliseconds. */
  cpuMs: number
}

/** When a stretch of work began and ended. */
export interface Span {
  startedAt: bigint
  endedAt: bigint
}

export interface PeerMethods {
  /**
   * Starts a node that listens on the loopback, and a store in a folder. Resolves to the node's address. A Helia node
   * shares its blocks by bitswap too.
   */
  open(init: { folder: string; topic: string; isHelia?: boolean }): Promise<string>
  /** Opens a store without a network. Tells how long that took, and by how much the resident memory grew, in MiB. */
  openAlone(folder: string): Promise<{ ms: number; memoryGrowth: number }>
  /** Connects. Resolves to when that began. */
  dial(address: string): Promise<bigint>
  /** Ends every connection. */
  hangUp(): Promise<void>
  /** Waits until another peer is known to listen to the topic. */
  subscribed(): Promise<void>
  /** Puts keys awaited one by one, with a pause after each; every value carries the time of its put. */
  write(init: { prefix: string; count: number; pauseMs: number }): Promise<Span>
  /** Begins to take the time from the put to the `change` event of every key below a prefix. */
  listen(prefix: string): Promise<void>
  /** Those times in milliseconds, once there are so many. */
  heard(count: number): Promise<number[]>
  /** Waits for a digest or a number of keys. Resolves to when it was reached. */
  reached(goal: { digest?: string; keys?: number; withinMs: number }): Promise<bigint>
  /** Begins to watch the process, and to write a CPU profile if there is a file for it. */
  watch(profileFile: string | undefined): Promise<void>
  /** Ends watching. */
  load(): Promise<PeerLoad>
  state(): Promise<PeerState>
  /** Reads all keys and values by one query. Resolves to how many there are. */
  readAll(): Promise<number>
  /** Ends the store and the node. */
  close(): Promise<void>
}

export type PeerMethod = keyof PeerMethods

export interface PeerRequest {
  id: number
  method: PeerMethod
  args: unknown[]
}

export interface PeerResponse {
  id: number
  result?: unknown
  error?: string
}
