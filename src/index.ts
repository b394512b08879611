/**
 * The public surface of `datastore-crdt`. Types of the network's side are at `datastore-crdt/libp2p`.
 */
export type { CrdtBatch } from './batch.ts'
export type { RowKind } from './check/difference.ts'
export type { DeltaCodec } from './codec/node.ts'
export type { Delta, Element, Tombstone } from './crdt/delta.ts'
export { type CrdtDatastoreInit, createCrdtDatastore } from './create.ts'
export type { Blockstore } from './dag/blockstore.ts'
export type { PrintOptions, RenderOptions } from './dag/render.ts'
export type { BlockFetcherCounters } from './dag/two-ways.ts'
export type { CrdtDatastore, WaitForSyncOptions, WriteOptions } from './datastore.ts'
export * from './errors.ts'
export type {
  Change,
  CrdtDatastoreEvents,
  Divergence,
  GapChange,
  Head,
  HeadsChange,
  InvalidBlock,
  SyncProgress,
  SyncStart
} from './events.ts'
export type { DecidingRule } from './inspect/explain.ts'
export { defaultLimits, LIMITS, type LimitName, type Limits } from './options.ts'
export type { PeerState, ToldHead } from './peer-states.ts'
export type { ReplicaCounters } from './replica/counters.ts'
export type {
  BlockExchange,
  BlockFetcher,
  Broadcaster,
  Clock,
  ComponentLogger,
  FetchOptions,
  HeadClaim,
  LogEntry,
  Logger,
  PeerClaim,
  PeerName,
  PullRequest,
  Random,
  ReceivedBlock,
  ReplicaSnapshot,
  ReplicaView
} from './replica/ports.ts'
export type { Stats } from './stats.ts'
export type { Durability } from './storage/row-store.ts'
export type { DagNodeView, DeltaToPublish, FromOptions, StoreDag } from './store-dag.ts'
export type {
  CheckProgress,
  CheckReport,
  RepairOptions,
  StoreDifference,
  VerifyOptions
} from './verification.ts'
export type {
  ExplainOptions,
  Explanation,
  HistoryEntry,
  HistoryOptions,
  KeyVersion,
  NodeOfVersion
} from './versions.ts'
export type { WatchOptions } from './watch.ts'
