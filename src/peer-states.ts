/**
 * What peers said of themselves, as users see it.
 */
import type { CID } from 'multiformats/cid'
import { cidFromBlockId } from './codec/block-id.ts'
import { hexOf } from './notifier.ts'
import { claimsHeads, type PeerSaid } from './replica/peers.ts'
import type { HeadClaim } from './replica/ports.ts'
import type { Replica } from './replica/replica.ts'

/** A head as a peer told it; its node may not be here. */
export interface ToldHead {
  cid: CID
  dagName: string
}

/** What one peer said last. All of it is that peer's claim. */
export interface PeerState {
  /** Its peer id as text. */
  peer: string
  /** Whether it speaks the sync protocol and is connected, so that it can be asked for what it has. */
  connected: boolean
  /** What it said when it was greeted or asked last; absent for peers that only gossip, such as Go's. */
  claim?: {
    heads: ToldHead[]
    /** Heads that its message had no room for. */
    headsLeftOut: number
    /** Of its state, as `digest()` has it; absent if it computes it in another way. */
    digest?: string
    /** Nodes it has applied, as its own sequence number. */
    sequence: number
    gaps: number
    deferred: number
    ignoredDags: string[]
    /** Milliseconds ago. */
    agoMs: number
    /** Whether its state was the one that this replica has now. */
    level: boolean
  }
  /** The heads of its last broadcast. */
  announced?: { heads: ToldHead[]; agoMs: number }
}

export function peerStates(replica: Replica): PeerState[] {
  const digest = hexOf(replica.state.committed.digest)
  const heads = new Set(replica.heads().map(({ id }) => id))
  return replica.peers().map((said) => stateOf(said, digest, heads))
}

function stateOf(
  { peer, connected, claim, announced }: PeerSaid,
  digest: string,
  heads: ReadonlySet<string>
): PeerState {
  const state: PeerState = { peer, connected }
  if (claim !== undefined) {
    const { sequence, gaps, deferred, ignoredDags, headsLeftOut = 0, agoMs } = claim
    const theirs = claim.digest === undefined ? {} : { digest: hexOf(claim.digest) }
    state.claim = {
      ...{ heads: claim.heads.map(toldHead), headsLeftOut, ...theirs },
      ...{ sequence, gaps, deferred, ignoredDags, agoMs },
      level: claimsHeads(claim, heads) && (theirs.digest === undefined || theirs.digest === digest)
    }
  }
  if (announced !== undefined) {
    state.announced = { heads: announced.heads.map(toldHead), agoMs: announced.agoMs }
  }
  return state
}

function toldHead({ id, dagName }: HeadClaim): ToldHead {
  return { cid: cidFromBlockId(id), dagName }
}
