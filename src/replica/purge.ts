/**
 * Dropping a DAG: its nodes, their blocks and what they did to the keys. What is left is what the other nodes make
 * of the keys, as if those of this DAG had never come.
 *
 * The DAG is ignored from the first commit on. Its nodes then go some at a time, each commit whole in itself, so
 * that a purge of any size takes bounded memory and one that was cut off is ended at the next start. Elements of
 * other DAGs that only its tombstones removed come back; its elements that others removed stay removed if it is
 * ever taken up again, because such tombstones are remembered.
 *
 * Invariants: runs in the single writer's turns; nothing of the DAG can be applied meanwhile; what one commit drops is
 * bounded in nodes and bytes.
 */
import type { DagNode } from '../codec/node.ts'
import type { BlockId, Tombstone } from '../crdt/delta.ts'
import { ClosedError, CorruptRowError } from '../errors.ts'
import type { Limits } from '../options.ts'
import { ChangeSet } from '../storage/commit.ts'
import type { IgnoredDags } from './ignored-dags.ts'
import type { Logger } from './ports.ts'
import { type Committed, type MergeStores, StagedCommit } from './staged-commit.ts'
import type { ReplicaState } from './state.ts'

/** Nodes that one commit drops. */
const NODES_MAX = 256

export interface PurgeInit {
  stores: MergeStores
  state: ReplicaState
  ignored: IgnoredDags
  limits: Limits
  logger: Logger
  /** Called for every row that is read: lets others run now and then. */
  breathe(): Promise<void> | undefined
  /** Runs a task when no commit is under way. */
  exclusively<T>(task: () => Promise<T>): Promise<T>
  /** A DAG is ignored from now on: what waits of it has to go. */
  begun(dagName: string): Promise<void>
  onCommitted(committed: Committed): void
}

interface PurgedNode {
  id: BlockId
  sequence: number
  /** Absent where its block is gone. */
  node: DagNode | undefined
}

/** Who may link over a gap. */
interface Linker {
  id: BlockId
  links: BlockId[]
  dagName: string
}

/** Purges and resumptions, one after the other. */
export class Purges {
  readonly #init: PurgeInit
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(init: PurgeInit) {
    this.#init = init
  }

  /** @returns how many nodes were dropped. */
  async purge(dagName: string, signal?: AbortSignal): Promise<number> {
    return await this.#afterOthers(async () => await this.#purge(dagName, signal))
  }

