/**
 * Stores of one process, each over a datastore-level in a temporary folder, and the raw datastore-level to hold
 * them against.
 */
import { type CrdtDatastore, type CrdtDatastoreInit, createCrdtDatastore } from 'datastore-crdt'
import { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'
import { check, checkEqual } from './benchmark.ts'
import type { Scope } from './scope.ts'
import { type Entry, makeEntries, numberOf } from './workload.ts'

/** A datastore-level with nothing above it. */
export async function openLevel(scope: Scope, folder?: string): Promise<LevelDatastore> {
  const datastore = new LevelDatastore(folder ?? (await scope.folder()))
  await datastore.open()
  scope.defer(() => datastore.close())
  return datastore
}

/** A store without a network. */
export async function openStore(
  scope: Scope,
  init: Partial<CrdtDatastoreInit> & { folder?: string } = {}
): Promise<CrdtDatastore> {
  const { folder, ...options } = init
  const store = await createCrdtDatastore({ datastore: await openLevel(scope, folder), ...options })
  scope.defer(() => store.close())
  return store
}

/** Awaited one by one. */
export async function putOneByOne(store: Datastore, entries: readonly Entry[]): Promise<void> {
  for (const { key, value } of entries) await store.put(key, value)
}

/** All under way at once. */
export async function putAtOnce(store: Datastore, entries: readonly Entry[]): Promise<void> {
  await Promise.all(entries.map(({ key, value }) => store.put(key, value)))
}

/** In one batch. */
export async function putBatch(store: Datastore, entries: readonly Entry[]): Promise<void> {
  const batch = store.batch()
  for (const { key, value } of entries) batch.put(key, value)
  await batch.commit()
}

/** Checks that entries can be read. */
export async function checkEntries(store: Datastore, entries: readonly Entry[]): Promise<void> {
  for (const { key, value } of entries)
    checkEqual(numberOf(await store.get(key)), numberOf(value), key.toString())
}

export interface HistoryInit {
  folder: string
  topic: string
  prefix: string
  count: number
  /**
   * Keys of each node.
   *
   * @default 1
   */
  keysEach?: number
}

/** Puts of a history that share a commit. */
const AT_ONCE = 1000

/**
 * Writes a linear history of nodes of a put each into a folder, for a peer to open later. The nodes are those that
 * awaited puts would have made; only the commits are shared, which takes a tenth of the time.
 */
export async function writeHistory(init: HistoryInit): Promise<void> {
  const { folder, topic, prefix, count, keysEach = 1 } = init
  const datastore = new LevelDatastore(folder)
  await datastore.open()
  const store = await createCrdtDatastore({ datastore, topic, coalesce: false })
  try {
    for (let from = 0; from < count; from += AT_ONCE) {
      const nodes = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) =>
        makeEntries(prefix, keysEach, (from + index) * keysEach)
      )
      if (keysEach === 1) await putAtOnce(store, nodes.flat())
      else await Promise.all(nodes.map((entries) => putBatch(store, entries)))
    }
    const heads = await store.heads()
    checkEqual((await store.stats()).nodes, count, 'nodes of the history')
    check(heads.length === 1 && heads[0]?.priority === BigInt(count), 'The history is not linear')
  } finally {
    await store.close()
    await datastore.close()
  }
}
