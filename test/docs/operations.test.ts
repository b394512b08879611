// docs/operations.md has every number of `stats()` with the name of its metric, and the names that are logged under.
import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { newCounters as newSyncCounters } from '../../src/libp2p/sync/counters.ts'
import { exposeStats } from '../../src/metrics.ts'
import { newCounters } from '../../src/replica/counters.ts'
import type { Stats } from '../../src/stats.ts'
import { membersOf, namesIn, read, root, rowsOf, sectionOf } from './tables.ts'

const page = read('docs/operations.md')
const sections = {
  stats: sectionOf(page, '### What the store holds'),
  counters: sectionOf(page, '### `counters`'),
  sync: sectionOf(page, '### `sync`'),
  broadcast: sectionOf(page, '### `broadcast`'),
  blockFetcher: sectionOf(page, '### `blockFetcher`')
}

const namesOf = (path: string, name: string): string[] => membersOf(path, name).map((member) => member.name)
const broadcast = namesOf('src/libp2p/gossipsub-broadcaster.ts', 'BroadcastCounters')
const blockFetcher = namesOf('src/dag/two-ways.ts', 'BlockFetcherCounters')
const groups = ['counters', 'sync', 'broadcast', 'blockFetcher']
const gauges = namesOf('src/stats.ts', 'Stats').filter((name) => !groups.includes(name))

test('every number of stats() has its row, and there is no other', () => {
  expect(gauges).toContain('keys')
  expect(namesIn(sections.stats)).toEqual(gauges)
  expect(namesIn(sections.counters)).toEqual(Object.keys(newCounters()))
  expect(namesIn(sections.sync)).toEqual(Object.keys(newSyncCounters()))
  expect(namesIn(sections.broadcast)).toEqual(broadcast)
  expect(namesIn(sections.blockFetcher)).toEqual(blockFetcher)
})

test('every metric is named as it is registered', () => {
  const registered: string[] = []
  const register = (name: string): void => void registered.push(name)
  const zeros = (names: string[]) => Object.fromEntries(names.map((name) => [name, 0]))
  const stats = {
    ...zeros(gauges),
    counters: newCounters(),
    sync: newSyncCounters(),
    broadcast: zeros(broadcast),
    blockFetcher: zeros(blockFetcher)
  } as unknown as Stats
  exposeStats({ registerMetricGroup: register, registerCounterGroup: register }, 'topic', () => stats)
  const written = Object.values(sections).flatMap((section) => rowsOf(section).map((row) => row[1]))
  expect(written.sort()).toEqual(registered.map((name) => `\`${name}\``).sort())
})

test('every name that is logged under has its row', () => {
  const used = globSync('src/**/*.ts', { cwd: root }).flatMap((path) =>
    [...read(path).matchAll(/(?:forComponent\(|PeerLog\(logger, )'([\w:-]+)'/g)].map(
      ([, name]) => name as string
    )
  )
  expect(used.length).toBeGreaterThan(2)
  expect(namesIn(sectionOf(page, '### Logs')).sort()).toEqual([...new Set(used)].sort())
})
