/**
 * The public surface of `datastore-crdt`. Types of the network's side are at `datastore-crdt/libp2p`.
 */
export type { CrdtBatch } from './batch.ts'
export { type CrdtDatastoreInit, createCrdtDatastore } from './create.ts'
export type { Blockstore } from './dag/blockstore.ts'
export type { CrdtDatastore, Head, WriteOptions } from './datastore.ts'
export * from './errors.ts'
export type { Change, CrdtDatastoreEvents } from './events.ts'
export { defaultLimits, LIMITS, type LimitName, type Limits } from './options.ts'
export type { ReplicaCounters } from './replica/counters.ts'
export type {
  BlockExchange,
  Broadcaster,
  Clock,
  ComponentLogger,
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
