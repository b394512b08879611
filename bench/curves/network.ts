/**
 * Curves of peers in processes of their own: lengths of history, distances, numbers of replicas, and memory over time.
 */
import { prepareMemoryRun } from '../cases/memory.ts'
import { ROUND_TRIPS_MS, startFarWriter } from '../cases/round-trips.ts'
import type { PeerProcess } from '../peer/process.ts'
import { startPeer } from '../peer/process.ts'
import { goCatchUpRate, ofGo } from '../rivals/go-peers.ts'
import { Scope } from '../scope.ts'
import { median } from '../statistics.ts'
import type { Curve } from './curve.ts'
import { few } from './local.ts'

const DELTAS = [1000, 10_000, 100_000, 1_000_000]
/** go-ds-crdt needs 20 ms for each, however many there are. */
const GO_DELTAS = [100, 500]

export const deltas: Curve = {
  name: 'deltas',
  about: 'a fresh peer catches up, over the length of the history',
  x: { label: 'deltas of one put each', isLog: true },
  y: { label: 'deltas a second', isLog: true },
  async *points(scope) {
    for (const x of few(scope, DELTAS, 2)) {
      const ms = await Scope.run(
        scope.options,
        async (inner) => await (await startFarWriter(inner, x)).dialAt(inner, 0)
      )
      yield { line: 'datastore-crdt', x, y: (x / ms) * 1000 }
    }
    for (const x of few(scope, GO_DELTAS, 1)) {
      const rate = await ofGo(scope, 'deltas', (inner) => goCatchUpRate(inner, x))
      if (rate !== undefined) yield { line: 'go-ds-crdt', x, y: rate }
    }
  }
}

const FAR_DELTAS = { full: 50_000, quick: 2000 }
const GO_FAR_DELTAS = 30

export const distances: Curve = {
  name: 'distances',
  about: 'a fresh peer catches up with 50,000 deltas (go-ds-crdt: 30), over the round trip',
  x: { label: 'round trip, ms', isLog: false },
  y: { label: 'deltas a second', isLog: true },
  async *points(scope) {
    const count = scope.options.quick ? FAR_DELTAS.quick : FAR_DELTAS.full
    const { dialAt } = await startFarWriter(scope, count)
    for (const x of [...ROUND_TRIPS_MS.slice(0, 2), 50, ...ROUND_TRIPS_MS.slice(2)]) {
      const ms = await Scope.run(scope.options, (inner) => dialAt(inner, x))
      yield { line: 'datastore-crdt', x, y: (count / ms) * 1000 }
      const rate = await ofGo(scope, `distances of ${x} ms`, (inner) =>
        goCatchUpRate(inner, GO_FAR_DELTAS, x)
      )
      if (rate !== undefined) yield { line: 'go-ds-crdt', x, y: rate }
    }
  }
}

const REPLICAS = [2, 5, 10, 20, 50]
const PUTS = 30
const PAUSE_MS = 50
const WITHIN_MS = 120_000
/** How many earlier ones each dials: gossip needs a mesh, not everybody connected with everybody. */
const DIALS = 4

export const replicas: Curve = {
  name: 'replicas',
  about:
    'from a put at one peer to the change event of others, over how many peers there are, all on one machine',
  x: { label: 'peers, each a process', isLog: true },
  y: { label: 'milliseconds', isLog: true },
  async *points(scope) {
    const peers: Array<{ peer: PeerProcess; address: string }> = []
    let rounds = 0
    for (const x of few(scope, REPLICAS, 3)) {
      while (peers.length < x) peers.push(await joinSwarm(scope, peers))
      const prefix = `replicas-${rounds++}`
      const [writer, ...readers] = peers.map(({ peer }) => peer)
      await Promise.all(
        readers.map((reader) => reader.call('reached', { keys: (rounds - 1) * PUTS, withinMs: WITHIN_MS }))
      )
      await Promise.all(readers.map((reader) => reader.call('listen', prefix)))
      await writer!.call('write', { prefix, count: PUTS, pauseMs: PAUSE_MS })
      const times = await Promise.all(readers.map((reader) => reader.call('heard', PUTS)))
      yield { line: 'median of all peers', x, y: median(times.flat()) }
      // Of each put, the peer that saw it last.
      const lasts = Array.from({ length: PUTS }, (_, put) =>
        Math.max(...times.map((heard) => heard[put] ?? 0))
      )
      yield { line: 'the last peer', x, y: median(lasts) }
    }
  }
}

async function joinSwarm(scope: Scope, peers: ReadonlyArray<{ address: string }>) {
  const joined = await startPeer(scope, {
    role: `peer ${peers.length}`,
    folder: await scope.folder(),
    topic: 'replicas'
  })
  // The latest ones and the first: a ring with a hub, the same in every run.
  const known = [...new Set([...peers.slice(0, 1), ...peers.slice(-(DIALS - 1))])]
  for (const { address } of known) await joined.peer.call('dial', address)
  if (known.length > 0) await joined.peer.call('subscribed')
  return joined
}

export const memoryOverTime: Curve = {
  name: 'memory',
  about: 'memory of a peer with a heap of 256 MB that catches up with 1,000,000 keys in 200,000 deltas',
  x: { label: 'seconds', isLog: false },
  y: { label: 'MiB', isLog: false },
  isLong: true,
  async *points(scope) {
    const catchUp = await prepareMemoryRun(scope)
    const { load, writerLoad } = await catchUp(scope)
    for (const [role, { memory }] of [['reader', load] as const, ['writer', writerLoad] as const]) {
      for (const { seconds, heapMiB, ownMiB, mappedMiB } of memory) {
        yield { line: `heap of the ${role}`, x: seconds, y: heapMiB }
        yield { line: `resident and its own, ${role}`, x: seconds, y: ownMiB }
        yield { line: `pages of mapped tables, ${role}`, x: seconds, y: mappedMiB }
      }
    }
  }
}
