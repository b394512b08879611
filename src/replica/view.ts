/**
 * The replica as its exchange sees it: what may be served from the store.
 *
 * Invariant: nothing is served that was not applied here, and so for this topic.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { LogEntry, PeerClaim, PeerName, ReplicaSnapshot, ReplicaView } from './ports.ts'
import type { MergeStores } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'

export interface ViewInit {
  stores: MergeStores
  state: ReplicaState
  /** Changes at every start. */
  generation: string
  ignoredDags(): string[]
  peerClaims(peer: PeerName, claim: PeerClaim): void
  peerCame(peer: PeerName): void
  peerLeft(peer: PeerName): void
}

export function viewOf({
  stores,
  state,
  generation,
  ignoredDags,
  peerClaims,
  peerCame,
  peerLeft
}: ViewInit): ReplicaView {
  const { log, heads, gaps } = stores
  return {
    snapshot(): ReplicaSnapshot {
      const { digest, sequence, gaps, deferred } = state.committed
      const claims = heads.list().map(({ id, dagName }) => ({ id, dagName }))
      return { heads: claims, digest, sequence, generation, gaps, deferred, ignoredDags: ignoredDags() }
    },
    appliedBlock: async (id: BlockId) => await log.block(id),
    sequenceOf: async (id: BlockId) => (await log.applied(id))?.sequence,
    readLog: (from, to): AsyncIterable<LogEntry> => log.read(from, to),
    readLogBackwards: (from, to): AsyncIterable<LogEntry> => log.readBackwards(from, to),
    commonGroundLimit: () => gaps.limit,
    peerClaims,
    peerCame,
    peerLeft
  }
}
