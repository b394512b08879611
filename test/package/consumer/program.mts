// What a user writes: a store over a datastore of his own. It is checked by TypeScript, run by Node as it is, and
// bundled for browsers, so it needs nothing but the language. It prints one line at the end.
import { createCrdtDatastore } from 'datastore-crdt'
import { type Batch, type Datastore, Key, type KeyQuery, type Pair, type Query } from 'interface-datastore'

class MapDatastore implements Datastore {
  readonly #rows = new Map<string, Uint8Array>()

  has(key: Key): boolean {
    return this.#rows.has(key.toString())
  }

  get(key: Key): Uint8Array {
    const value = this.#rows.get(key.toString())
    if (value === undefined) throw Object.assign(new Error('No such key'), { name: 'NotFoundError' })
    return value
  }

  put(key: Key, value: Uint8Array): Key {
    this.#rows.set(key.toString(), value)
    return key
  }

  delete(key: Key): void {
    this.#rows.delete(key.toString())
  }

  async *putMany(source: Iterable<Pair> | AsyncIterable<Pair>): AsyncGenerator<Key> {
    for await (const { key, value } of source) yield this.put(key, value)
  }

  async *getMany(source: Iterable<Key> | AsyncIterable<Key>): AsyncGenerator<Pair> {
    for await (const key of source) yield { key, value: this.get(key) }
  }

  async *deleteMany(source: Iterable<Key> | AsyncIterable<Key>): AsyncGenerator<Key> {
    for await (const key of source) {
      this.delete(key)
      yield key
    }
  }

  batch(): Batch {
    const steps: Array<() => void> = []
    return {
      put: (key, value) => void steps.push(() => this.put(key, value)),
      delete: (key) => void steps.push(() => this.delete(key)),
      commit: () => {
        for (const step of steps.splice(0)) step()
      }
    }
  }

  *query({ prefix = '', filters = [], orders = [], offset = 0, limit }: Query): Generator<Pair> {
    let pairs = [...this.#rows].map(([key, value]) => ({ key: new Key(key), value }))
    pairs = pairs.filter((pair) => pair.key.toString().startsWith(prefix))
    for (const filter of filters) pairs = pairs.filter(filter)
    for (const order of orders) pairs.sort(order)
    yield* pairs.slice(offset, limit === undefined ? undefined : offset + limit)
  }

  *queryKeys({ prefix = '', filters = [], orders = [], offset = 0, limit }: KeyQuery): Generator<Key> {
    let keys = [...this.query({ prefix })].map(({ key }) => key)
    for (const filter of filters) keys = keys.filter(filter)
    for (const order of orders) keys.sort(order)
    yield* keys.slice(offset, limit === undefined ? undefined : offset + limit)
  }
}

const datastore = new MapDatastore()
const store = await createCrdtDatastore({ datastore })
const seen: string[] = []
store.addEventListener('change', ({ detail }) => seen.push(`${detail.origin} ${detail.key}`))
await store.put(new Key('/greeting'), new TextEncoder().encode('hello'))
await store.put(new Key('/gone'), new Uint8Array(1000))
await store.delete(new Key('/gone'))
await store.close()

// Opened again, it has what was acknowledged.
const again = await createCrdtDatastore({ datastore })
for await (const { key, value } of again.query({})) seen.push(`${key} ${new TextDecoder().decode(value)}`)
await again.close()
console.log(seen.join(', '))
