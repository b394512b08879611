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

export class ReadyQueue {
  readonly #pendingStore: PendingStore
  readonly #limits: Limits
  readonly #codec: NodeCodec
  readonly #nodes = new Map<BlockId, ReadyNode>()

  constructor(pendingStore: PendingStore, limits: Limits, codec: NodeCodec) {
    this.#codec = codec
    this.#pendingStore = pendingStore
    this.#limits = limits
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
    return ready
  }

  /** Puts the rows of all that is in memory only into a commit, since what a stop forgets may never be said again. */
  store(changes: ChangeSet): void {
    for (const { id, from, node, stored } of this.#nodes.values()) {
      if (node !== undefined && !stored) this.#pendingStore.put(id, { from, bytes: node.bytes }, changes)
    }
  }

  /** The nodes of the next commit. */
  async next(): Promise<DagNode[]> {
    const { commitNodesMax, commitBytesMax } = this.#limits
    const chosen: ReadyNode[] = []
    let bytes = 0
    for (const ready of this.#nodes.values()) {
      bytes += ready.size
      if (chosen.length > 0 && (bytes > commitBytesMax || chosen.length >= commitNodesMax)) break
      chosen.push(ready)
    }
    const stored = chosen.filter(({ node }) => node === undefined)
    const blocks = await this.#pendingStore.get(stored.map(({ id }) => id))
    const loaded = new Map(stored.map(({ id }, index) => [id, blocks[index]]))
    return chosen.map(({ id, node }) => {
      const bytesOfRow = loaded.get(id)
      if (node !== undefined) return node
      if (bytesOfRow === undefined) throw new TypeError(`The row of pending block ${id} is gone`)
      return this.#codec.decode(id, bytesOfRow)
    })
  }
}
