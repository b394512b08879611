/**
 * The remote path: blocks that arrive are verified, put in order, and handed to the single writer ancestors first.
 *
 * A block whose links are all applied or queued is queued behind them. Any other waits, on disk once the writer
 * gets to it, while the fetcher looks for what it lacks; so a branch that is half walked is taken up again after
 * a restart.
 *
 * Invariants: nothing is queued before what it links to, but for links that were given up; a block counts for
 * the clock from the moment it is verified; bytes in memory and blocks on disk are bounded, the latter for each
 * peer; whatever a peer sends is at worst counted and reported, never thrown.
 */
import { blockIdOf } from '../codec/block-id.ts'
import { type DagNode, decodeNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Limits } from '../options.ts'
import type { ChangeSet } from '../storage/commit.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { PendingStore } from '../storage/pending-store.ts'
import type { ReplicaCounters } from './counters.ts'
import { type PendingBlock, PendingBlocks, WINDOW_LINKS } from './pending.ts'
import type { Logger, PeerName, ReceivedBlock } from './ports.ts'
import { Settlement } from './settlement.ts'
import type { ReplicaState } from './state.ts'

export interface IngestInit {
  log: LogStore
  pendingStore: PendingStore
  state: ReplicaState
  limits: Limits
  counters: ReplicaCounters
  logger: Logger
  /** There is something for the writer to do. */
  wake(): void
  /** Blocks that are missing, and who led here; `root` where they are heads that were dropped for a while. */
  want(ids: Iterable<BlockId>, from: PeerName, root: boolean): void
  /** This one is here. */
  arrived(id: BlockId): void
  /** Nobody waits for these any more. */
  unwant(ids: Iterable<BlockId>): void
}

/** A node that the writer may apply once everything queued before it is. */
interface QueuedNode {
  id: BlockId
  size: number
  /** In memory, unless its row is in the store. */
  node: DagNode | undefined
  stored: boolean
}

export class Ingest {
  /** Who waits for which blocks to be merged or dropped. */
  readonly settlement = new Settlement()
  readonly #init: IngestInit
  readonly #pending = new PendingBlocks()
  readonly #queue = new Map<BlockId, QueuedNode>()
  readonly #unstored = new Set<PendingBlock>()
  readonly #dropped = new Set<BlockId>()
  readonly #evictedRoots = new Map<BlockId, PeerName>()
  #bytesInMemory = 0
  #room: PromiseWithResolvers<void> | undefined

  constructor(init: IngestInit) {
    this.#init = init
  }

  get hasReady(): boolean {
    return this.#queue.size > 0
  }

