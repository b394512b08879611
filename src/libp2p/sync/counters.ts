/**
 * What the sync protocol counts, for `stats` and for metrics.
 */

/** Counts since the exchange was made; `streamsOpen` is a gauge. */
export interface SyncCounters {
  /** Sync streams open now, in either direction. */
  streamsOpen: number
  /** Streams that were opened, in either direction. */
  streams: number
  /** Bytes of frames, without what libp2p adds. */
  bytesIn: number
  bytesOut: number
  blocksIn: number
  blocksOut: number
  /** Hellos that both sides have said. */
  hellos: number
  /** Hellos of ours that failed. */
  helloFailures: number
  /** Rounds in which peers and this replica looked for common ground, as the asker. */
  rounds: number
  /** Peers that joined in when a long history was divided. */
  helpers: number
  /** Frames that broke the protocol. */
  invalidFrames: number
  /** Streams given up because the other side stalled, dawdled or broke the protocol. */
  droppedStreams: number
  /** Streams refused because the peer is not allowed. */
  refusedPeers: number
  /** Streams refused because too many were open. */
  refusedStreams: number
}

/** All at zero. */
export function newCounters(): SyncCounters {
  return {
    streamsOpen: 0,
    streams: 0,
    bytesIn: 0,
    bytesOut: 0,
    blocksIn: 0,
    blocksOut: 0,
    hellos: 0,
    helloFailures: 0,
    rounds: 0,
    helpers: 0,
    invalidFrames: 0,
    droppedStreams: 0,
    refusedPeers: 0,
    refusedStreams: 0
  }
}