  /** Takes a DAG up again. @returns whether it was ignored. */
  async resume(dagName: string): Promise<boolean> {
    return await this.#afterOthers(async () => {
      const { stores, ignored, exclusively } = this.#init
      if (!ignored.has(dagName)) return false
      // One that was cut off has to end first, or its rest would be neither there nor gone.
      if (ignored.halfPurged().includes(dagName)) await this.#purge(dagName, undefined)
      await exclusively(async () => {
        const changes = new ChangeSet()
        ignored.delete(dagName, changes)
        await stores.committer.commit(changes)
        ignored.adopt(dagName, undefined)
      })
      return true
    })
  }

  /** Runs a task while nothing is purged. */
  async between<T>(task: () => Promise<T>): Promise<T> {
    return await this.#afterOthers(task)
  }

  /** Ends the purges that a crash or an abort cut off. One that damage stops must not keep the rest from use. */
  async finish(): Promise<void> {
    const { ignored, logger } = this.#init
    for (const dagName of ignored.halfPurged()) {
      try {
        await this.purge(dagName)
      } catch (error) {
        if (!(error instanceof CorruptRowError)) throw error
        logger.error('the purge of DAG %s could not be ended - %e', dagName, error)
      }
    }
  }

  /** Ends the purge under way as soon as it may end, to be taken up at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #afterOthers<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#running.then(task)
    this.#running = done.catch(() => {})
    return await done
  }

  async #purge(dagName: string, signal: AbortSignal | undefined): Promise<number> {
    const { ignored, exclusively } = this.#init
    this.#goOn(signal)
    if (ignored.isPurged(dagName)) return 0
    await exclusively(async () => this.#begin(dagName))
    let purged = 0
    // Not every datastore finds all rows while some of them are deleted, so one scan has to find none.
    for (;;) {
      const found = await this.#dropAll(dagName, signal)
      if (found === 0) break
      purged += found
    }
    await this.#openGaps(dagName, signal)
    await exclusively(async () => this.#end(dagName))
    return purged
  }

  /** @throws ClosedError or the signal's reason if the purge has to end here. */
  #goOn(signal: AbortSignal | undefined): void {
    if (this.#stopped) throw new ClosedError()
    signal?.throwIfAborted()
  }

  async #begin(dagName: string): Promise<void> {
    const { ignored, begun, onCommitted } = this.#init
    const draft = new PurgeDraft(this.#init)
    const row = { purged: false }
    ignored.put(dagName, row, draft.rows)
    draft.dropHeads(dagName)
    const committed = await draft.commit()
    ignored.adopt(dagName, row)
    onCommitted(committed)
    await begun(dagName)
  }

  /** One scan. @returns how many nodes it found. */
  async #dropAll(dagName: string, signal: AbortSignal | undefined): Promise<number> {
    const { stores, limits, exclusively, breathe, onCommitted } = this.#init
    let found = 0
    let nodes: PurgedNode[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (nodes.length === 0) return
      await exclusively(async () => {
        const draft = new PurgeDraft(this.#init)
        await draft.drop(dagName, nodes)
        onCommitted(await draft.commit())
      })
      found += nodes.length
      nodes = []
      bytes = 0
    }
    for await (const { id, sequence, ...row } of stores.log.appliedNodes()) {
      this.#goOn(signal)
      await breathe()
      if (row.dagName !== dagName) continue
      const block = (await stores.log.at(sequence))?.bytes
      nodes.push({ id, sequence, node: block === undefined ? undefined : stores.log.codec.decode(id, block) })
      bytes += block?.length ?? 0
      if (nodes.length >= NODES_MAX || bytes >= limits.commitBytesMax) await flush()
    }
    this.#goOn(signal)
    await flush()
    return found
  }

  /** Nodes of other DAGs may link to what is gone. */
  async #openGaps(dagName: string, signal: AbortSignal | undefined): Promise<void> {
    const { stores, state, ignored, exclusively, breathe, onCommitted } = this.#init
    const last = state.committed.sequence
    let suspects: Linker[] = []
    const flush = async (): Promise<void> => {
      if (suspects.length === 0) return
      await exclusively(async () => {
        const draft = new PurgeDraft(this.#init)
        if (!(await draft.openGaps(suspects))) return
        const committed = await draft.commit()
        // Nobody has to be asked for what is ignored.
        for (const { missing } of committed.gapsOpened) ignored.addNode(missing, dagName)
        onCommitted(committed)
      })
      suspects = []
    }
    for await (const { id, bytes } of stores.log.read(1, last)) {
      this.#goOn(signal)
      await breathe()
      const { links, delta } = stores.log.codec.decode(id, bytes)
      const applied = await stores.log.appliedMany(links)
      if (applied.includes(undefined)) suspects.push({ id, links, dagName: delta.dagName })
      if (suspects.length >= NODES_MAX) await flush()
    }
    this.#goOn(signal)
    await flush()
  }

  async #end(dagName: string): Promise<void> {
    const { ignored } = this.#init
    const draft = new PurgeDraft(this.#init)
    const row = { purged: true }
    ignored.put(dagName, row, draft.rows)
    await draft.commit()
    ignored.adopt(dagName, row)
  }
}

/** One commit that drops nodes: what `CommitDraft` is for nodes that come. */
class PurgeDraft {
  readonly #init: PurgeInit
  readonly #staged: StagedCommit
  #dropped = false

  constructor(init: PurgeInit) {
    this.#init = init
    this.#staged = new StagedCommit(init.stores, init.state)
  }

  get rows(): ChangeSet {
    return this.#staged.rows
  }

