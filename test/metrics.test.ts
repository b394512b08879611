// What stats() tells, as metrics of the libp2p node.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import type { CalculatedMetricLike, MetricsLike } from '../src/libp2p/types.ts'
import { exposeStats } from '../src/metrics.ts'
import { openStore } from './storage/open-store.ts'

class Metrics implements MetricsLike {
  readonly gauges = new Map<string, CalculatedMetricLike>()
  readonly counters = new Map<string, CalculatedMetricLike>()

  registerMetricGroup(name: string, options: CalculatedMetricLike): void {
    expect(this.gauges.has(name), `${name} is registered once`).toBe(false)
    this.gauges.set(name, options)
  }

  registerCounterGroup(name: string, options: CalculatedMetricLike): void {
    expect(this.counters.has(name), `${name} is registered once`).toBe(false)
    this.counters.set(name, options)
  }
}

test('every number of two stores on one node is there by topic, and a stopped store is told of no more', async () => {
  const metrics = new Metrics()
  const [one, two] = [
    await openStore({ datastore: new MemoryDatastore() }),
    await openStore({ datastore: new MemoryDatastore() })
  ]
  await one.put(new Key('/a'), Uint8Array.of(1))
  await one.put(new Key('/b'), Uint8Array.of(1))
  const stats = [await one.stats(), await two.stats()] as const
  const hideOne = exposeStats(metrics, 'one', () => stats[0])
  exposeStats(metrics, 'two', () => stats[1])
  const of = (name: string): Record<string, number> | undefined =>
    (metrics.gauges.get(name) ?? metrics.counters.get(name))?.calculate()
  expect(of('datastore_crdt_keys')).toEqual({ one: 2, two: 0 })
  expect(of('datastore_crdt_clock')).toEqual({ one: 2, two: 0 })
  expect(metrics.counters.get('datastore_crdt_local_nodes_total')?.calculate()).toEqual({ one: 2, two: 0 })
  const { counters, ...gauges } = stats[0]
  expect(metrics.gauges.size + metrics.counters.size).toBe(
    Object.keys(gauges).length + Object.keys(counters).length
  )
  for (const { label, help } of [...metrics.gauges.values(), ...metrics.counters.values()]) {
    expect(label).toBe('topic')
    expect(help).not.toBe('')
  }
  hideOne()
  expect(of('datastore_crdt_keys')).toEqual({ two: 0 })
})

test('what the network counts is told apart, and open streams are no counter', async () => {
  const metrics = new Metrics()
  const store = await openStore({ datastore: new MemoryDatastore() })
  const stats = await store.stats()
  exposeStats(metrics, 't', () => ({
    ...stats,
    sync: { streamsOpen: 3, bytesIn: 7 } as never,
    broadcast: { sent: 5 } as never
  }))
  expect(metrics.gauges.get('datastore_crdt_sync_streams_open')?.calculate()).toEqual({ t: 3 })
  expect(metrics.counters.get('datastore_crdt_sync_bytes_in_total')?.calculate()).toEqual({ t: 7 })
  expect(metrics.counters.get('datastore_crdt_broadcast_sent_total')?.calculate()).toEqual({ t: 5 })
})
