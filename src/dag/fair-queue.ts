/**
 * What waits for a turn, and whose turn it is: each owner has a queue, and the queues take turns.
 *
 * Invariant: no owner has more than its share under way, so that one who asks for what nobody has holds up nobody
 * but himself.
 */

/** Something that somebody caused. */
export interface Owned {
  readonly owner: string
}

export class FairQueue<T extends Owned> {
  readonly #share: number
  readonly #queues = new Map<string, Set<T>>()
  readonly #underWay = new Map<string, number>()

  /** @param share - the most that one owner may have under way. */
  constructor(share: number) {
    this.#share = share
  }

  add(item: T): void {
    const queue = this.#queues.get(item.owner) ?? new Set()
    queue.add(item)
    this.#queues.set(item.owner, queue)
  }

  delete(item: T): void {
    const queue = this.#queues.get(item.owner)
    queue?.delete(item)
    if (queue?.size === 0) this.#queues.delete(item.owner)
  }

  /**
   * The next ones of the owner whose turn it is, at most so many. They are under way until each is `done`.
   *
   * @param hasTurn - who may have a turn now.
   */
  take(count: number, hasTurn: (owner: string) => boolean): T[] {
    for (const [owner, queue] of this.#queues) {
      if (!hasTurn(owner)) continue
      const underWay = this.#underWay.get(owner) ?? 0
      const taken = [...first(queue, Math.min(count, this.#share - underWay))]
      if (taken.length === 0) continue
      for (const item of taken) this.delete(item)
      this.#underWay.set(owner, underWay + taken.length)
      // Whoever had a turn waits for the others.
      if (this.#queues.delete(owner) && queue.size > 0) this.#queues.set(owner, queue)
      return taken
    }
    return []
  }

  done({ owner }: T): void {
    const underWay = (this.#underWay.get(owner) ?? 0) - 1
    if (underWay > 0) this.#underWay.set(owner, underWay)
    else this.#underWay.delete(owner)
  }
}

function* first<T>(values: Iterable<T>, count: number): Generator<T> {
  let taken = 0
  for (const value of values) {
    if (taken++ >= count) return
    yield value
  }
}
