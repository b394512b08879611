// Real peers over connections that are slow, break, stall, or are dead without anybody saying so: each time they
// converge, what was written on either side meanwhile is there, and nobody makes a storm of it.
//
// Most of the time they wait for something, so several run at a time (vitest.config.ts).
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureBuilt } from '../e2e/build.ts'
import { deleteFolders } from '../e2e/folders.ts'
import { killLineProcesses } from '../e2e/line-process.ts'
import { closeProxies, eventually, Swarm } from './swarm.ts'

const NODES = 1500
const VALUE_BYTES = 200
const WITHIN_MS = 90_000
/** Far less than a rebroadcast interval, which would mend things too. */
const AT_ONCE_MS = 15_000

beforeAll(ensureBuilt)
afterAll(async () => {
  await killLineProcesses()
  await closeProxies()
  await deleteFolders()
})

/** A peer with a history, and a way to it that can be broken. */
async function aliceBehindProxy(init = { count: NODES, bytes: VALUE_BYTES }) {
  const swarm = await Swarm.create()
  const alice = await swarm.start('alice')
  await alice.call('fill', init)
  const { digest } = await alice.call('stats')
  return { swarm, alice, digest, ...(await swarm.proxyTo(alice)) }
}

test('a delay of 100 ms each way costs a few round trips, and writes pass both ways', async () => {
  const { swarm, alice, digest, proxy, address } = await aliceBehindProxy()
  proxy.set({ latencyMs: 100, jitterMs: 20 })
  const bob = await swarm.start('bob', address)
  const startedAt = performance.now()
  const { counters } = await bob.call('reached', { digest, withinMs: WITHIN_MS })
  const caughtUpMs = Math.round(performance.now() - startedAt)
  await swarm.writeEverywhere()
  const convergedMs = await swarm.converge(WITHIN_MS)
  console.info(`delay: caught up in ${caughtUpMs} ms, writes of both sides in ${convergedMs} ms`)
  expect(counters.duplicateBlocks).toBe(0)
  expect(proxy.stats.connections).toBe(1)
  expect((await alice.call('stats')).sync.streams).toBeLessThan(10)
  await swarm.end()
})

test('a catch-up at 64 KiB/s goes on, and what waits for the slow reader is not held in memory', async () => {
  const { swarm, alice, proxy, address } = await aliceBehindProxy({ count: 3000, bytes: 4000 })
  proxy.set({ bytesPerSecond: 64 * 1024 })
  const bob = await swarm.start('bob', address)
  // It takes longer than any ping or request waits for its answer.
  const slowMs = await eventually('the middle', WITHIN_MS, () => proxy.stats.down.bytesOut > 800_000)
  await swarm.writeEverywhere()
  const slow = await bob.call('stats')
  const buffered = await alice.call('buffered')
  const { connections } = proxy.stats
  proxy.heal()
  const convergedMs = await swarm.converge(WITHIN_MS)
  console.info(
    `throttle: ${slow.nodes} nodes in ${slowMs} ms over ${connections} connections, the rest in ${convergedMs} ms; ` +
      `${buffered} bytes in the sender's buffers; ` +
      `${slow.counters.failedPulls} failed pulls`
  )
  expect(slow.nodes).toBeGreaterThan(100)
  // libp2p's monitor ends a connection whose pings wait behind the bytes, every ten seconds at most.
  expect(connections).toBeLessThanOrEqual(2 + slowMs / 10_000)
  expect(slow.counters.duplicateBlocks).toBeLessThan(20)
  // The kernel takes some megabytes for each connection; the process keeps less than the 12 MB that wait.
  expect(buffered).toBeLessThan(8_000_000)
  await swarm.end()
})

test('a connection that is cut again and again in a catch-up is dialled again, and nothing comes twice', async () => {
  const { swarm, proxy, address } = await aliceBehindProxy()
  proxy.set({ bytesPerSecond: 400_000 }, 'down')
  const bob = await swarm.start('bob', address)
  const cuts = 4
  for (let cut = 1; cut <= cuts; cut++) {
    const goal = cut * 100_000
    await eventually(`${goal} bytes`, WITHIN_MS, () => proxy.stats.down.bytesOut > goal)
    expect(proxy.cut(cut % 2 === 0 ? 'fin' : 'rst')).toBe(1)
    await swarm.writeEverywhere()
  }
  const convergedMs = await swarm.converge(WITHIN_MS)
  const { counters, sync } = await bob.call('stats')
  console.info(
    `cuts: level ${convergedMs} ms after the last of ${cuts}, ${counters.receivedBlocks} blocks received, ` +
      `${counters.duplicateBlocks} of them twice, ${sync.streams} streams, ${proxy.stats.down.bytesOut} bytes`
  )
  expect(counters.duplicateBlocks).toBeLessThan(20)
  expect(proxy.stats.connections).toBe(cuts + 1)
  expect(sync.streams).toBeLessThan(40)
  await swarm.end()
})

