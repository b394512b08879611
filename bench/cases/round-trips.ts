/**
 * A fresh peer catches up with a peer that is far away: through a proxy that holds back every byte for half of the
 * round trip. What must not grow with the deltas is the number of round trips.
 */
import type { Benchmark, Sample } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { startProxy } from '../proxy.ts'
import { goCatchUpRate, ofGo } from '../rivals/go-peers.ts'
import type { Scope } from '../scope.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = { full: 50_000, quick: 3000 }
/** go-ds-crdt catches up with 22 deltas a second at 20 ms, and with 8 at 100 ms. */
const GO_DELTAS = 30
const TOPIC = 'round-trips'
const WITHIN_MS = 120_000

export const ROUND_TRIPS_MS = [0, 20, 100, 200] as const

/** What is to be reached with 50,000 deltas. */
const TARGETS_MS: Partial<Record<number, number>> = { 100: 5000 }

export const roundTrips: Benchmark = {
  name: 'round-trips',
  about: 'a fresh peer catches up with 50,000 deltas (quick: 3,000) at round trips of 0, 20, 100 and 200 ms',
  figures: Object.fromEntries(
    ROUND_TRIPS_MS.flatMap((ms) => [
      [`${ms} ms`, { unit: 'ms', better: 'less' as const, target: TARGETS_MS[ms], isOfFullSize: true }],
      [`${ms} ms: x go-ds-crdt`, { unit: 'x', better: 'more' as const, rival: 'go-ds-crdt' as const }],
      [`${ms} ms: go-ds-crdt`, { unit: 'deltas/s', better: 'more' as const, rival: 'go-ds-crdt' as const }]
    ])
  ),
  runs: { full: 3, quick: 1 },
  warmUps: 0,
  async prepare(scope) {
    const count = scope.options.quick ? DELTAS.quick : DELTAS.full
    const { dialAt } = await startFarWriter(scope, count)
    const goRates = new Map<number, number | undefined>()
    for (const ms of ROUND_TRIPS_MS) {
      const rate = (inner: Scope) => goCatchUpRate(inner, GO_DELTAS, ms)
      goRates.set(ms, await ofGo(scope, `round trips of ${ms} ms`, rate))
    }
    return async (run) => {
      const sample: Sample = {}
      for (const ms of ROUND_TRIPS_MS) {
        const time = await dialAt(run, ms)
        sample[`${ms} ms`] = time
        const goRate = goRates.get(ms)
        if (goRate === undefined) continue
        sample[`${ms} ms: x go-ds-crdt`] = ((count / time) * 1000) / goRate
        sample[`${ms} ms: go-ds-crdt`] = goRate
      }
      return sample
    }
  }
}

/** A peer with a history, and how long it takes a fresh one to catch up with it from so far away, in milliseconds. */
export async function startFarWriter(
  scope: Scope,
  count: number
): Promise<{ dialAt(run: Scope, roundTripMs: number): Promise<number> }> {
  const folder = await scope.folder()
  await writeHistory({ folder, topic: TOPIC, prefix: TOPIC, count })
  const { peer: writer, address } = await startPeer(scope, { role: 'writer', folder, topic: TOPIC })
  const { digest } = await writer.call('state')
  return {
    async dialAt(run, roundTripMs) {
      const readerInit = { role: 'reader', folder: await run.folder(), topic: TOPIC }
      const { peer: reader } = await startPeer(run, readerInit)
      const proxy = await startProxy(run, address, { roundTripMs })
      const startedAt = await reader.call('dial', proxy.address)
      const endedAt = await reader.call('reached', { digest, withinMs: WITHIN_MS })
      await checkAgreement(writer, reader, { nodes: count, keys: count })
      await reader.end()
      return millisecondsBetween(startedAt, endedAt)
    }
  }
}
