/**
 * What interface-datastore's queries do after the prefix: filters, orders, offset and limit, in that order.
 *
 * Invariant: without orders nothing is held back, and a query that is left early or has met its limit reads no
 * further.
 */

/** The parts of `Query` and of `KeyQuery` that come after the prefix. */
export interface QueryTail<T> {
  filters?: Array<(item: T) => boolean>
  orders?: Array<(a: T, b: T) => -1 | 0 | 1>
  offset?: number
  limit?: number
}

export async function* applyQuery<T>(
  source: AsyncIterable<T>,
  { filters = [], orders = [], offset = 0, limit = Number.POSITIVE_INFINITY }: QueryTail<T>
): AsyncGenerator<T> {
  if (limit <= 0) return
  const items = orders.length === 0 ? filtered(source, filters) : sorted(source, filters, orders)
  let index = 0
  for await (const item of items) {
    if (index++ < offset) continue
    yield item
    if (index >= offset + limit) return
  }
}

async function* filtered<T>(
  source: AsyncIterable<T>,
  filters: ReadonlyArray<(item: T) => boolean>
): AsyncGenerator<T> {
  for await (const item of source) {
    if (filters.every((filter) => filter(item))) yield item
  }
}

async function* sorted<T>(
  source: AsyncIterable<T>,
  filters: ReadonlyArray<(item: T) => boolean>,
  orders: ReadonlyArray<(a: T, b: T) => -1 | 0 | 1>
): AsyncGenerator<T> {
  const items: T[] = []
  for await (const item of filtered(source, filters)) items.push(item)
  // Each order is a stable sort of what the one before it gave, as in interface-datastore's own stores.
  for (const order of orders) items.sort(order)
  yield* items
}
