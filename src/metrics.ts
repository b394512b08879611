/**
 * What `stats()` tells, as metrics of the libp2p node: `datastore_crdt_keys`, `datastore_crdt_remote_nodes_total`,
 * `datastore_crdt_sync_bytes_in_total` and so forth, one for each number, labelled by topic.
 *
 * Invariants: a metric is registered once for a node, however many stores are on it; numbers are read when they are
 * asked for, and cost nothing otherwise; a store that stopped is told of no more.
 */
import type { MetricsLike } from './libp2p/types.ts'
import type { Stats } from './stats.ts'

const PREFIX = 'datastore_crdt'

/** Counts that go down again, though they stand among the counters. */
const GAUGES: ReadonlySet<string> = new Set(['sync_streams_open'])

interface NodeMetrics {
  /** The stores that run, by topic. */
  stores: Map<string, () => Stats>
  registered: Set<string>
}

const nodes = new WeakMap<MetricsLike, NodeMetrics>()

/** @returns what ends it. */
export function exposeStats(metrics: MetricsLike, topic: string, stats: () => Stats): () => void {
  const node = nodes.get(metrics) ?? { stores: new Map(), registered: new Set() }
  nodes.set(metrics, node)
  node.stores.set(topic, stats)
  for (const name of flatten(stats()).keys()) register(metrics, node, name)
  return () => {
    if (node.stores.get(topic) === stats) node.stores.delete(topic)
  }
}

function register(metrics: MetricsLike, { stores, registered }: NodeMetrics, name: string): void {
  if (registered.has(name)) return
  registered.add(name)
  const isCounter = name.includes('_total')
  const options = {
    label: 'topic',
    help: `${name.replaceAll('_', ' ').replace(' total', '')} of a datastore-crdt store, as in its stats()`,
    calculate: () => {
      const values: Record<string, number> = {}
      for (const [topic, stats] of stores) values[topic] = flatten(stats()).get(name) ?? 0
      return values
    }
  }
  if (isCounter) metrics.registerCounterGroup(`${PREFIX}_${name}`, options)
  else metrics.registerMetricGroup(`${PREFIX}_${name}`, options)
}

/** Every number by its metric's name, without the prefix. */
function flatten({ counters, sync, broadcast, blockFetcher, ...gauges }: Stats): Map<string, number> {
  const numbers = new Map<string, number>()
  for (const [name, value] of Object.entries(gauges)) numbers.set(snake(name), Number(value))
  const groups = {
    '': counters,
    sync_: sync ?? {},
    broadcast_: broadcast ?? {},
    block_fetcher_: blockFetcher ?? {}
  }
  for (const [prefix, group] of Object.entries(groups)) {
    for (const [name, value] of Object.entries(group)) {
      const metric = prefix + snake(name)
      numbers.set(GAUGES.has(metric) ? metric : `${metric}_total`, Number(value))
    }
  }
  return numbers
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
