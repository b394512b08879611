/**
 * From the call of a put at one peer to the `change` event of another, both connected and otherwise idle.
 *
 * The value carries the time of the put, by a monotonic clock that both processes share (see peer/messages.ts).
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkAgreement } from '../peer/agreement.ts'
import { goLatencies, ofGo } from '../rivals/go-peers.ts'
import { median, percentile } from '../statistics.ts'
import { connectPeers } from './connected.ts'

const PUTS = { full: 1000, quick: 300 }
const PAUSE_MS = 5

const GO_PUTS = 100
/** go-ds-crdt handles one announcement at a time, in 20 ms. */
const GO_PAUSE_MS = 50

export const latency: Benchmark = {
  name: 'latency',
  about: 'put at A to change event at B, 1,000 puts 5 ms apart (quick: 300)',
  figures: {
    median: { unit: 'ms', better: 'less', bar: 5, target: 3 },
    p99: { unit: 'ms', better: 'less', target: 10 },
    max: { unit: 'ms', better: 'less' },
    'x go-ds-crdt': { unit: 'x', better: 'more', rival: 'go-ds-crdt' },
    'go-ds-crdt': { unit: 'ms', better: 'less', rival: 'go-ds-crdt' }
  },
  runs: { full: 5, quick: 3 },
  async prepare(scope) {
    const { writer, reader, keys } = await connectPeers(scope, 'latency')
    const theirs = await ofGo(scope, 'latency', (inner) => goLatencies(inner, GO_PUTS, GO_PAUSE_MS))
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
      const middle = median(times)
      return {
        median: middle,
        p99: percentile(times, 99),
        max: Math.max(...times),
        ...(theirs && { 'x go-ds-crdt': median(theirs) / middle, 'go-ds-crdt': median(theirs) })
      }
    }
  }
}