  dropHeads(dagName: string): void {
    this.#staged.heads.drop(dagName)
  }

  async drop(dagName: string, purged: readonly PurgedNode[]): Promise<void> {
    const { log, layout, rows } = this.#init.stores
    this.#dropped = true
    const deferred = await rows.getMany(purged.map(({ id }) => layout.deferredNode(id)))
    const ran: DagNode[] = []
    for (const [index, { id, sequence, node }] of purged.entries()) {
      if (node !== undefined) await this.#closeGaps(node)
      if (deferred[index] !== undefined) {
        this.rows.delete(layout.deferredNode(id))
        this.#staged.state.row.deferred -= 1
      } else if (node !== undefined) ran.push(node)
      log.delete(id, sequence, this.rows)
    }
    await this.#undo(dagName, ran)
  }

  /** @returns whether any of these nodes has a link to a block that is not here, and no gap for it yet. */
  async openGaps(nodes: readonly Linker[]): Promise<boolean> {
    const { log, layout, rows } = this.#init.stores
    for (const { id: linkedBy, links, dagName } of nodes) {
      const applied = await log.appliedMany(links)
      const missing = links.filter((_, index) => applied[index] === undefined)
      const known = await rows.getMany(missing.map((link) => layout.gap(link, linkedBy)))
      const row = await log.applied(linkedBy)
      if (row === undefined) continue
      for (const [index, link] of missing.entries()) {
        if (known[index] !== undefined) continue
        this.#staged.gaps.open({ missing: link, linkedBy, dagName, sequence: row.sequence }, this.rows)
      }
    }
    return this.#staged.gaps.opened().length > 0
  }

  async commit(): Promise<Committed> {
    return await this.#staged.commit({
      origin: 'local',
      nodes: [],
      sequenceOf: () => undefined,
      adopt: () => {
        if (this.#dropped) this.#init.stores.log.forget()
      }
    })
  }

  /** Who links over a gap is gone, and the gap with it. */
  async #closeGaps({ id, links, delta }: DagNode): Promise<void> {
    if (this.#init.state.committed.gaps === 0) return
    const { layout, rows } = this.#init.stores
    const known = await rows.getMany(links.map((link) => layout.gap(link, id)))
    for (const [index, missing] of links.entries()) {
      if (known[index] === undefined) continue
      const gap = { missing, linkedBy: id, dagName: delta.dagName, sequence: 0 }
      this.#staged.gaps.forget(gap, this.rows)
    }
  }

  async #undo(dagName: string, nodes: readonly DagNode[]): Promise<void> {
    const keys = new Set<string>()
    for (const { delta } of nodes) {
      for (const { key } of [...delta.elements, ...delta.tombstones]) keys.add(key)
    }
    await this.#staged.keys.load(keys, keys)
    await this.#staged.keys.loadTombstones(nodes.flatMap(({ delta }) => delta.tombstones))
    for (const { id, delta } of nodes) {
      for (const { key } of delta.elements) this.#staged.keys.touch(key, id).forget(id)
      for (const tombstone of delta.tombstones) {
        const versions = this.#staged.keys.touch(tombstone.key, id)
        if (!versions.isTombstoneRemembered(tombstone.id)) continue
        const target = await this.#target(tombstone)
        if (!versions.forgetTombstone(tombstone.id, dagName, target?.dagName)) continue
        // An element of another DAG that nothing removes any more.
        if (target === undefined || target.dagName === dagName) continue
        versions.add(tombstone.id, target.priority, target.value, target.dagName)
      }
    }
  }

  /** The element that a tombstone names, if its block has run and has it. */
  async #target({
    key,
    id
  }: Tombstone): Promise<{ priority: bigint; dagName: string; value: Uint8Array } | undefined> {
    const { log, layout, rows } = this.#init.stores
    const applied = await log.applied(id)
    if (applied === undefined || (await rows.get(layout.deferredNode(id))) !== undefined) return undefined
    const value = await this.#staged.values.find(id, key)
    return value === undefined ? undefined : { ...applied, value }
  }
}
