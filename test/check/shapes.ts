// Stores of every shape that a check has to know, and what a reader sees of a store.
import { MemoryDatastore } from 'datastore-core'
import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import type { CrdtDatastore, CrdtDatastoreInit } from '../../src/index.ts'
import { type Forged, type ForgeInit, forge, forgeBytes, forgeMissing } from '../replica/forge.ts'
import { openStore } from '../storage/open-store.ts'
import { RemotePeer } from '../storage/remote-peer.ts'
import { contentOf, rawRows } from '../storage/store-check.ts'

export const TOPIC = 'test'

export const key = (name: string): Key => new Key(name)
export const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Says forged nodes to a store. */
export function say(peer: RemotePeer, ...nodes: Array<Forged & { dagName?: string }>): void {
  peer.say(...nodes.map(({ id, bytes, dagName = '' }) => ({ id, bytes, dagName })))
}

/** What happened in a store, by the name of what is special in it. */
export interface Shaping {
  store: CrdtDatastore
  peer: RemotePeer
  /** Forges a node and says it to the store. */
  remote(init: ForgeInit): Promise<Forged>
}

export const SHAPES: Record<string, (shaping: Shaping) => Promise<void>> = {
  empty: async () => {},
  'one key': async ({ store }) => {
    await store.put(key('/k'), encode('1'))
  },
  'many versions of one key': async ({ store }) => {
    for (let version = 0; version < 20; version++) await store.put(key('/k'), encode(`${version}`))
  },
  'concurrent versions': async ({ store, remote }) => {
    await store.put(key('/c'), encode('here'))
    for (const value of ['a', 'b', 'aa', '']) await remote({ puts: { '/c': value, [`/c/${value}`]: value } })
    await remote({ puts: { '/c': 'greatest' }, priority: 9n })
  },
  'deleted keys': async ({ store, remote }) => {
    await store.put(key('/d'), encode('1'))
    await remote({ puts: { '/d': '2' }, priority: 3n })
    await store.delete(key('/d'))
    await store.put(key('/d/again'), encode('1'))
    await store.delete(key('/d/again'))
    await store.put(key('/d/again'), encode('2'))
  },
  'named DAGs': async ({ store }) => {
    for (const dagName of ['red', 'blue:%', '']) {
      await store.put(key(`/of/${dagName}`), encode(dagName), { dagName })
      await store.put(key('/shared'), encode(dagName), { dagName })
    }
    await store.delete(key('/shared'), { dagName: 'red' })
  },
  'tombstones across DAGs': async ({ store, remote }) => {
    await store.put(key('/t'), encode('1'))
    await store.delete(key('/t'), { dagName: 'red' })
    const later = forge({ puts: { '/t/later': '1' }, priority: 2n })
    await remote({ tombstones: [{ key: '/t/later', id: later.id }], dagName: 'red', priority: 3n })
    await remote({ tombstones: [{ key: '/t/other', id: later.id }], priority: 3n })
    await remote({ puts: { '/t/later': '1' }, priority: 2n })
  },
  'more heads than the state row holds': async ({ store }) => {
    for (let side = 0; side < 18; side++) {
      await store.put(key(`/side/${side}`), encode('1'), { dagName: `side ${side}` })
    }
  },
  'deferred nodes': async ({ store, remote }) => {
    const future = await remote({ puts: { '/future': '1' }, priority: 2n, requires: [7] })
    await remote({ tombstones: [{ key: '/future', id: future.id }], links: [future], priority: 3n })
    await store.put(key('/k'), encode('1'))
  },
  'a purge, with gaps': async ({ store, remote }) => {
    const gone = await remote({ puts: { '/p': '1' }, dagName: 'gone', priority: 1n })
    await remote({ puts: { '/p': '2' }, links: [gone], priority: 2n })
    await store.put(key('/p/mine'), encode('1'), { dagName: 'gone' })
    await store.delete(key('/p/mine'))
    await store.dag.purge('gone')
  },
  'a purge and a resumption': async ({ store, peer }) => {
    const early = { ...forge({ puts: { '/r': '1' }, dagName: 'back' }), dagName: 'back' }
    const late = forge({ puts: { '/r': '2' }, links: [early], priority: 2n })
    say(peer, early)
    say(peer, late)
    await store.waitForSync()
    await store.delete(key('/r'), { dagName: 'other' })
    await store.dag.purge('back')
    await store.dag.resume('back')
    say(peer, early)
    await store.waitForSync()
  },
  'odd blocks': async ({ store, peer }) => {
    const bytes = encode('no node at all')
    say(peer, forgeBytes(bytes))
    await store.waitForSync()
    await store.put(key('/k'), encode('1'))
  },
  // The last, because nothing ever comes of it.
  'blocks that wait': async ({ store, remote, peer }) => {
    const missing = forge({ puts: { '/missing': '1' } })
    await remote({ tombstones: [{ key: '/missing', id: missing.id }], priority: 2n })
    await store.put(key('/k'), encode('1'))
    say(peer, forge({ puts: { '/w': '1' }, links: [missing], priority: 40n }))
    await until(async () => (await store.stats()).pending === 1)
    // The next commit is made after the one that keeps it.
    await store.put(key('/k'), encode('2'))
    await store.put(key('/k'), encode('3'))
  }
}

