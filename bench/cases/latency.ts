/**
 * From the call of a put at one peer to the `change` event of another, both connected and otherwise idle.
 *
 * The value carries the time of the put, by a monotonic clock that both processes share (see peer/messages.ts).
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkAgreement } from '../peer/agreement.ts'
import { median, percentile } from '../statistics.ts'
import { connectPeers } from './connected.ts'

const PUTS = { full: 1000, quick: 300 }
const PAUSE_MS = 5

export const latency: Benchmark<'median' | 'p99' | 'max'> = {
  name: 'latency',
  about: 'put at A to change event at B, 1,000 puts 5 ms apart (quick: 300)',
  figures: {
    median: { unit: 'ms', better: 'less', bar: 5, target: 3 },
    p99: { unit: 'ms', better: 'less', target: 10 },
    max: { unit: 'ms', better: 'less' }
  },
  runs: { full: 5, quick: 3 },
  async prepare(scope) {
    const { writer, reader, keys } = await connectPeers(scope, 'latency')
    const count = scope.options.quick ? PUTS.quick : PUTS.full
    let runs = 0
    return async () => {
      const prefix = `latency-${runs++}`
      await reader.call('listen', prefix)
      await writer.call('write', { prefix, count, pauseMs: PAUSE_MS })
      const times = await reader.call('heard', count)
      checkEqual(times.length, count, 'changes')
      const written = keys + runs * count
      await checkAgreement(writer, reader, { nodes: written, keys: written })
      return { median: median(times), p99: percentile(times, 99), max: Math.max(...times) }
    }
  }
}
