/**
 * The DAG of a store, for those who look at nodes and not only at keys.
 */
import type { AbortOptions } from 'abort-error'
import { Key } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import { untilAborted, untilAbortedEach } from './abort.ts'
import { breather } from './breather.ts'
import { checkedDagName, checkedElement, checkedForeignDagName, checkedForeignKey } from './checks.ts'
import { blockIdFromCid, cidFromBlockId } from './codec/block-id.ts'
import type { BlockId, Element, Tombstone } from './crdt/delta.ts'
import { dotLines, type PrintOptions, printLines, type RenderOptions } from './dag/render.ts'
import { type TraversedNode, traverse } from './dag/traverse.ts'
import { InvalidCidError, InvalidDeltaError } from './errors.ts'
import type { Limits } from './options.ts'
import type { Clock } from './replica/ports.ts'
import type { Replica } from './replica/replica.ts'

/** An applied node. */
export interface DagNodeView {
  cid: CID
  /** The nodes it was written on. */
  links: CID[]
  /** The causal height of the node, an exact uint64. */
  priority: bigint
  /** `''` is the unnamed DAG. */
  dagName: string
  /** The order in which it came here. */
  sequence: number
  /** What it adds. */
  elements: Array<{ key: Key; value: Uint8Array }>
  /** What it removes: of each key, the value that one node gave it. */
  tombstones: Array<{ key: Key; cid: CID }>
  /** The block itself. */
  bytes: Uint8Array
}

/** What a node is to say, for `publish`. */
export interface DeltaToPublish {
  /** Each key once. */
  elements?: Iterable<{ key: Key; value: Uint8Array }>
  tombstones?: Iterable<{ key: Key; cid: CID }>
}

/** Where a walk begins, and what may end it. */
export interface FromOptions extends AbortOptions {
  /**
   * The nodes to begin at; those that are not applied are passed over.
   *
   * @default the heads of all DAGs
   */
  from?: CID | Iterable<CID>
}

export interface DagOptions {
  replica(): Replica
  limits(): Limits
  clock(): Clock
}

/** `store.dag`. Made with the store; every method throws what the store's own methods throw. */
export class StoreDag {
  readonly #options: DagOptions

  constructor(options: DagOptions) {
    this.#options = options
  }

  /**
   * Every applied node at or below some nodes, each once, newest first: children before parents, but for nodes that
   * came after their children because they could not be had before. What is written meanwhile is left out.
   *
   * @throws InvalidCidError if a CID cannot name a node.
   */
  async *traverse({ from, signal }: FromOptions = {}): AsyncGenerator<DagNodeView> {
    for await (const node of this.#walk(from, signal)) yield viewOf(node)
  }

  /** A drawing in Graphviz' language, line by line, of at most `limit` nodes. */
  async *dot({ from, signal, ...options }: FromOptions & RenderOptions = {}): AsyncGenerator<string> {
    yield* dotLines(this.#walk(from, signal), options)
  }

  /** A drawing in text, line by line, newest node first, as `git log --graph` has it. */
  async *print({ from, signal, ...options }: FromOptions & PrintOptions = {}): AsyncGenerator<string> {
    yield* printLines(this.#walk(from, signal), options)
  }

  /**
   * Whether a node was applied here: its effects are merged, and everything below it is, but for gaps.
   *
   * @throws InvalidCidError if the CID cannot name a node.
   */
  async isApplied(cid: CID, options?: AbortOptions): Promise<boolean> {
    const { log } = this.#options.replica().stores
    const row = await untilAborted(Promise.resolve(log.applied(idOf(cid))), options?.signal)
    return row !== undefined
  }

  /**
   * Writes one node that says exactly this, on top of the heads of its DAG, with the next priority: for those who
   * make deltas of their own. `put`, `delete` and `batch` find out by themselves which versions a delete has to
   * name.
   *
   * @returns the node.
   * @throws InvalidDeltaError if it says nothing, names a key twice or does not fit into one node; what `put`
   * throws.
   */
  async publish(delta: DeltaToPublish, options: AbortOptions & { dagName?: string } = {}): Promise<CID> {
    const replica = this.#options.replica()
    const limits = this.#options.limits()
    const dagName = checkedDagName(options.dagName)
    options.signal?.throwIfAborted()
    const elements = Array.from(delta.elements ?? [], ({ key, value }) =>
      checkedElement(key.toString(), value, dagName, limits)
    )
    const tombstones = Array.from(delta.tombstones ?? [], ({ key, cid }) => ({
      key: checkedForeignKey(key.toString()),
      id: idOf(cid)
    }))
    checkDelta(elements, tombstones)
    const id = await untilAborted(replica.publish({ elements, tombstones }, dagName), options.signal)
    return cidFromBlockId(id)
  }

  /**
   * Drops a DAG here, and here only: its nodes, their blocks (not those in a `blockstore` of your own) and what
   * they did to the keys, as if they had never come. From then on nothing of it is taken, until `resume`. Elements
   * of other DAGs that only this one removed come back. Takes time in proportion to the store; other calls go on
   * meanwhile and see it half done. One that is cut off, by an abort or a crash, is ended at the next start.
   *
   * @returns how many nodes were dropped.
   */
  async purge(dagName: string, options?: AbortOptions): Promise<number> {
    const replica = this.#options.replica()
    options?.signal?.throwIfAborted()
    return await untilAborted(
      replica.purges.purge(checkedForeignDagName(dagName), options?.signal),
      options?.signal
    )
  }

  /** Takes a purged DAG up again: what peers have of it is fetched. What other DAGs removed of it stays removed. */
  async resume(dagName: string, options?: AbortOptions): Promise<void> {
    await untilAborted(this.#options.replica().resume(checkedForeignDagName(dagName)), options?.signal)
  }

  #walk(from: FromOptions['from'], signal: AbortSignal | undefined): AsyncGenerator<TraversedNode> {
    const replica = this.#options.replica()
    const ids = from === undefined ? replica.heads().map(({ id }) => id) : Array.from(cidsOf(from), idOf)
    const breathe = breather(this.#options.clock())
    const goOn = (): Promise<void> | undefined => {
      replica.assertUsable()
      return breathe()
    }
    return untilAbortedEach(traverse(replica.stores.log, ids, goOn), signal)
  }
}

function viewOf({ id, links, delta, sequence, bytes }: TraversedNode): DagNodeView {
  const { priority, dagName, elements, tombstones } = delta
  return {
    ...{ cid: cidFromBlockId(id), links: links.map(cidFromBlockId), priority, dagName, sequence },
    elements: elements.map(({ key, value }) => ({ key: new Key(key, false), value })),
    tombstones: tombstones.map((one) => ({ key: new Key(one.key, false), cid: cidFromBlockId(one.id) })),
    bytes
  }
}

function cidsOf(from: CID | Iterable<CID>): Iterable<CID> {
  return Symbol.iterator in from ? from : [from]
}

/** @throws InvalidCidError */
function idOf(cid: CID): BlockId {
  const id = blockIdFromCid(cid)
  if (id === undefined) throw new InvalidCidError(cid.toString())
  return id
}

/** @throws InvalidDeltaError */
function checkDelta(elements: readonly Element[], tombstones: readonly Tombstone[]): void {
  if (elements.length + tombstones.length === 0) throw new InvalidDeltaError('it says nothing')
  const keys = new Set<string>()
  for (const { key } of elements) {
    if (keys.has(key)) throw new InvalidDeltaError(`it gives ${key} two values; keep the last`)
    keys.add(key)
  }
}
