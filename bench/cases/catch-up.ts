/**
 * A fresh peer catches up with a long linear history of single puts. Writer and reader are processes of their own,
 * connected by TCP over the loopback; the time runs from the reader's dial to its digest being the writer's.
 */
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { rivalFigures } from '../rivals/contest.ts'
import { goCatchUpRate, ofGo } from '../rivals/go-peers.ts'
import { openLevel, putOneByOne, writeHistory } from '../stores.ts'
import { milliseconds } from '../timing.ts'
import { makeEntries } from '../workload.ts'

const DELTAS = { full: 20_000, quick: 3000 }
const TOPIC = 'catch-up'
const WITHIN_MS = 120_000

/** What go-ds-crdt catches up with, at 48 deltas a second, in the first samples only. */
const GO_DELTAS = { full: 300, quick: 100 }
const GO_SAMPLES = 2
/** Awaited puts of a raw datastore-level, to hold the rate against something of the same minute. */
const RAW_PUTS = 2000

export const catchUp: Benchmark = {
  name: 'catch-up',
  about: 'a fresh peer catches up with 20,000 single-put deltas (quick: 3,000)',
  figures: {
    rate: { unit: 'deltas/s', better: 'more', bar: 3000, target: 15_000 },
    speed: { unit: 'x raw puts', better: 'more' },
    'loop delay p99': { unit: 'ms', better: 'less', target: 50 },
    'loop delay max': { unit: 'ms', better: 'less' },
    memory: { unit: 'MiB more', better: 'less', target: 150 },
    cpu: { unit: 'us/delta', better: 'less' },
    "writer's p99": { unit: 'ms', better: 'less', target: 50 },
    ...rivalFigures({ 'go-ds-crdt': 300 }, 'deltas/s')
  },
  runs: { full: 5, quick: 3 },
  async prepare(scope) {
    const count = scope.options.quick ? DELTAS.quick : DELTAS.full
    const folder = await scope.folder()
    await writeHistory({ folder, topic: TOPIC, prefix: 'catch-up', count })
    const { peer: writer, address } = await startPeer(scope, { role: 'writer', folder, topic: TOPIC })
    const { digest } = await writer.call('state')
    const raw = await openLevel(scope)
    let goSamples = 0
    return async (run) => {
      const readerInit = { role: 'reader', folder: await run.folder(), topic: TOPIC }
      const { peer: reader } = await startPeer(run, readerInit)
      await Promise.all([reader.watch(), writer.watch()])
      const startedAt = await reader.call('dial', address)
      const endedAt = await reader.call('reached', { digest, withinMs: WITHIN_MS })
      const [load, writerLoad] = await Promise.all([reader.call('load'), writer.call('load')])
      await checkAgreement(writer, reader, { nodes: count, keys: count })
      const rate = (count / millisecondsBetween(startedAt, endedAt)) * 1000
      await reader.end()
      const entries = makeEntries(`raw-${goSamples}`, RAW_PUTS)
      const rawRate = (RAW_PUTS / (await milliseconds(() => putOneByOne(raw, entries)))) * 1000
      const goDeltas = scope.options.quick ? GO_DELTAS.quick : GO_DELTAS.full
      const goRate =
        goSamples++ < GO_SAMPLES
          ? await ofGo(run, 'catch-up', (inner) => goCatchUpRate(inner, goDeltas))
          : undefined
      return {
        rate,
        speed: rate / rawRate,
        'loop delay p99': load.loopDelayP99,
        'loop delay max': load.loopDelayMax,
        memory: load.memoryGrowth,
        cpu: (load.cpuMs / count) * 1000,
        "writer's p99": writerLoad.loopDelayP99,
        ...(goRate === undefined ? {} : { 'x go-ds-crdt': rate / goRate, 'go-ds-crdt': goRate })
      }
    }
  }
}