test('where a connection stalls in a catch-up, it goes on through another peer at once', async () => {
  const { swarm, alice, digest, proxy, address } = await aliceBehindProxy()
  const carol = await swarm.start('carol', alice.address)
  await carol.call('reached', { digest, withinMs: WITHIN_MS })
  proxy.set({ bytesPerSecond: 200_000 }, 'down')
  const bob = await swarm.start('bob', address)
  await eventually('the middle', WITHIN_MS, () => proxy.stats.down.bytesOut > 150_000)
  proxy.set({ stalled: true })
  await bob.call('connect', carol.address)
  const startedAt = performance.now()
  await bob.call('reached', { digest, withinMs: WITHIN_MS })
  const throughCarolMs = Math.round(performance.now() - startedAt)
  await swarm.writeEverywhere()
  await swarm.converge(WITHIN_MS)
  const { counters } = await bob.call('stats')
  console.info(
    `stall: level through another peer in ${throughCarolMs} ms, ${counters.duplicateBlocks} blocks twice`
  )
  expect(throughCarolMs).toBeLessThan(AT_ONCE_MS)
  expect(counters.duplicateBlocks).toBeLessThan(NODES / 2)
  proxy.heal()
  await swarm.writeEverywhere()
  await swarm.converge(WITHIN_MS)
  await swarm.end()
})

test('a stalled connection with nobody else to ask is given up in time, and the catch-up goes on over a new one', async () => {
  const { swarm, proxy, address } = await aliceBehindProxy()
  proxy.set({ bytesPerSecond: 200_000 }, 'down')
  const bob = await swarm.start('bob', address)
  await eventually('the middle', WITHIN_MS, () => proxy.stats.down.bytesOut > 150_000)
  const { nodes } = await bob.call('stats')
  proxy.set({ stalled: true })
  const noticedMs = await eventually('it is given up', 30_000, async () => {
    return (await bob.call('stats')).connections === 0
  })
  await swarm.writeEverywhere()
  proxy.heal()
  await bob.call('reached', { nodes, withinMs: WITHIN_MS })
  const convergedMs = await swarm.converge(WITHIN_MS)
  const { counters } = await bob.call('stats')
  console.info(
    `stall: given up after ${noticedMs} ms with ${nodes} nodes, level ${convergedMs} ms after healing; ` +
      `${counters.duplicateBlocks} blocks twice, ${proxy.stats.connections} connections`
  )
  expect(counters.duplicateBlocks).toBeLessThan(20)
  await swarm.end()
})

test('one byte at a time is slow, and otherwise like all at once', async () => {
  const { swarm, alice, digest, proxy, address } = await aliceBehindProxy({ count: 300, bytes: 100 })
  proxy.set({ sliceBytes: 1 })
  const bob = await swarm.start('bob', address)
  await bob.call('reached', { digest, withinMs: WITHIN_MS })
  await swarm.writeEverywhere()
  await swarm.converge(WITHIN_MS)
  expect(proxy.stats.connections).toBe(1)
  expect((await alice.call('stats')).sync.droppedStreams).toBe(0)
  await swarm.end()
})

test('after a connection was half-open, writes of both sides pass over the next one, also once the old one is gone', async () => {
  const { swarm, alice, digest, proxy, address } = await aliceBehindProxy({ count: 50, bytes: 100 })
  const bob = await swarm.start('bob', address)
  await bob.call('reached', { digest, withinMs: WITHIN_MS })
  await swarm.writeEverywhere()
  await swarm.converge(WITHIN_MS)
  // What bob says is lost, his end included; what alice says arrives.
  proxy.set({ dropped: true }, 'up')
  await swarm.writeEverywhere()
  const noticedMs = await eventually('bob notices', 30_000, () => proxy.stats.connections > 1)
  proxy.heal()
  const convergedMs = await swarm.converge(WITHIN_MS)
  await eventually('alice notices', 30_000, async () => (await alice.call('stats')).connections === 1)
  await swarm.writeEverywhere()
  const afterwardsMs = await swarm.converge(WITHIN_MS)
  console.info(
    `half-open: noticed after ${noticedMs} ms, level ${convergedMs} ms after healing, ` +
      `writes after the old connection was gone in ${afterwardsMs} ms`
  )
  expect(afterwardsMs).toBeLessThan(AT_ONCE_MS)
  await swarm.end()
})

test('a peer that vanished without a word and came back is written to at once, and also once its old connection is gone', async () => {
  const { swarm, alice, digest, proxy, address } = await aliceBehindProxy({ count: 50, bytes: 100 })
  const vanished = await swarm.start('bob', address)
  await vanished.call('reached', { digest, withinMs: WITHIN_MS })
  await swarm.writeEverywhere()
  await swarm.converge(WITHIN_MS)
  // As when a laptop is in another network all of a sudden: nobody tells alice that the connection is dead.
  proxy.set({ withholdsEnd: true }, 'up')
  await vanished.kill()
  await swarm.start('bob', address)
  const backMs = await swarm.converge(WITHIN_MS)
  await swarm.writeEverywhere()
  const meanwhileMs = await swarm.converge(WITHIN_MS)
  expect(proxy.stats.connections).toBe(2)
  await eventually('alice notices', 30_000, async () => (await alice.call('stats')).connections === 1)
  await swarm.writeEverywhere()
  const afterwardsMs = await swarm.converge(WITHIN_MS)
  console.info(
    `vanished and back: level after ${backMs} ms; writes pass in ${meanwhileMs} ms, and in ${afterwardsMs} ms once it is gone`
  )
  expect(Math.max(backMs, meanwhileMs, afterwardsMs)).toBeLessThan(AT_ONCE_MS)
  await swarm.end()
})
