/**
 * Remote nodes that may be applied, in order: each after those it links to, but for gaps.
 *
 * Invariants: a node stays queued until its commit is durable, so that a failed commit loses none; what one commit
 * takes is bounded, but for a single larger node.
 */
import type { DagNode, NodeCodec } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { PendingStore } from '../storage/pending-store.ts'
import type { PeerName } from './ports.ts'
import type { Room } from './room.ts'

/** A node that the writer may apply once everything queued before it is. */
export interface ReadyNode {
  id: BlockId
  /** Whose announcement led to it. */
  from: PeerName
  size: number
  /** In memory, unless its row is in the store. */
  node: DagNode | undefined
  stored: boolean
}

export interface ReadyQueueInit {
  pendingStore: PendingStore
  limits: Limits
  codec: NodeCodec
  /** Which those in memory leave when they are removed. */
  room: Room
}

export class ReadyQueue {
  readonly #init: ReadyQueueInit
  readonly #nodes = new Map<BlockId, ReadyNode>()

  constructor(init: ReadyQueueInit) {
    this.#init = init
  }

  get size(): number {
    return this.#nodes.size
  }

  has(id: BlockId): boolean {
    return this.#nodes.has(id)
  }

  get(id: BlockId): ReadyNode | undefined {
    return this.#nodes.get(id)
  }

  ids(): IterableIterator<BlockId> {
    return this.#nodes.keys()
  }

  add({ id, from, size, node, stored }: ReadyNode): void {
    this.#nodes.set(id, { id, from, size, node, stored })
  }

  remove(id: BlockId): ReadyNode | undefined {
    const ready = this.#nodes.get(id)
    this.#nodes.delete(id)
    if (ready?.node !== undefined) this.#init.room.free(ready.size)
    return ready
  }

  /** Puts the rows of all that is in memory only into a commit, since what a stop forgets may never be said again. */
  store(changes: ChangeSet): void {
    for (const { id, from, node, stored } of this.#nodes.values()) {
      if (node !== undefined && !stored) this.#init.pendingStore.put(id, { from, bytes: node.bytes }, changes)
    }
  }

  /** The nodes of the next commit: with one for each a merged delta takes four times as much of the main thread. */
  async next(): Promise<DagNode[]> {
    const { pendingStore, codec } = this.#init
    const { commitNodesMax, commitBytesMax } = this.#init.limits
    const chosen: ReadyNode[] = []
    let bytes = 0
    for (const ready of this.#nodes.values()) {
      bytes += ready.size
      if (chosen.length > 0 && (bytes > commitBytesMax || chosen.length >= commitNodesMax)) break
      chosen.push(ready)
    }
    const stored = chosen.filter(({ node }) => node === undefined)
    const blocks = await pendingStore.get(stored.map(({ id }) => id))
    const loaded = new Map(stored.map(({ id }, index) => [id, blocks[index]]))
    return chosen.map(({ id, node }) => {
      const bytesOfRow = loaded.get(id)
      if (node !== undefined) return node
      if (bytesOfRow === undefined) throw new TypeError(`The row of pending block ${id} is gone`)
      return codec.decode(id, bytesOfRow)
    })
  }
}
