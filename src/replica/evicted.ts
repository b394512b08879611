/**
 * Heads that were dropped over the budget of a peer, until there is room for them again.
 *
 * Invariant: none is forgotten in silence: it is remembered on disk too, or given up where there are too many.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { Usage } from './budgets.ts'
import type { PeerName } from './ports.ts'

/** Peers remembered as having said one head. */
const SAYERS_MAX = 8

export interface EvictedHeadsInit {
  headsMax: number
  remember(id: BlockId): void
  /** It is one too many. */
  giveUp(id: BlockId): void
}

export interface EvictedHead {
  readonly saidBy: Set<PeerName>
  /** What was dropped with it, and has to fit when it comes again. */
  readonly need: Usage
  /** There was room again, so it is looked for. */
  isAskedFor: boolean
}

export class EvictedHeads {
  readonly #init: EvictedHeadsInit
  readonly #heads = new Map<BlockId, EvictedHead>()

  constructor(init: EvictedHeadsInit) {
    this.#init = init
  }

  get size(): number {
    return this.#heads.size
  }

  ids(): IterableIterator<BlockId> {
    return this.#heads.keys()
  }

  get(id: BlockId): EvictedHead | undefined {
    return this.#heads.get(id)
  }

  add(id: BlockId, head: EvictedHead): void {
    const { headsMax, remember, giveUp } = this.#init
    if (this.#heads.size >= headsMax) {
      giveUp(id)
      return
    }
    this.#heads.set(id, head)
    remember(id)
  }

  /** It is here, or nobody has it. */
  delete(id: BlockId): EvictedHead | undefined {
    const head = this.#heads.get(id)
    this.#heads.delete(id)
    return head
  }

  /** Those for which a peer that said them has room, each once. */
  ask(hasRoom: (from: PeerName, need: Usage) => boolean): Array<{ id: BlockId; from: PeerName }> {
    const asked: Array<{ id: BlockId; from: PeerName }> = []
    for (const [id, head] of this.#heads) {
      if (head.isAskedFor) continue
      const from = [...head.saidBy].find((peer) => hasRoom(peer, head.need))
      if (from === undefined) continue
      head.isAskedFor = true
      asked.push({ id, from })
    }
    return asked
  }
}

/** Notes that a peer said a head, unless many did. */
export function addSayer(saidBy: Set<PeerName>, from: PeerName): void {
  if (saidBy.size < SAYERS_MAX) saidBy.add(from)
}
