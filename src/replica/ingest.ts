/**
 * The remote path: blocks that arrive are verified, put in order, and handed to the single writer ancestors first.
 *
 * A block whose links are all applied or queued is queued behind them. Any other waits, on disk once the writer
 * gets to it, while the fetcher looks for what it lacks; so a branch that is half walked is taken up again after
 * a restart.
 *
 * Invariants: nothing is queued before what it links to, but for links that were given up; whatever a block waits
 * for waits itself, is queued or is wanted; a block counts for the clock from the moment it is verified; bytes in
 * memory and blocks on disk are bounded, the latter for each peer; whatever a peer sends is at worst counted and
 * reported, never thrown.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId } from '../crdt/delta.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import type { ChangeSet } from '../storage/commit.ts'
import { BlockChecks } from './block-checks.ts'
import { addSayer } from './evicted.ts'
import { Eviction } from './eviction.ts'
import type { IngestInit } from './ingest-ports.ts'
import { Links } from './links.ts'
import type { Receipt } from './listener.ts'
import { type PendingBlock, PendingBlocks, WINDOW_LINKS, waitingBlock } from './pending.ts'
import { PendingRows } from './pending-rows.ts'
import type { PeerName, ReceivedBlock } from './ports.ts'
import { type ReadyNode, ReadyQueue } from './ready.ts'
import { Room } from './room.ts'
import { Settlement } from './settlement.ts'

export class Ingest {
  /** Who waits for which blocks to be merged or dropped. */
  readonly settlement = new Settlement()
  readonly #init: IngestInit
  readonly #checks: BlockChecks
  readonly #pending: PendingBlocks
  readonly #queue: ReadyQueue
  readonly #links: Links
  readonly #room: Room
  readonly #rows: PendingRows
  readonly #eviction: Eviction

  constructor(init: IngestInit) {
    this.#init = init
    this.#checks = new BlockChecks(init)
    this.#room = new Room(init.limits.readyBytesMax)
    this.#queue = new ReadyQueue({ ...init, codec: init.log.codec, room: this.#room })
    this.#links = new Links(init, this.#queue)
    this.#rows = new PendingRows(init.pendingStore)
    this.#pending = new PendingBlocks(init.limits)
    this.#eviction = this.#newEviction()
  }

  get hasReady(): boolean {
    return this.#queue.size > 0
  }

  get hasUnstored(): boolean {
    return this.#rows.hasChanges
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** Whether a block is here: applied lately, queued or waiting. Applied long ago is for the log to say. */
  holds(id: BlockId): boolean {
    return this.#queue.has(id) || this.#pending.has(id) || this.#init.log.recent(id) !== undefined
  }

  /** A peer says that this is a head: whether it is here, or was dropped and has to wait until there is room. */
  isHead(id: BlockId, from: PeerName): boolean {
    const pending = this.#pending.get(id)
    if (pending !== undefined) addSayer(pending.saidBy, from)
    return this.holds(id) || this.#eviction.postpones(id, from)
  }

  /** Every head that is here and not merged yet, or was dropped for a while. What lies below is merged before it. */
  *unmerged(): Generator<BlockId> {
    yield* this.#queue.ids()
    for (const id of this.#pending.ids()) if (this.#pending.get(id)?.saidBy.size) yield id
    yield* this.#eviction.ids()
  }

  /** Takes up the blocks that waited when the store was closed. */
  async load(): Promise<void> {
    const { pendingStore, log, ignored } = this.#init
    for await (const { id, from, bytes } of pendingStore.blocks()) {
      const node = log.codec.decode(id, bytes)
      const isOver = ignored.has(node.delta.dagName) || (await log.applied(id)) !== undefined
      if (isOver) this.#rows.delete(id)
      else await this.#admit(node, from, true, true)
    }
    // Which of them were said to be heads is forgotten; what lies below another is found by way of it.
    for (const id of this.#pending.ids()) {
      const block = this.#pending.get(id)
      if (this.#pending.isAwaited(id)) block?.saidBy.clear()
    }
  }

  /**
   * Takes a block as it came from a peer. Its bytes are verified here and nowhere before.
   *
   * @param expected - the ids that were asked for, if any: other bytes are the sender's lie, never stored.
   * @param root - whether the sender said that it is a head.
   */
  receive(
    received: ReceivedBlock,
    expected: ReadonlySet<BlockId> | undefined,
    root = false
  ): Eventual<Receipt> {
    // No asynchronous function is on the way of a block of a stream; `eventual.ts` says what that buys.
    return whenReady(this.#checks.idOf(received, expected), (id) =>
      id === undefined ? 'refused' : this.#receive(id, received, root)
    )
  }

  #receive(id: BlockId, { bytes, from }: ReceivedBlock, root: boolean): Eventual<Receipt> {
    const { log } = this.#init
    if (this.holds(id)) return this.#known(id, from, root)
    const node = log.codec.decode(id, bytes)
    if (this.#links.showUnapplied(node.links)) return this.#take(node, from, root)
    return whenReady(log.applied(id), (row) =>
      row === undefined ? this.#take(node, from, root) : this.#known(id, from, root)
    )
  }

  #known(id: BlockId, from: PeerName, root: boolean): Receipt {
    this.#init.counters.duplicateBlocks += 1
    this.#saidBy(id, from, root)
    if (!this.#queue.has(id) && !this.#pending.has(id)) this.settlement.settle(id)
    return 'known'
  }

  #take(node: DagNode, from: PeerName, root: boolean): Eventual<Receipt> {
    const { state, ignored } = this.#init
    const { priority, dagName } = node.delta
    this.#checks.count(node, from)
    state.observe(priority)
    const admitting = ignored.has(dagName) ? undefined : this.#admit(node, from, root)
    return whenReady(admitting, () => this.#receipt(node))
  }

  #receipt({ id, delta }: DagNode): Eventual<Receipt> {
    // It may have been purged while the links were looked up.
    if (!this.#init.ignored.has(delta.dagName)) return 'new'
    return this.#queue.has(id) ? 'ignored' : this.#ignore(id, delta.dagName).then(() => 'ignored')
  }

  /** Drops what waits of a DAG that is ignored from now on; what is queued is left to its commit. */
  async dropDag(dagName: string): Promise<void> {
    for (const id of [...this.#pending.ids()]) {
      if (this.#pending.get(id)?.dagName === dagName) await this.#ignore(id, dagName)
    }
  }

  /** Drops nodes that were queued before their DAG was ignored. */
  ignore(nodes: readonly DagNode[]): void {
    for (const { id, delta } of nodes) {
      this.#unqueue(id)
      this.#isDropped(id, delta.dagName)
    }
  }

  /** Nothing of its DAG is taken: what waits for it goes on without. */
  async #ignore(id: BlockId, dagName: string): Promise<void> {
    this.#drop(id)
    this.#init.arrived(id)
    this.#eviction.forget(id)
    await this.#release(id)
    this.#isDropped(id, dagName)
  }

  #isDropped(id: BlockId, dagName: string): void {
    this.#init.counters.ignoredBlocks += 1
    this.#init.state.oweClock()
    this.#init.wake()
    this.settlement.settle(id)
    this.#init.dropped(id, dagName)
  }

  /** Waits until there is room for more bytes in memory. */
  room(): Promise<void> | undefined {
    return this.#room.wait()
  }

  /** Lets whoever waits for room go on: nothing more is taken. */
  close(): void {
    this.#room.close()
  }

  /** A missing link could not be had within the patience of its branch: what waits for it goes on without. */
  async giveUp(id: BlockId): Promise<void> {
    // It may have been wanted as an ancestor, though it is a head that was dropped.
    if (this.#eviction.forget(id) !== undefined) this.#init.forget(id)
    if (this.#pending.isAwaited(id)) this.#init.counters.linksGivenUp += 1
    await this.#release(id)
    this.settlement.settle(id)
  }

  /** The next nodes to apply, in order. They stay queued until `merged`. */
  async next(): Promise<DagNode[]> {
    return await this.#queue.next()
  }

  /** Puts the deletion of what these nodes no longer need into their commit. */
  release(nodes: readonly DagNode[], changes: ChangeSet): void {
    for (const { id } of nodes) if (this.#queue.get(id)?.stored) this.#init.pendingStore.delete(id, changes)
  }

  /** These nodes were committed. */
  merged(nodes: readonly DagNode[]): void {
    for (const { id } of nodes) {
      this.#queue.remove(id)
      this.settlement.settle(id)
    }
    this.#eviction.resume()
  }

  /** A local commit made a node that somebody else may wait for, or that came back from a peer meanwhile. */
  appliedLocally(nodes: readonly DagNode[]): Promise<void> | undefined {
    let releasing: Promise<void> | undefined
    for (const { id } of nodes) {
      this.#unqueue(id)
      if (this.#pending.has(id)) this.#drop(id)
      if (this.#pending.isAwaited(id)) releasing = this.#releaseAfter(releasing, id)
      else this.settlement.settle(id)
    }
    return releasing
  }

  async #releaseAfter(others: Promise<void> | undefined, id: BlockId): Promise<void> {
    await others
    await this.#release(id)
    this.settlement.settle(id)
  }

  /** Puts the rows of nodes that may be applied and are in memory only into the last commit before a stop. */
  storeReady(changes: ChangeSet): void {
    this.#queue.store(changes)
  }

  /**
   * Puts the rows of blocks that wait, and the deletion of those that were dropped, into a commit.
   *
   * @returns what to call once it is durable.
   */
  store(changes: ChangeSet): () => void {
    const written = this.#rows.write(changes)
    return () => {
      for (const block of written()) this.#stored(block)
    }
  }

  #stored(block: PendingBlock): void {
    const queued = this.#queue.get(block.id)
    const pending = this.#pending.get(block.id)
    if (queued !== undefined) queued.stored = true
    else if (pending === undefined) this.#rows.delete(block.id)
    else if (pending !== block) this.#rows.leave(block.id)
    else if (block.node !== undefined) {
      block.node = undefined
      this.#room.free(block.size)
    }
  }

  /** Queues a node whose links are here, lets any other wait, and sees to the budget of its peer. */
  #admit(node: DagNode, from: PeerName, root: boolean, stored = false): Eventual<void> {
    if (!this.#links.areAtHand(node.links)) return this.#admitLater(node, from, root, stored)
    this.#saidBy(node.id, from, root)
    // It may have come from another peer while it was looked up, and wait.
    return this.holds(node.id) ? undefined : this.#ready(node, from, stored)
  }

  async #admitLater(node: DagNode, from: PeerName, root: boolean, stored: boolean): Promise<void> {
    const { id, bytes, links } = node
    let missing: Set<BlockId>
    let linksSeen = 0
    do {
      missing = await this.#links.lookUp(links.slice(linksSeen, linksSeen + WINDOW_LINKS))
      this.#links.forgetArrived(missing)
      linksSeen = Math.min(linksSeen + WINDOW_LINKS, links.length)
    } while (missing.size === 0 && linksSeen < links.length)
    const saidBy = this.#saidBy(id, from, root)
    if (this.holds(id)) return
    if (missing.size === 0) return await this.#ready(node, from, stored)
    const charged = this.#pending.chargedTo(id, from, { entries: 1 + missing.size, bytes: bytes.length })
    const block = waitingBlock(node, { from: charged, missing, linksSeen, saidBy, stored })
    if (!stored) this.#room.take(block.size)
    this.#pending.add(block)
    this.#rows.keep(id)
    if (!stored) {
      this.#rows.add(block)
      this.#init.wake()
    }
    this.#eviction.enforce(block)
    this.#wantMissing(block)
  }

  #ready(node: DagNode, from: PeerName, stored: boolean): Eventual<void> {
    const { id, bytes } = node
    const size = bytes.length
    if (!stored) this.#room.take(size)
    this.#enqueue({ id, from, size, node: stored ? undefined : node, stored })
    return this.#pending.isAwaited(id) ? this.#release(id) : undefined
  }

  /** A block is here: which peers said that it is a head. */
  #saidBy(id: BlockId, from: PeerName, root: boolean): Set<PeerName> {
    const wasWanted = this.#init.arrived(id)
    const saidBy = this.#pending.get(id)?.saidBy ?? new Set()
    for (const peer of this.#eviction.forget(id) ?? []) addSayer(saidBy, peer)
    if (root || wasWanted) addSayer(saidBy, from)
    return saidBy
  }

  #enqueue(block: ReadyNode): void {
    this.#queue.add(block)
    this.#init.wake()
  }

  /** Lets whatever waited for a block go on, and what waited for that, and so forth. */
  async #release(id: BlockId): Promise<void> {
    const here = [id]
    for (let link = here.pop(); link !== undefined; link = here.pop()) {
      for (const block of this.#pending.release(link)) {
        // While another one was looked up, it may have been dropped.
        if (this.#pending.get(block.id) !== block) continue
        if (block.linksSeen < block.linkCount && (await this.#waitsForMore(block))) continue
        this.#pending.remove(block.id)
        this.#rows.remove(block)
        this.#enqueue(block)
        here.push(block.id)
      }
    }
  }

  /** Whether a block with more links than were looked at waits for any of the others. */
  async #waitsForMore(block: PendingBlock): Promise<boolean> {
    const links = block.node?.links ?? (await this.#links.read(block.id))
    do {
      const missing = await this.#links.lookUp(links.slice(block.linksSeen, block.linksSeen + WINDOW_LINKS))
      // Meanwhile it may have been dropped over its budget, or have become a local node.
      if (this.#pending.get(block.id) !== block) return true
      this.#links.forgetArrived(missing)
      block.linksSeen = Math.min(block.linksSeen + WINDOW_LINKS, links.length)
      this.#pending.awaitMore(block, missing)
    } while (block.missing.size === 0 && block.linksSeen < links.length)
    // What it waits for now counts as what it waited for at first does.
    this.#eviction.enforce(block)
    this.#wantMissing(block)
    return block.missing.size > 0
  }

  /** A link that waits itself is here: what it lacks is asked for already. */
  #wantMissing(block: PendingBlock): void {
    const { id, missing, from } = block
    // It was too much for its budget.
    if (this.#pending.get(id) !== block) return
    const absent = [...missing].filter((link) => !this.#pending.has(link))
    if (absent.length > 0) this.#init.want(absent, from, false)
  }

  #newEviction(): Eviction {
    const { limits, counters, state, remember, forget, want } = this.#init
    return new Eviction({
      pending: this.#pending,
      headsMax: limits.wantedHeadsMax,
      drop: (id) => this.#drop(id),
      remember,
      giveUp: (id) => {
        counters.droppedHeads += 1
        forget(id)
        this.settlement.settle(id)
      },
      want: (id, from) => want([id], from, true),
      evicted: (count) => {
        counters.pendingEvicted += count
        state.oweClock()
      }
    })
  }

  /** Two replicas may write the very same node: it must not be applied again. */
  #unqueue(id: BlockId): void {
    if (this.#queue.remove(id)?.stored) this.#rows.delete(id)
  }

  #drop(id: BlockId): void {
    const block = this.#pending.get(id)
    if (block === undefined) return
    for (const link of this.#pending.remove(id)) this.#init.unwant(link)
    this.#rows.remove(block)
    if (block.stored) this.#rows.delete(id)
    if (block.node !== undefined) this.#room.free(block.size)
    this.#init.wake()
  }
}
