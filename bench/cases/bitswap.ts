/**
 * Go peers and peers of this package in one swarm: blocks go by bitswap, one round trip for each delta of a linear history.
 */
import type { Benchmark } from '../benchmark.ts'
import { startPeer } from '../peer/process.ts'
import { goCatchUpRate, ofGo, startGoPeer } from '../rivals/go-peers.ts'
import type { Scope } from '../scope.ts'

const DELTAS = { full: 200, quick: 60 }
const TOPIC = 'bitswap'
const WITHIN_MS = 120_000
const rival = 'go-ds-crdt' as const

export const bitswap: Benchmark = {
  name: 'bitswap',
  about:
    'over bitswap: this store catches up from a Go peer, and a Go peer from this store, beside Go from Go',
  figures: {
    // No slower than Go from Go: each delta waits 20 ms in Go, and less than a hundredth is no difference.
    'from Go': { unit: 'x Go from Go', better: 'more', target: 0.99, rival },
    'Go from it': { unit: 'x Go from Go', better: 'more', target: 0.99, rival },
    'rate from Go': { unit: 'deltas/s', better: 'more', rival },
    'rate of Go from it': { unit: 'deltas/s', better: 'more', rival },
    'Go from Go': { unit: 'deltas/s', better: 'more', rival }
  },
  runs: { full: 3, quick: 1 },
  warmUps: 0,
  async prepare(scope) {
    const deltas = scope.options.quick ? DELTAS.quick : DELTAS.full
    return async (run) => {
      const rates = await ofGo(run, 'bitswap', async (inner) => ({
        fromGo: await rateFromGo(inner, deltas),
        goFromIt: await rateOfGo(inner, deltas),
        goFromGo: await goCatchUpRate(inner, deltas)
      }))
      if (rates === undefined) return {}
      const { fromGo, goFromIt, goFromGo } = rates
      return {
        'from Go': fromGo / goFromGo,
        'Go from it': goFromIt / goFromGo,
        'rate from Go': fromGo,
        'rate of Go from it': goFromIt,
        'Go from Go': goFromGo
      }
    }
  }
}

/** This store hears of the history by its last put, as the Go peer of `goCatchUpRate` does. */
async function rateFromGo(scope: Scope, deltas: number): Promise<number> {
  const writer = await startGoPeer(scope, TOPIC)
  await writer.peer.call('puts', { prefix: TOPIC, from: 0, count: deltas - 1 })
  const { peer: reader } = await startHeliaPeer(scope, 'reader')
  await reader.call('dial', writer.address)
  await Promise.all([reader.call('subscribed'), writer.peer.call('subscribed')])
  const start = performance.now()
  const reaching = reader.call('reached', { keys: deltas, withinMs: WITHIN_MS })
  await writer.peer.call('puts', { prefix: TOPIC, from: deltas - 1, count: 1 })
  await reaching
  return (deltas / (performance.now() - start)) * 1000
}

/** This store tells a newcomer its heads, so that the time runs from when the Go peer has the newest key. */
async function rateOfGo(scope: Scope, deltas: number): Promise<number> {
  const { peer: writer, address } = await startHeliaPeer(scope, 'writer')
  await writer.call('write', { prefix: TOPIC, count: deltas, pauseMs: 0 })
  const reader = await startGoPeer(scope, TOPIC)
  await reader.peer.call('dial', { address })
  await reader.peer.time('reached', { prefix: TOPIC, from: deltas - 1, count: 1, withinMs: WITHIN_MS })
  const ms = await reader.peer.time('reached', { prefix: TOPIC, from: 0, count: deltas, withinMs: WITHIN_MS })
  return ((deltas - 1) / ms) * 1000
}

async function startHeliaPeer(scope: Scope, role: string) {
  return await startPeer(scope, { role, folder: await scope.folder(), topic: TOPIC, isHelia: true })
}