/** Lets everything else run until a condition holds. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let round = 0; !(await condition()); round++) {
    if (round > 10_000) throw new Error(`It never came about that ${condition}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Opens a store and makes it what the shapes say. */
export async function shapedStore(
  datastore: Datastore,
  shapes: readonly string[],
  init: Partial<CrdtDatastoreInit> = {}
): Promise<CrdtDatastore> {
  const peer = new RemotePeer()
  const store = await openStore({ datastore, broadcaster: peer, topic: TOPIC, ...init })
  const remote = async (node: ForgeInit): Promise<Forged> => {
    const forged = { ...forge(node), ...(node.dagName === undefined ? {} : { dagName: node.dagName }) }
    say(peer, forged)
    await store.waitForSync()
    return forged
  }
  for (const shape of shapes) await (SHAPES[shape] as (typeof SHAPES)[string])({ store, peer, remote })
  return store
}

/** What must not change by damage that was mended. */
export async function shownBy(store: CrdtDatastore): Promise<unknown> {
  const heads = (await store.heads()).map(({ cid, priority, dagName }) => `${dagName} ${cid} ${priority}`)
  const { nodes, keys, elements, tombstones, gaps, deferred } = await store.stats()
  return {
    content: await contentOf(store),
    digest: await store.digest(),
    heads: heads.sort(),
    stats: { nodes, keys, elements, tombstones, gaps, deferred }
  }
}

/** The rows of a check that are left. */
export function scratchRows(rows: ReadonlyMap<string, unknown>): string[] {
  return [...rows.keys()].filter((row) => row.startsWith('/crdt/x'))
}

/** A blockstore of the app's own. */
export class MemoryBlocks {
  readonly blocks = new Map<string, Uint8Array>()
  /** What it throws when it is asked for a block, as one does that is broken. */
  failure: Error | undefined

  get(cid: CID): Uint8Array {
    if (this.failure !== undefined) throw this.failure
    const bytes = this.blocks.get(cid.toString())
    if (bytes === undefined) throw Object.assign(new Error('not found'), { name: 'NotFoundError' })
    return bytes
  }

  put(cid: CID, bytes: Uint8Array): void {
    this.blocks.set(cid.toString(), bytes)
  }
}

let made: Promise<{ rows: ReadonlyMap<string, Uint8Array>; shown: unknown }> | undefined

/** The rows of a store of all shapes, closed, and what it showed. Made once for all tests of a file. */
export function soundStore(): NonNullable<typeof made> {
  made ??= (async () => {
    const datastore = new MemoryDatastore()
    const store = await shapedStore(datastore, Object.keys(SHAPES), { atomicBatch: true })
    const shown = await shownBy(store)
    await store.close()
    const rows = await rawRows(datastore)
    rows.set(`/crdt/w${forgeMissing('wanted').id}`, Uint8Array.of(1))
    return { rows, shown }
  })()
  return made
}
