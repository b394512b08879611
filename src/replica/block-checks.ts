/**
 * What is looked at in a block that a peer sent, before anything is done with it.
 *
 * Invariant: bytes that are not what was asked for are the sender's lie and never pass; whatever is bad is counted and
 * told, with the sender's name.
 */
import { blockIdOf } from '../codec/block-id.ts'
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import type { Limits } from '../options.ts'
import type { ReplicaCounters } from './counters.ts'
import type { RefusedBlock } from './listener.ts'
import type { PeerName, ReceivedBlock } from './ports.ts'

export interface BlockChecksInit {
  limits: Limits
  counters: ReplicaCounters
  /** A block is counted as bad, and may be dropped. */
  refused(block: RefusedBlock): void
}

export class BlockChecks {
  readonly #init: BlockChecksInit

  constructor(init: BlockChecksInit) {
    this.#init = init
  }

  /**
   * @param expected - the ids that were asked for, if any.
   * @returns undefined for a block that must not be taken.
   */
  idOf(received: ReceivedBlock, expected: ReadonlySet<BlockId> | undefined): Eventual<BlockId | undefined> {
    const { bytes, from } = received
    const { counters, limits, refused } = this.#init
    if (bytes.length > limits.blockBytesMax) {
      counters.oversizedBlocks += 1
      refused({ from, fault: 'too-large', id: undefined })
      return undefined
    }
    return whenReady(blockIdOf(bytes), (id) => this.#asExpected(id, received, expected))
  }

  #asExpected(
    id: BlockId,
    { from }: ReceivedBlock,
    expected: ReadonlySet<BlockId> | undefined
  ): BlockId | undefined {
    const { counters, refused } = this.#init
    if (expected === undefined || expected.has(id)) return id
    counters.mismatchedBlocks += 1
    refused({ from, fault: 'mismatched', id: undefined })
    return undefined
  }

  /** Counts a block that is new here. */
  count(node: DagNode, from: PeerName): void {
    const { counters, refused } = this.#init
    counters.receivedBlocks += 1
    counters.receivedBytes += node.bytes.length
    counters.foreignLinks += node.foreignLinks
    if (node.oddity === undefined) return
    counters.oddBlocks += 1
    refused({ from, fault: node.oddity, id: node.id })
  }
}
