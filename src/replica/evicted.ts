/**
 * Heads that were dropped over the budget of a peer, until there is room for them again.
 *
 * Invariant: none is forgotten in silence: it is remembered on disk too, or given up where there are too many.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { PeerName } from './ports.ts'

export interface EvictedHeadsInit {
  headsMax: number
  remember(id: BlockId): void
  /** It is one too many. */
  giveUp(id: BlockId): void
}

export class EvictedHeads {
  readonly #init: EvictedHeadsInit
  readonly #heads = new Map<BlockId, PeerName>()

  constructor(init: EvictedHeadsInit) {
    this.#init = init
  }

  ids(): IterableIterator<BlockId> {
    return this.#heads.keys()
  }

  /** @param from - whose budget it was dropped over. */
  add(id: BlockId, from: PeerName): void {
    const { headsMax, remember, giveUp } = this.#init
    if (this.#heads.size >= headsMax) {
      giveUp(id)
      return
    }
    this.#heads.set(id, from)
    remember(id)
  }

  delete(id: BlockId): boolean {
    return this.#heads.delete(id)
  }

  /** Takes out those whose peer has room again. */
  take(hasRoom: (from: PeerName) => boolean): Array<{ id: BlockId; from: PeerName }> {
    const taken = [...this.#heads].filter(([, from]) => hasRoom(from)).map(([id, from]) => ({ id, from }))
    for (const { id } of taken) this.#heads.delete(id)
    return taken
  }
}
