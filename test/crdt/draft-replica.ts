// A replica reduced to the merge: rows in memory, no network, no queue, no timers. Blocks are given to it in any
// order and in commits of any size, and all that it then holds, internal rows included, can be compared with what
// the oracle makes of the same blocks.
import { MemoryDatastore } from 'datastore-core'
import { blockIdOf, cidFromBlockId } from '../../src/codec/block-id.ts'
import { decodeNode } from '../../src/codec/node.ts'
import type { BlockId, Operation } from '../../src/crdt/delta.ts'
import { defaultLimits } from '../../src/options.ts'
import { IgnoredDags } from '../../src/replica/ignored-dags.ts'
import { CommitDraft, KNOWN_FEATURES } from '../../src/replica/merge.ts'
import { Publisher, type PublishLimits } from '../../src/replica/publish.ts'
import { Purges } from '../../src/replica/purge.ts'
import type { Committed, MergeStores } from '../../src/replica/staged-commit.ts'
import { ReplicaState } from '../../src/replica/state.ts'
import type { WriteUnit } from '../../src/replica/write-queue.ts'
import { atomicCommitter } from '../../src/storage/commit.ts'
import { GapStore } from '../../src/storage/gap-store.ts'
import { HeadsStore } from '../../src/storage/heads-store.ts'
import { Layout, unescapeText } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { decodeDagNames, decodePriority } from '../../src/storage/rows.ts'
import { SetStore } from '../../src/storage/set-store.ts'

const NAMESPACE = '/crdt'

/** Everything that a set of blocks determines, in a form that prints well. */
export interface Shown {
  /** Key to value, in hexadecimal digits. */
  state: Record<string, string>
  /** Key to the id of the block whose value shows. */
  winners: Record<string, BlockId>
  /** Every alive version: key, priority and id. */
  alive: string[]
  /** DAG name to the sorted CIDs of its heads. */
  heads: Record<string, string[]>
  digest: string
  keys: number
  elements: number
  nodes: number
  /** Links to blocks that are not there: who links, and to whom. */
  gaps: string[]
  deferred: number
  /** The greatest priority of all. */
  clock: bigint
}

