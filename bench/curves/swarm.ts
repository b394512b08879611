/**
 * Curves of more replicas than processes: a simulated world of up to 1,000, and up to 10,000 who wrote at once.
 */

import { MemoryDatastore } from 'datastore-core'
import { type Broadcaster, type CrdtDatastore, createCrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'
import { streamOf } from '../../src/testkit/seeded-random.ts'
import type { SimulatedReplica } from '../../src/testkit/simulated-replica.ts'
import { World } from '../../src/testkit/world.ts'
import { checkEqual } from '../benchmark.ts'
import type { Scope } from '../scope.ts'
import { openStore } from '../stores.ts'
import { milliseconds } from '../timing.ts'
import { makeKey, makeValue } from '../workload.ts'
import type { Curve, Point } from './curve.ts'
import { few } from './local.ts'

const SEED = 1
const SIMULATED = [10, 100, 300, 1000]
/** How many others each is connected with, two of them its neighbours in a ring. */
const CONNECTIONS = 8
const WRITERS = 10
/** Time enough for a newcomer's connections. */
const JOIN_PAUSE_MS = 200
/** Time enough for the last greetings. */
const SETTLE_MS = 5000
const WITHIN_MS = 30 * 60_000

export const simulatedReplicas: Curve = {
  name: 'simulated',
  about: 'ten replicas write, and all have it, in simulated worlds with links of 20 to 30 ms',
  x: { label: 'simulated replicas', isLog: true },
  y: { label: 'seconds', isLog: true },
  async *points(scope) {
    for (const x of few(scope, SIMULATED, 2)) yield* convergenceOf(x)
  }
}

async function* convergenceOf(count: number): AsyncIterable<Point> {
  const world = new World({ seed: SEED, link: { latencyMs: 20, jitterMs: 10 } })
  const edges = ringWithChords(count)
  world.network.setTopology((a, b) => edges.has(a < b ? `${a} ${b}` : `${b} ${a}`))
  const names = Array.from({ length: count }, (_, index) => nameOf(index))
  // Virtual time is held back by nobody's disk: what it takes in real time is the processor's.
  let virtualMs = 0
  const real = await milliseconds(async () => {
    const all: SimulatedReplica[] = []
    for (const name of names) {
      all.push(await world.replica(name))
      // Those who join at one instant would all dial at that one.
      await world.advance(JOIN_PAUSE_MS)
    }
    // Each replica sees each key change once; a look at all stores after every instant would cost more than the world.
    let changes = 0
    for (const { store } of all) store.addEventListener('change', () => changes++)
    await world.advance(SETTLE_MS)
    const start = world.clock.now()
    for (let writer = 0; writer < WRITERS; writer++) {
      await world.run(
        all[Math.floor((writer * count) / WRITERS)]!.store.put(makeKey('k', writer), makeValue(writer))
      )
    }
    await world.until(() => changes >= count * WRITERS, WITHIN_MS)
    virtualMs = world.clock.now() - start
    await world.converge()
  })
  for (const { store } of world.running())
    checkEqual((await world.run(store.stats())).nodes, WRITERS, 'nodes')
  yield { line: 'virtual time until all have it', x: count, y: virtualMs / 1000 }
  yield { line: 'real time of the simulation', x: count, y: real / 1000 }
  await world.close()
}

function nameOf(index: number): string {
  return `r${index.toString().padStart(4, '0')}`
}

/** Pairs of replicas that are connected, as `a b` in order: a ring, and chords that follow from the seed. */
function ringWithChords(count: number): Set<string> {
  const random = streamOf(SEED, 'topology')
  const edges = new Set<string>()
  const connect = (a: string, b: string): void => {
    if (a !== b) edges.add(a < b ? `${a} ${b}` : `${b} ${a}`)
  }
  for (let index = 0; index < count; index++) {
    connect(nameOf(index), nameOf((index + 1) % count))
    for (let chord = 0; chord < (CONNECTIONS - 2) / 2; chord++) {
      connect(nameOf(index), nameOf(Math.floor(random() * count)))
    }
  }
  return edges
}

const HEADS = [1, 10, 100, 1000, 10_000]

export const heads: Curve = {
  name: 'heads',
  about: 'so many replicas wrote at once: merging all of it, and the first put after that',
  x: { label: 'concurrent heads', isLog: true },
  y: { label: 'milliseconds', isLog: true },
  async *points(scope) {
    // The first time does not count: nothing has been compiled by then.
    for (const [index, x] of [HEADS[2]!, ...few(scope, HEADS, 4)].entries()) {
      const messages = await announcementsOf(x)
      const { store, hear } = await openListener(scope)
      const merge = await milliseconds(async () => {
        for (const [writer, message] of messages.entries()) hear(message, `writer ${writer}`)
        while ((await store.stats()).nodes < x) await new Promise((resolve) => setTimeout(resolve, 1))
      })
      const { heads: count, keys } = await store.stats()
      checkEqual(count, x, 'heads')
      checkEqual(keys, x, 'keys')
      const put = await milliseconds(() => store.put(new Key('/last'), makeValue(0)))
      if (index === 0) continue
      yield { line: 'merging all', x, y: merge }
      yield { line: 'the first put after that', x, y: put }
    }
  }
}

/** What so many replicas say, each of a put of its own that knows of no other. */
async function announcementsOf(count: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = []
  for (let index = 0; index < count; index++) {
    const said = Promise.withResolvers<Uint8Array>()
    const broadcaster: Broadcaster = {
      start: async () => {},
      stop: async () => {},
      broadcast: async (message) => {
        said.resolve(message)
        return true
      }
    }
    const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), topic: 'heads', broadcaster })
    await store.put(makeKey('heads', index), makeValue(index))
    messages.push(await said.promise)
    await store.close()
  }
  return messages
}

async function openListener(
  scope: Scope
): Promise<{ store: CrdtDatastore; hear: (message: Uint8Array, from: string) => void }> {
  let hear: (message: Uint8Array, from: string) => void = () => {}
  const broadcaster: Broadcaster = {
    start: async (receive) => {
      hear = receive
    },
    stop: async () => {},
    broadcast: async () => true
  }
  const store = await openStore(scope, { topic: 'heads', broadcaster })
  return { store, hear }
}
