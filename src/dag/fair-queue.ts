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

  /** The next ones, at most so many. They are under way until each is `done`. */
  take(count: number): T[] {
    const taken: T[] = []
    for (const [owner, queue] of [...this.#queues]) {
      const underWay = this.#underWay.get(owner) ?? 0
      const own = [...first(queue, Math.min(count - taken.length, this.#share - underWay))]
      if (own.length === 0) continue
      for (const item of own) this.delete(item)
      this.#underWay.set(owner, underWay + own.length)
      taken.push(...own)
      // Whoever had a turn waits for the others.
      if (this.#queues.delete(owner) && queue.size > 0) this.#queues.set(owner, queue)
    }
    return taken
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
