/**
 * go-ds-crdt's peers for what goes over the network: each a process with Pebble on disk, gossipsub and bitswap, all with
 * default options.
 *
 * Invariant: what of it fails makes no benchmark fail; it is told, and there is no figure.
 */
import { startProxy } from '../proxy.ts'
import { Scope } from '../scope.ts'
import { RivalProcess } from './rival-process.ts'

/** What to wait for at most: go-ds-crdt catches up with 48 deltas in a second. */
const WITHIN_MS = 120_000

const NUDGES = 60
const NUDGE_PAUSE_MS = 500

export interface GoPeer {
  peer: RivalProcess
  address: string
  folder: string
}

/**
 * Measures something of go-ds-crdt.
 *
 * @returns nothing where rivals take no part, or this one cannot.
 */
export async function ofGo<T>(
  scope: Scope,
  what: string,
  work: (scope: Scope) => Promise<T>
): Promise<T | undefined> {
  if (!scope.options.rivals || scope.options.absent.has('go-ds-crdt')) return undefined
  try {
    return await Scope.run(scope.options, work)
  } catch (error) {
    scope.options.absent.set(`go-ds-crdt, ${what}`, String(error))
    return undefined
  }
}

export async function startGoPeer(scope: Scope, topic: string): Promise<GoPeer> {
  let peer: RivalProcess
  try {
    peer = await RivalProcess.start(scope, 'go-ds-crdt')
  } catch (error) {
    scope.options.absent.set('go-ds-crdt', String(error))
    throw error
  }
  const folder = await scope.folder()
  return { peer, folder, address: (await peer.call('open', { folder, topic })) as string }
}

/** Connects two, and waits until gossip goes both ways. */
export async function connectGoPeers(from: GoPeer, to: GoPeer, address = to.address): Promise<void> {
  await from.peer.call('dial', { address })
  await Promise.all([from.peer.call('subscribed'), to.peer.call('subscribed')])
}

/**
 * How many deltas a second a fresh Go peer catches up with. It hears of the old ones by a put that the writer does once
 * both are connected; otherwise it would wait for the next rebroadcast, up to a minute.
 */
export async function goCatchUpRate(scope: Scope, deltas: number, roundTripMs = 0): Promise<number> {
  const writer = await startGoPeer(scope, 'catch-up')
  await writer.peer.call('puts', { prefix: 'catch-up', from: 0, count: deltas - 1 })
  const reader = await startGoPeer(scope, 'catch-up')
  const proxy = await startProxy(scope, writer.address, { roundTripMs })
  await connectGoPeers(reader, writer, proxy.address)
  const reaching = reader.peer.time('reached', {
    prefix: 'catch-up',
    from: 0,
    count: deltas,
    withinMs: WITHIN_MS
  })
  await writer.peer.call('puts', { prefix: 'catch-up', from: deltas - 1, count: 1 })
  return (deltas / (await reaching)) * 1000
}

/** How long two Go peers that wrote apart from each other take until both have all, in milliseconds. */
export async function goMeeting(scope: Scope, deltasEach: number): Promise<number> {
  const alice = await startGoPeer(scope, 'meet')
  const bob = await startGoPeer(scope, 'meet')
  await alice.peer.call('puts', { prefix: 'alice', from: 0, count: deltasEach - 1 })
  await bob.peer.call('puts', { prefix: 'bob', from: 0, count: deltasEach - 1 })
  await connectGoPeers(alice, bob)
  const all = { from: 0, count: deltasEach, withinMs: WITHIN_MS }
  const reaching = Promise.all([
    alice.peer.time('reached', { prefix: 'bob', ...all }),
    bob.peer.time('reached', { prefix: 'alice', ...all })
  ])
  const last = { from: deltasEach - 1, count: 1 }
  await Promise.all([
    alice.peer.call('puts', { prefix: 'alice', ...last }),
    bob.peer.call('puts', { prefix: 'bob', ...last })
  ])
  return Math.max(...(await reaching))
}

/** From the call of a put at one Go peer to the hook of another, for every put, in milliseconds. */
export async function goLatencies(scope: Scope, puts: number, pauseMs: number): Promise<number[]> {
  const writer = await startGoPeer(scope, 'latency')
  const reader = await startGoPeer(scope, 'latency')
  await connectGoPeers(reader, writer)
  await reader.peer.call('listen', { prefix: 'latency' })
  await writer.peer.call('puts', { prefix: 'latency', from: 0, count: puts, pauseMs })
  return (await reader.peer.call('heard', { count: puts, withinMs: WITHIN_MS })) as number[]
}

/** How fast a Go reader follows a Go writer who never pauses, in puts a second. */
export async function goFollowRate(scope: Scope, puts: number): Promise<number> {
  const writer = await startGoPeer(scope, 'follow')
  const reader = await startGoPeer(scope, 'follow')
  await connectGoPeers(reader, writer)
  const reaching = reader.peer.time('reached', {
    prefix: 'follow',
    from: 0,
    count: puts,
    withinMs: WITHIN_MS
  })
  await writer.peer.call('puts', { prefix: 'follow', from: 0, count: puts })
  // Gossipsub drops what a fast writer says too quickly. Were that the last head, the reader would hear of it by the next
  // rebroadcast, and this would measure that minute.
  const nudging = writer.peer.call('puts', {
    prefix: 'nudge',
    from: 0,
    count: NUDGES,
    pauseMs: NUDGE_PAUSE_MS
  })
  nudging.catch(() => {})
  return (puts / (await reaching)) * 1000
}