  get hasUnstored(): boolean {
    return this.#unstored.size > 0 || this.#dropped.size > 0
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** Whether a block is here: applied lately, queued or waiting. Applied long ago is for the log to say. */
  holds(id: BlockId): boolean {
    return this.#queue.has(id) || this.#pending.has(id) || this.#init.log.recent(id) !== undefined
  }

  /** Every block that is here and not merged yet. */
  *unmerged(): Generator<BlockId> {
    yield* this.#queue.keys()
    yield* this.#pending.ids()
  }

  /** Takes up the blocks that waited when the store was closed. */
  async load(): Promise<void> {
    for await (const { id, from, bytes } of this.#init.pendingStore.blocks()) {
      if ((await this.#init.log.applied(id)) !== undefined) this.#dropped.add(id)
      else await this.#admit(decodeNode(id, bytes), from, { root: true, stored: true })
    }
  }

  /**
   * Takes a block as it came from a peer. Its bytes are verified here and nowhere before.
   *
   * @param expected - the ids that were asked for, if any: other bytes are the sender's lie, never stored.
   * @param root - whether the sender said that it is a head.
   * @returns whether it was new.
   */
  async receive(
    { bytes, from }: ReceivedBlock,
    expected: ReadonlySet<BlockId> | undefined,
    root = false
  ): Promise<boolean> {
    const { counters, limits, log } = this.#init
    if (bytes.length > limits.blockBytesMax) return this.#refuse('oversizedBlocks', from)
    const id = await blockIdOf(bytes)
    if (expected !== undefined && !expected.has(id)) return this.#refuse('mismatchedBlocks', from)
    this.#init.arrived(id)
    if (this.holds(id) || (await log.applied(id)) !== undefined) {
      counters.duplicateBlocks += 1
      const pending = this.#pending.get(id)
      if (pending !== undefined) pending.root ||= root
      return false
    }
    const node = decodeNode(id, bytes)
    this.#count(node, from)
    this.#init.state.observe(node.delta.priority)
    await this.#admit(node, from, { root, stored: false })
    return true
  }

  /** Waits until there is room for more bytes in memory. */
  async room(): Promise<void> {
    while (this.#bytesInMemory > this.#init.limits.readyBytesMax) {
      this.#room ??= Promise.withResolvers()
      await this.#room.promise
    }
  }

  /** Lets whoever waits for room go on: nothing more is taken. */
  close(): void {
    this.#bytesInMemory = 0
    this.#freed(0)
  }

  /** A missing link could not be had within the patience of its branch: what waits for it goes on without. */
  async giveUp(id: BlockId): Promise<void> {
    if (this.#pending.isAwaited(id)) this.#init.counters.linksGivenUp += 1
    await this.#release(id)
    this.settlement.settle(id)
  }

  /** The next nodes to apply, in order. They stay queued until `merged`, so that a failed commit loses none. */
  async next(): Promise<DagNode[]> {
    const { commitNodesMax, commitBytesMax } = this.#init.limits
    const chosen: QueuedNode[] = []
    let bytes = 0
    for (const queued of this.#queue.values()) {
      bytes += queued.size
      if (chosen.length > 0 && (bytes > commitBytesMax || chosen.length >= commitNodesMax)) break
      chosen.push(queued)
    }
    const stored = chosen.filter(({ node }) => node === undefined)
    const blocks = await this.#init.pendingStore.get(stored.map(({ id }) => id))
    const loaded = new Map(stored.map(({ id }, index) => [id, blocks[index]]))
    return chosen.map(({ id, node }) => {
      const bytesOfRow = loaded.get(id)
      if (node !== undefined) return node
      if (bytesOfRow === undefined) throw new TypeError(`The row of pending block ${id} is gone`)
      return decodeNode(id, bytesOfRow)
    })
  }

  /** Puts the deletion of what these nodes no longer need into their commit. */
  release(nodes: readonly DagNode[], changes: ChangeSet): void {
    for (const { id } of nodes) if (this.#queue.get(id)?.stored) this.#init.pendingStore.delete(id, changes)
  }

  /** These nodes were committed. */
  merged(nodes: readonly DagNode[]): void {
    for (const { id } of nodes) {
      const queued = this.#queue.get(id)
      this.#queue.delete(id)
      if (queued?.node !== undefined) this.#freed(queued.size)
      this.settlement.settle(id)
    }
    this.#resumeEvicted()
  }

  /** A local commit made a node that somebody else may wait for, or that came back from a peer meanwhile. */
  async appliedLocally(nodes: readonly DagNode[]): Promise<void> {
    for (const { id } of nodes) {
      if (this.#pending.has(id)) this.#drop(id)
      if (this.#pending.isAwaited(id)) await this.#release(id)
    }
  }

  /**
   * Puts the rows of blocks that wait, and the deletion of those that were dropped, into a commit.
   *
   * @returns what to call once it is durable.
   */
  store(changes: ChangeSet): () => void {
    const blocks = [...this.#unstored]
    const dropped = [...this.#dropped]
    for (const { id, from, node } of blocks) {
      if (node !== undefined) this.#init.pendingStore.put(id, { from, bytes: node.bytes }, changes)
    }
    for (const id of dropped) this.#init.pendingStore.delete(id, changes)
    return () => {
      for (const block of blocks) this.#stored(block)
      for (const id of dropped) this.#dropped.delete(id)
    }
  }

  #stored(block: PendingBlock): void {
    block.stored = true
    this.#unstored.delete(block)
    const queued = this.#queue.get(block.id)
    if (queued !== undefined) queued.stored = true
    else if (!this.#pending.has(block.id)) this.#dropped.add(block.id)
    else if (block.node !== undefined) {
      block.node = undefined
      this.#freed(block.size)
    }
  }

  /** Queues a node whose links are here, lets any other wait, and sees to the budget of its peer. */
  async #admit(
    node: DagNode,
    from: PeerName,
    { root, stored }: { root: boolean; stored: boolean }
  ): Promise<void> {
    const { missing, seen } = await this.#missingLinks(node.links, 0)
    const { id, bytes } = node
    if (this.holds(id)) return
    const block: PendingBlock = {
      id,
      from,
      size: bytes.length,
      missing,
      linksSeen: seen,
      linkCount: node.links.length,
      root,
      node: stored ? undefined : node,
      stored
    }
    if (!stored) this.#bytesInMemory += block.size
    if (missing.size === 0) {
      this.#enqueue(block)
      await this.#release(id)
      return
    }
    this.#pending.add(block)
    if (!stored) {
      this.#unstored.add(block)
      this.#init.wake()
    }
    this.#init.want(missing, from, false)
    this.#enforceBudget(from)
  }

  /** The first links, from `start` on, that are neither applied nor queued: at most a window of them. */
  async #missingLinks(
    links: readonly BlockId[],
    start: number
  ): Promise<{ missing: Set<BlockId>; seen: number }> {
    const missing = new Set<BlockId>()
    let seen = start
    while (seen < links.length && missing.size === 0) {
      const window = links.slice(seen, seen + WINDOW_LINKS)
      seen += window.length
      const unknown = window.filter((id) => !this.#queue.has(id) && this.#init.log.recent(id) === undefined)
      const rows = unknown.length === 0 ? [] : await this.#init.log.appliedMany(unknown)
      for (const [index, id] of unknown.entries()) {
        // While the store was read, a link may have been queued or applied.
        const here =
          rows[index] !== undefined || this.#queue.has(id) || this.#init.log.recent(id) !== undefined
        if (!here) missing.add(id)
      }
    }
    return { missing, seen }
  }

  #enqueue(block: PendingBlock): void {
    const { id, size, node, stored } = block
    this.#queue.set(id, { id, size, node, stored })
    this.#init.wake()
  }

  /** Lets whatever waited for a block go on, and what waited for that, and so forth. */
  async #release(id: BlockId): Promise<void> {
    const here = [id]
    for (let link = here.pop(); link !== undefined; link = here.pop()) {
      for (const block of this.#pending.release(link)) {
        if (block.linksSeen < block.linkCount && (await this.#waitsForMore(block))) continue
        this.#pending.remove(block.id)
        this.#unstored.delete(block)
        this.#enqueue(block)
        here.push(block.id)
      }
    }
  }

  /** Whether a block with more links than were looked at waits for any of the others. */
  async #waitsForMore(block: PendingBlock): Promise<boolean> {
    const node = block.node ?? (await this.#read(block.id))
    const { missing, seen } = await this.#missingLinks(node?.links ?? [], block.linksSeen)
    block.linksSeen = seen
    this.#pending.awaitMore(block, missing)
    this.#init.want(missing, block.from, false)
    return missing.size > 0
  }

  async #read(id: BlockId): Promise<DagNode | undefined> {
    const [bytes] = await this.#init.pendingStore.get([id])
    return bytes === undefined ? undefined : decodeNode(id, bytes)
  }

  #enforceBudget(from: PeerName): void {
    const { pendingBlocksPerPeerMax, pendingBytesPerPeerMax, wantedHeadsMax } = this.#init.limits
    for (;;) {
      const block = this.#pending.overBudget(from, pendingBlocksPerPeerMax, pendingBytesPerPeerMax)
      if (block === undefined) return
      this.#init.counters.pendingEvicted += 1
      const awaited = this.#pending.isAwaited(block.id)
      this.#drop(block.id)
      // A head, or what others wait for, is taken up again once there is room; all else lies below such a one.
      if ((block.root || awaited) && this.#evictedRoots.size < wantedHeadsMax)
        this.#evictedRoots.set(block.id, from)
    }
  }

  /** Asks again for what was dropped over a budget, once half of what waits is gone. */
  #resumeEvicted(): void {
    if (this.#evictedRoots.size === 0 || this.#pending.size > this.#init.limits.pendingBlocksPerPeerMax / 2)
      return
    const evicted = [...this.#evictedRoots]
    this.#evictedRoots.clear()
    for (const [id, from] of evicted) this.#init.want([id], from, true)
  }

  #drop(id: BlockId): void {
    const block = this.#pending.get(id)
    if (block === undefined) return
    this.#init.unwant(this.#pending.remove(id))
    this.#unstored.delete(block)
    if (block.stored) this.#dropped.add(id)
    if (block.node !== undefined) this.#freed(block.size)
    this.#init.wake()
  }

  #freed(bytes: number): void {
    this.#bytesInMemory -= bytes
    if (this.#bytesInMemory > this.#init.limits.readyBytesMax) return
    this.#room?.resolve()
    this.#room = undefined
  }

  #refuse(counter: 'oversizedBlocks' | 'mismatchedBlocks', from: PeerName): false {
    this.#init.counters[counter] += 1
    this.#init.logger.error('%s sent a block that counts as %s', from, counter)
    return false
  }

  #count(node: DagNode, from: PeerName): void {
    const { counters, logger } = this.#init
    counters.receivedBlocks += 1
    counters.receivedBytes += node.bytes.length
    counters.foreignLinks += node.foreignLinks
    if (node.oddity === undefined) return
    counters.oddBlocks += 1
    logger.error('block %s from %s is %s: it is a node without effects', node.id, from, node.oddity)
  }
}
