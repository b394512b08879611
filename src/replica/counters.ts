/**
 * Everything that a replica counts while it runs. Counters begin at zero with every start; what must survive is
 * in the state row.
 */
export interface ReplicaCounters {
  /** Nodes written here, and commits that wrote them. */
  localNodes: number
  localCommits: number
  /** Nodes of other peers that were merged, and commits that merged them. */
  remoteNodes: number
  remoteCommits: number
  /** Commits that the datastore refused. */
  failedCommits: number
  /** Blocks that arrived, were verified and were new. */
  receivedBlocks: number
  receivedBytes: number
  /** Blocks that arrived and were here already. */
  duplicateBlocks: number
  /** Blocks larger than `blockBytesMax`, dropped unread. */
  oversizedBlocks: number
  /** Blocks that were asked for by id and do not hash to it, dropped. */
  mismatchedBlocks: number
  /** Blocks that are nodes without effects: no dag-pb, or an invalid delta. */
  oddBlocks: number
  /** Blocks of DAGs that were purged, dropped. */
  ignoredBlocks: number
  /** Links that cannot name a node, never followed. */
  foreignLinks: number
  /** Links without which a branch was merged after `gapPatienceMs`. */
  linksGivenUp: number
  /** Heads that could not be had at all, or were too many. */
  droppedHeads: number
  /** Blocks that waited and were dropped over a peer's budget, to be fetched again. */
  pendingEvicted: number
  /** Streams that ended in an error. */
  failedPulls: number
  /** Broadcasts sent and heard, those that did not decode, and heads in them that did not. */
  broadcastsSent: number
  broadcastsFailed: number
  broadcastsReceived: number
  invalidBroadcasts: number
  invalidHeads: number
  /** Messages that came faster than they could be handled, left to the rebroadcast. */
  droppedMessages: number
  /** How often a peer claimed another state for the same nodes. */
  divergences: number
  /** Reads of keys that were answered from memory, and those that had to ask the datastore. */
  cacheHits: number
  cacheMisses: number
  /** Exceptions that listeners of events threw. */
  listenerErrors: number
}

export function newCounters(): ReplicaCounters {
  return {
    localNodes: 0,
    localCommits: 0,
    remoteNodes: 0,
    remoteCommits: 0,
    failedCommits: 0,
    receivedBlocks: 0,
    receivedBytes: 0,
    duplicateBlocks: 0,
    oversizedBlocks: 0,
    mismatchedBlocks: 0,
    oddBlocks: 0,
    ignoredBlocks: 0,
    foreignLinks: 0,
    linksGivenUp: 0,
    droppedHeads: 0,
    pendingEvicted: 0,
    failedPulls: 0,
    broadcastsSent: 0,
    broadcastsFailed: 0,
    broadcastsReceived: 0,
    invalidBroadcasts: 0,
    invalidHeads: 0,
    droppedMessages: 0,
    divergences: 0,
    cacheHits: 0,
    cacheMisses: 0,
    listenerErrors: 0
  }
}
