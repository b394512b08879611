// A reader that is killed again and again in the middle of a catch-up: it goes on where it was, fetches nothing anew
// that it had kept, and ends level.
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { ensureBuilt } from '../e2e/build.ts'
import { deleteFolders, temporaryFolder } from '../e2e/folders.ts'
import { killLineProcesses } from '../e2e/line-process.ts'
import { proxied, proxyTo } from './addresses.ts'
import { LabProcess } from './lab-process.ts'
import { ROUNDS, SEED } from './rounds.ts'
import { randomFrom } from './workload.ts'

const NODES = 2000
const VALUE_BYTES = 200
/** Slow enough for every kill to come in the middle, whatever the machine. */
const BYTES_PER_SECOND = 400_000
/** Kills of one catch-up, before the next begins with an empty folder. */
const KILLS_MAX = 5
const WITHIN_MS = 120_000

beforeAll(ensureBuilt)
afterEach(async () => {
  await killLineProcesses()
  await deleteFolders()
})

test('a reader that is killed in the middle of its catch-up goes on where it was, fetches nothing anew and ends level', async () => {
  const random = randomFrom(`reader/${SEED}`)
  const folder = await temporaryFolder()
  const alice = await LabProcess.start(join(folder, 'alice'), ['--no-coalesce'])
  await alice.call('fill', { count: NODES, bytes: VALUE_BYTES })
  const { digest, nodes } = await alice.call('stats')
  expect(nodes).toBe(NODES)
  const proxy = await proxyTo(alice.address)
  proxy.set({ bytesPerSecond: BYTES_PER_SECOND }, 'down')
  const address = proxied(alice.address, proxy)
  const startedAt = performance.now()
  let kills = 0
  let catchUps = 0
  while (kills < ROUNDS) {
    const data = join(folder, `bob${catchUps++}`)
    // Where it is killed: in the order in which it gets there.
    const count = Math.min(ROUNDS - kills, 1 + Math.floor(random() * KILLS_MAX))
    const killAt = Array.from({ length: count }, () => 1 + Math.floor(random() * NODES * 0.9)).sort(
      (one, other) => one - other
    )
    let had = 0
    for (const goal of killAt) {
      const bob = await LabProcess.start(data)
      const seen = await resume(bob, { had, goal: Math.max(goal, had + 1), address })
      await bob.kill()
      had = seen
      kills++
    }
    const bob = await LabProcess.start(data)
    await resume(bob, { had, goal: NODES, address })
    const level = await bob.call('reached', { digest, nodes: NODES, withinMs: WITHIN_MS })
    expect({ nodes: level.nodes, gaps: level.gaps, pending: level.pending }).toEqual({
      ...{ nodes: NODES, gaps: 0, pending: 0 }
    })
    expect((await bob.call('check')).problems, `seed ${SEED}`).toEqual([])
    await bob.close()
  }
  const sent = (await alice.call('stats')).sync.blocksOut!
  const { down } = proxy.stats
  console.info(
    `${kills} kills of a reader in ${catchUps} catch-ups of ${NODES} nodes, ` +
      `${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${sent} blocks sent for ${catchUps * NODES}, ` +
      `${down.bytesOut} bytes, none of what was kept a second time`
  )
  await proxy.close()
  await alice.close()
})

/** Lets a reader that just started go on up to a number of nodes. @returns how many it has then. */
async function resume(
  bob: LabProcess,
  { had, goal, address }: { had: number; goal: number; address: string }
): Promise<number> {
  const before = await bob.call('stats')
  // It was seen to have them before it was killed.
  expect(before.nodes, `seed ${SEED}`).toBeGreaterThanOrEqual(had)
  await bob.call('connect', address)
  const { nodes, counters, sync } = await bob.call('reached', { nodes: goal, withinMs: WITHIN_MS })
  // Whatever came was new: nothing that is kept is sent again.
  expect(counters.duplicateBlocks, `seed ${SEED}`).toBe(0)
  expect(counters.receivedBlocks!, `seed ${SEED}`).toBeLessThanOrEqual(NODES - before.nodes)
  expect(sync.blocksIn!, `seed ${SEED}`).toBeLessThanOrEqual(NODES - before.nodes)
  expect(counters.failedPulls, `seed ${SEED}`).toBe(0)
  return nodes
}
