/**
 * The blocks that are looked for, and whose heads led to them.
 *
 * Invariant: when heads are too many, whoever has most of the wants loses one, so that a peer that invents heads
 * takes no place from others.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { PeerName } from '../replica/ports.ts'

/** A block that is not here. */
export interface Want {
  readonly id: BlockId
  /** The peer that first led to it, whose share of what is under way it takes. */
  readonly owner: PeerName
  /** Somebody said that it is a head. */
  root: boolean
  /** One attempt only. */
  once: boolean
  readonly createdAt: number
  /** The last progress of its branch: patience counts from here. */
  since: number
  /** Peers that said they have it, or something above it. */
  readonly sources: Set<PeerName>
  /** Peers whose stream ended without it: well, so that they do not have it, or badly. */
  readonly pulled: Map<PeerName, 'well' | 'badly'>
  /** Ask for the block itself before any stream. */
  byId: boolean
  failures: number
  timer: unknown
}

export class Wants {
  readonly #wants = new Map<BlockId, Want>()
  readonly #byOwner = new Map<PeerName, Set<Want>>()

  get size(): number {
    return this.#wants.size
  }

  get(id: BlockId): Want | undefined {
    return this.#wants.get(id)
  }

  has(want: Want): boolean {
    return this.#wants.get(want.id) === want
  }

  values(): IterableIterator<Want> {
    return this.#wants.values()
  }

  add(want: Want): void {
    this.#wants.set(want.id, want)
    const wants = this.#byOwner.get(want.owner) ?? new Set()
    this.#byOwner.set(want.owner, wants.add(want))
  }

  delete({ id, owner }: Want): void {
    const want = this.#wants.get(id)
    const wants = this.#byOwner.get(owner)
    if (want === undefined) return
    this.#wants.delete(id)
    wants?.delete(want)
    if (wants?.size === 0) this.#byOwner.delete(owner)
  }

  clear(): void {
    this.#wants.clear()
    this.#byOwner.clear()
  }

  /** The head to give up for another one of this owner; undefined if it is that one. */
  victimFor(owner: PeerName): Want | undefined {
    let most = this.#byOwner.get(owner)
    for (const wants of this.#byOwner.values()) if (wants.size > (most?.size ?? 0)) most = wants
    if (most === undefined || most === this.#byOwner.get(owner)) return undefined
    for (const want of most) if (want.root) return want
    return undefined
  }
}
