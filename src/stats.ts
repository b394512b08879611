/**
 * What a store tells of itself in numbers.
 */
import type { BlockFetcherCounters } from './dag/two-ways.ts'
import type { BroadcastCounters } from './libp2p/gossipsub-broadcaster.ts'
import type { SyncCounters } from './libp2p/sync/counters.ts'
import type { ReplicaCounters } from './replica/counters.ts'
import type { Replica } from './replica/replica.ts'

/** A snapshot of a store's numbers. Counters begin at zero with every start. */
export interface Stats {
  /** Keys that have a value. */
  keys: number
  /** Alive elements: at least one for each key, more where versions were written over each other. */
  elements: number
  /**
   * Tombstones that are remembered: the block they name has not come, or is of another DAG; and beside one of those,
   * the ones of the element's own DAG.
   */
  tombstones: number
  /** Nodes applied since the store was made. */
  nodes: number
  heads: number
  /** The greatest priority of any block that was received and verified. */
  clock: bigint
  /** Links over which a branch was merged because nobody had what they name. */
  gaps: number
  /** Nodes whose effects wait for an upgrade. */
  deferred: number
  /** Blocks that wait for their ancestors. */
  pending: number
  /** Blocks that are being looked for. */
  wanted: number
  counters: ReplicaCounters
  /** What the sync protocol counted, where the store is on libp2p. */
  sync?: SyncCounters
  /** What gossip counted, where the store is on libp2p. */
  broadcast?: BroadcastCounters
  /** What was asked of the block fetcher, where there is one. */
  blockFetcher?: BlockFetcherCounters
}

/** The network's side of the numbers. */
export type NetworkStats = Pick<Stats, 'sync' | 'broadcast' | 'blockFetcher'>

export function statsOf(replica: Replica, network: NetworkStats): Stats {
  const { keys, elements, tombstones, sequence, gaps, deferred } = replica.state.committed
  return {
    ...{ keys, elements, tombstones, gaps, deferred },
    nodes: sequence,
    heads: replica.heads().length,
    clock: replica.state.clock,
    pending: replica.pendingCount,
    wanted: replica.wantedCount,
    counters: { ...replica.counters, ...replica.stores.sets.counters },
    ...network
  }
}
