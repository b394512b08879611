/**
 * `datastore-crdt/libp2p`: gossip and sync over a libp2p node of version 2 or 3, for those who put a store together
 * by themselves.
 */
export {
  type BroadcastCounters,
  type GossipsubBroadcaster,
  type GossipsubBroadcasterComponents,
  type GossipsubBroadcasterInit,
  gossipsubBroadcaster
} from './gossipsub-broadcaster.ts'
export type { SyncCounters } from './sync/counters.ts'
export {
  type SyncExchange,
  type SyncExchangeComponents,
  type SyncExchangeInit,
  syncExchange
} from './sync/exchange.ts'
export { SYNC_PROTOCOL } from './sync/protocol.ts'
export { SyncError, type SyncFailure } from './sync/sync-error.ts'
export type { Libp2pLike } from './types.ts'
