/**
 * A reader follows a writer who puts one key after the other and never pauses. The same puts of a third peer that
 * nobody listens to tell what being connected costs the writer.
 */
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { rivalFigures } from '../rivals/contest.ts'
import { goFollowRate, ofGo } from '../rivals/go-peers.ts'
import { connectPeers } from './connected.ts'

const TOPIC = 'follow'
const PUTS = 3000
const WITHIN_MS = 60_000

/** go-ds-crdt's reader follows at 48 deltas a second. */
const GO_PUTS = 150

export const follow: Benchmark = {
  name: 'follow',
  about: 'a reader follows a writer of 3,000 awaited puts: its rate, its lag, the writer slowed down',
  figures: {
    rate: { unit: 'x writer', better: 'more', target: 0.8 },
    lag: { unit: 'ms', better: 'less', target: 100 },
    writer: { unit: 'puts/s', better: 'more' },
    slowdown: { unit: 'x alone', better: 'more' },
    "writer's cpu": { unit: 'us/put', better: 'less' },
    "reader's cpu": { unit: 'us/put', better: 'less' },
    "reader's stall": { unit: 'ms', better: 'less' },
    ...rivalFigures({ 'go-ds-crdt': undefined }, 'deltas/s')
  },
  runs: { full: 9, quick: 5 },
  async prepare(scope) {
    const { writer, reader, keys } = await connectPeers(scope, TOPIC)
    const { peer: alone } = await startPeer(scope, {
      role: 'alone',
      folder: await scope.folder(),
      topic: TOPIC
    })
    const goRate = await ofGo(scope, 'follow', (inner) => goFollowRate(inner, GO_PUTS))
    let runs = 0
    return async () => {
      const written = keys + ++runs * PUTS
      await Promise.all([writer.watch(), reader.watch()])
      const reaching = reader.call('reached', { keys: written, withinMs: WITHIN_MS })
      const writing = writer.call('write', { prefix: `follow-${runs}`, count: PUTS, pauseMs: 0 })
      const [{ startedAt, endedAt }, reachedAt] = await Promise.all([writing, reaching])
      const [writerLoad, readerLoad] = await Promise.all([writer.call('load'), reader.call('load')])
      await checkAgreement(writer, reader, { nodes: written, keys: written })
      await alone.watch()
      const unheard = await alone.call('write', { prefix: `follow-${runs}`, count: PUTS, pauseMs: 0 })
      await alone.call('load')
      const aloneMs = millisecondsBetween(unheard.startedAt, unheard.endedAt)
      const writerMs = millisecondsBetween(startedAt, endedAt)
      return {
        rate: writerMs / millisecondsBetween(startedAt, reachedAt),
        lag: Math.max(0, millisecondsBetween(endedAt, reachedAt)),
        writer: (PUTS / writerMs) * 1000,
        slowdown: aloneMs / writerMs,
        "writer's cpu": (writerLoad.cpuMs / PUTS) * 1000,
        "reader's cpu": (readerLoad.cpuMs / PUTS) * 1000,
        "reader's stall": readerLoad.loopDelayMax,
        ...(goRate && {
          'x go-ds-crdt': ((PUTS / millisecondsBetween(startedAt, reachedAt)) * 1000) / goRate,
          'go-ds-crdt': goRate
        })
      }
    }
  }
}
