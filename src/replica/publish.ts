/**
 * The local path: what callers ask for becomes deltas, and each delta a node on top of the heads.
 *
 * Units (a put, a delete, a batch) that wait together share a delta where they fit; a unit that fits into one
 * delta is never divided, a larger one becomes several nodes of one commit, each linking to the one before.
 *
 * Invariants: no key stands twice in a delta; a delete names every alive version that this replica knows; no
 * delta is larger than the limit, since a single element that would be is refused before it is queued.
 */
import { BLOCK_ID_LENGTH, blockIdOf } from '../codec/block-id.ts'
import { deltaOverhead, elementSize, tombstoneSize } from '../codec/delta.ts'
import { composeIntents, type Delta, type Element, type KeyIntent, type Tombstone } from '../crdt/delta.ts'
import { nextPriority, PRIORITY_MAX } from '../crdt/merkle-clock.ts'
import { InvalidDeltaError } from '../errors.ts'
import type { Eventual } from '../eventual.ts'
import type { CommitDraft } from './merge.ts'
import type { ReplicaState } from './state.ts'
import type { WriteUnit } from './write-queue.ts'

export interface PublishLimits {
  deltaBytesMax: number
  linksMax: number
}

/** One element or tombstone, and what it adds to its delta. */
type Item = { size: number; element: Element } | { size: number; tombstone: Tombstone }

/** Whether one element fits into a delta by itself. */
export function elementFits(
  key: string,
  valueLength: number,
  dagName: string,
  deltaBytesMax: number
): boolean {
  return elementSize(key, valueLength) + deltaOverhead(dagName) <= deltaBytesMax
}

/** Adds the nodes of units, all of one DAG, to a draft. */
export class Publisher {
  readonly #draft: CommitDraft
  readonly #state: ReplicaState
  readonly #limits: PublishLimits
  readonly #dagName: string
  readonly #bytesMax: number

  constructor(draft: CommitDraft, state: ReplicaState, limits: PublishLimits, dagName: string) {
    this.#draft = draft
    this.#state = state
    this.#limits = limits
    this.#dagName = dagName
    this.#bytesMax = limits.deltaBytesMax - deltaOverhead(dagName)
  }

  /** @param share - whether units may share a delta. */
  async publish(units: readonly WriteUnit[], share: boolean): Promise<void> {
    const composed = units.map(({ operations }) => composeIntents(operations))
    await this.#load(composed)
    const [only] = composed
    // A key of a batch that nothing waits with allocates 16% more if it is looked at as if there were more to share with.
    if (only !== undefined && composed.length === 1) await this.#seal(only)
    else await this.#publishMany(composed, share)
  }

  async #publishMany(composed: ReadonlyArray<Map<string, KeyIntent>>, share: boolean): Promise<void> {
    let shared = new Map<string, KeyIntent>()
    let size = 0
    for (const intents of composed) {
      let added = this.#sizeOf(intents)
      if (shared.size > 0 && (!share || size + added > this.#bytesMax)) {
        await this.#seal(shared)
        shared = new Map()
        size = 0
        // What was sealed is alive now, and a delete in this unit has to name it too.
        added = this.#sizeOf(intents)
      }
      for (const [key, intent] of intents) {
        // A unit that only puts must not forget the removal that an earlier unit of this delta asked for.
        shared.set(key, { ...intent, clear: intent.clear || (shared.get(key)?.clear ?? false) })
      }
      size += added
    }
    await this.#seal(shared)
  }

  /**
   * One node that says exactly this.
   *
   * @throws InvalidDeltaError if it does not fit.
   */
  async publishDelta({ elements, tombstones }: Pick<Delta, 'elements' | 'tombstones'>): Promise<void> {
    let size = 0
    for (const { key, value } of elements) size += elementSize(key, value.length)
    for (const { key } of tombstones) size += tombstoneSize(key, BLOCK_ID_LENGTH)
    if (size > this.#bytesMax) {
      throw new InvalidDeltaError(
        `it has ${size} bytes and the limit is ${this.#bytesMax} (option deltaBytesMax); divide it, or use a batch`
      )
    }
    await this.#append({ ...this.#emptyDelta(), elements, tombstones })
  }

  #load(composed: ReadonlyArray<Map<string, KeyIntent>>): Eventual<void> {
    const keys = new Set<string>()
    const removed = new Set<string>()
    for (const intents of composed) {
      for (const [key, { clear }] of intents) {
        keys.add(key)
        if (clear || this.#clockEnded) removed.add(key)
      }
    }
    return this.#draft.load(keys, removed)
  }

  /** At the end of the clock a new element cannot outrank what is there, so its delta has to remove that too. */
  get #clockEnded(): boolean {
    return this.#state.clock >= PRIORITY_MAX
  }

  #items(intents: ReadonlyMap<string, KeyIntent>): Item[] {
    const items: Item[] = []
    for (const [key, { clear, value }] of intents) {
      const versions = this.#draft.versions(key)
      const removed = clear ? versions.aliveIds() : this.#clockEnded ? versions.aliveFrom(PRIORITY_MAX) : []
      const size = removed.length === 0 ? 0 : tombstoneSize(key, BLOCK_ID_LENGTH)
      for (const id of removed) items.push({ size, tombstone: { key, id } })
      if (value !== undefined) items.push({ size: elementSize(key, value.length), element: { key, value } })
    }
    return items
  }

  #sizeOf(intents: ReadonlyMap<string, KeyIntent>): number {
    return this.#items(intents).reduce((sum, item) => sum + item.size, 0)
  }

  /** Makes nodes of intents: one, unless they are too large for one. */
  async #seal(intents: ReadonlyMap<string, KeyIntent>): Promise<void> {
    for (const delta of this.#deltas(intents)) await this.#append(delta)
  }

  #deltas(intents: ReadonlyMap<string, KeyIntent>): Delta[] {
    const deltas: Delta[] = []
    let delta = this.#emptyDelta()
    let size = 0
    for (const item of this.#items(intents)) {
      if (size > 0 && size + item.size > this.#bytesMax) {
        deltas.push(delta)
        delta = this.#emptyDelta()
        size = 0
      }
      if ('element' in item) delta.elements.push(item.element)
      else delta.tombstones.push(item.tombstone)
      size += item.size
    }
    if (size > 0) deltas.push(delta)
    return deltas
  }

  #emptyDelta(): Delta {
    return { elements: [], tombstones: [], priority: 0n, dagName: this.#dagName, requires: [] }
  }

  async #append(delta: Delta): Promise<void> {
    delta.priority = nextPriority(this.#state.clock)
    const heads = this.#draft.heads(this.#dagName).slice(0, this.#limits.linksMax)
    const links = heads.map(({ id }) => id)
    const bytes = this.#draft.encode(delta, links)
    const id = await blockIdOf(bytes)
    this.#state.observe(delta.priority)
    await this.#draft.apply([{ id, bytes, links, foreignLinks: 0, delta }])
  }
}