const SILENT = Object.assign(() => {}, { error: () => {}, trace: () => {} })

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export class DraftReplica {
  readonly datastore: MemoryDatastore
  readonly stores: MergeStores
  readonly state: ReplicaState
  readonly #known: ReadonlySet<number>

  private constructor(
    datastore: MemoryDatastore,
    stores: MergeStores,
    state: ReplicaState,
    known: ReadonlySet<number>
  ) {
    this.datastore = datastore
    this.stores = stores
    this.state = state
    this.#known = known
  }

  /** Opens a replica over a datastore, as `Replica.start` does. */
  static async open(
    datastore: MemoryDatastore = new MemoryDatastore(),
    known = KNOWN_FEATURES
  ): Promise<DraftReplica> {
    const rows = rowStoreOver(datastore, { atomicBatch: true, durability: 'process' })
    const layout = new Layout(NAMESPACE)
    const [heads, gaps] = [new HeadsStore(layout), new GapStore(rows, layout)]
    const state = ReplicaState.load(layout.state, await rows.get(layout.state))
    await heads.load(rows, state.committed.heads)
    await gaps.load()
    const log = new LogStore(rows, layout)
    const stores = { rows, layout, log, heads, gaps, sets: new SetStore(rows, layout) }
    return new DraftReplica(datastore, { ...stores, committer: atomicCommitter(rows) }, state, known)
  }

  /** The same replica after a restart, perhaps of a version that knows more features. */
  async reopened(known = this.#known): Promise<DraftReplica> {
    return await DraftReplica.open(this.datastore, known)
  }

  /** A block was received and verified, and waits for its ancestors: it counts for the clock from then on. */
  async hear(block: Uint8Array): Promise<void> {
    this.state.observe(decodeNode(await blockIdOf(block), block).delta.priority)
  }

  /** Merges blocks in one commit, in this order; those that were merged before are left out, as on receipt. */
  async merge(blocks: readonly Uint8Array[]): Promise<Committed | undefined> {
    const ids = new Map<BlockId, Uint8Array>()
    for (const block of blocks) {
      const id = await blockIdOf(block)
      if ((await this.stores.log.applied(id)) === undefined) ids.set(id, block)
    }
    if (ids.size === 0) return undefined
    const nodes = [...ids].map(([id, block]) => decodeNode(id, block))
    for (const { delta } of nodes) this.state.observe(delta.priority)
    const draft = new CommitDraft(this.stores, this.state, 'remote', this.#known)
    await draft.apply(nodes)
    return await draft.commit()
  }

  /** Writes as one local commit and gives the blocks that it made. */
  async write(
    operations: readonly Operation[],
    { dagName = '', limits = {} }: { dagName?: string; limits?: Partial<PublishLimits> } = {}
  ): Promise<Uint8Array[]> {
    return await this.writeUnits([{ operations, dagName }], { dagName, limits })
  }

  /** Writes units that waited together. */
  async writeUnits(
    units: readonly WriteUnit[],
    {
      dagName = '',
      limits = {},
      share = true
    }: { dagName?: string; limits?: Partial<PublishLimits>; share?: boolean } = {}
  ): Promise<Uint8Array[]> {
    const draft = new CommitDraft(this.stores, this.state, 'local', this.#known)
    const publishLimits = { deltaBytesMax: 1024 * 1024, linksMax: 1024, ...limits }
    await new Publisher(draft, this.state, publishLimits, dagName).publish(units, share)
    if (draft.nodeCount === 0) return []
    return (await draft.commit()).nodes.map(({ bytes }) => bytes)
  }

  /** Runs what waited for features that are known by now. */
  async runDeferred(): Promise<void> {
    const { rows, layout, log } = this.stores
    for await (const row of rows.scanKeys(layout.deferred)) {
      const id = layout.idOf(row)
      const draft = new CommitDraft(this.stores, this.state, 'remote', this.#known)
      await draft.runDeferred(decodeNode(id, (await log.block(id))!))
      await draft.commit()
    }
  }

  /** Drops a DAG, and takes it up again, so that its blocks may be merged anew. @returns what its commits did. */
  async purge(dagName: string): Promise<Committed[]> {
    const commits: Committed[] = []
    const purges = new Purges({
      ...{ stores: this.stores, state: this.state, ignored: new IgnoredDags(this.stores.layout) },
      ...{ limits: defaultLimits, logger: SILENT, breathe: () => undefined, begun: async () => {} },
      exclusively: async (task) => await task(),
      onCommitted: (committed) => void commits.push(committed)
    })
    await purges.purge(dagName)
    await purges.resume(dagName)
    return commits
  }

  async value(key: string): Promise<Uint8Array | undefined> {
    return await this.stores.sets.value(key)
  }

  /** Every block, in the order in which they were applied. */
  async blocks(): Promise<Uint8Array[]> {
    const blocks: Uint8Array[] = []
    for await (const { bytes } of this.stores.log.read(1, this.state.committed.sequence)) blocks.push(bytes)
    return blocks
  }

  /** The heads of one DAG, as CIDs. */
  heads(dagName = ''): string[] {
    return this.stores.heads
      .list(dagName)
      .map(({ id }) => cidFromBlockId(id).toString())
      .sort()
  }

  async shown(): Promise<Shown> {
    const { sets, rows, layout } = this.stores
    const { digest, keys, elements, sequence, deferred, clock } = this.state.committed
    const state: Shown['state'] = {}
    const winners: Shown['winners'] = {}
    const alive: string[] = []
    const current: string[] = []
    for await (const entries of sets.entries(''))
      for (const { key, value } of entries) {
        state[key] = hexOf(value)
        current.push(key)
      }
    for (const { key, winner } of await sets.load(current)) {
      winners[key] = winner!.id
      alive.push(`${key} ${winner!.priority} ${winner!.id}`)
    }
    // All rows of alive versions are read, so that one which was left behind under a deleted key is seen.
    for await (const { row, value } of rows.scan(`${NAMESPACE}/e/`)) {
      alive.push(`${keyOf(row)} ${decodePriority(row, value)} ${layout.idOf(row)}`)
    }
    const heads: Shown['heads'] = {}
    for (const { dagName } of this.stores.heads.list()) heads[dagName] = this.heads(dagName)
    const gaps: string[] = []
    for await (const row of rows.scanKeys(layout.gaps))
      gaps.push(`${layout.idOf(row)} ${layout.missingOfGap(row)}`)
    return {
      ...{ state, winners, alive: alive.sort(), heads, digest: hexOf(digest), keys, elements },
      ...{ nodes: sequence, gaps: gaps.sort(), deferred, clock }
    }
  }

  /** Every remembered tombstone: key, id and the DAGs that it was written in. */
  async tombstones(): Promise<Array<{ key: string; id: BlockId; dagNames: string[] }>> {
    const { rows, layout } = this.stores
    const tombstones: Array<{ key: string; id: BlockId; dagNames: string[] }> = []
    for await (const { row, value } of rows.scan(`${NAMESPACE}/t/`))
      tombstones.push({ key: keyOf(row), id: layout.idOf(row), dagNames: decodeDagNames(row, value) })
    return tombstones
  }
}

/** The key in a row such as `/crdt/e<key>:<id>`. */
function keyOf(row: string): string {
  return unescapeText(row.slice(`${NAMESPACE}/e`.length, row.lastIndexOf(':')))
}
