/**
 * Everything that must hold of a world which has healed: what its replicas show, how they came to it, and what they
 * told and promised on the way.
 *
 * Invariant: the checks look at internal structure (nodes, heads, alive versions, order, digests) and not only at
 * values, because two mistakes can give one value.
 */

import { pick } from '../seeded-random.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import type { IndexingApp } from '../simulation/indexing-app.ts'
import type { WriteRecord } from '../simulation/record.ts'
import type { World } from '../world.ts'
import { checkAcknowledged } from './acknowledged.ts'
import { ensure } from './check-error.ts'
import { checkEqualsOracle } from './equals-oracle.ts'
import { checkChanges } from './events.ts'
import { KnownBlocks, type ReadNode } from './known-blocks.ts'
import { checkAncestorsFirst, checkLamport } from './node-order.ts'
import { checkQuiet } from './quiet.ts'
import { type DagNode, dagOf } from './replica-dag.ts'

/** What there is to check. */
export interface CheckedWorld {
  world: World
  writes: WriteRecord
  /** For each replica the life with which its newest disk began. */
  firstLives: ReadonlyMap<string, number>
  /** Apps that follow replicas by `watch`. */
  apps: readonly IndexingApp[]
  /** What its replicas have; 0 to leave out the look at what level replicas say, which takes long. */
  rebroadcastIntervalMs: number
}

/**
 * Runs every check over a world whose replicas are level.
 *
 * @throws CheckError naming the check and what it found.
 */
export async function checkWorld(checked: CheckedWorld): Promise<void> {
  const { world, writes, firstLives, apps, rebroadcastIntervalMs } = checked
  for (const error of writes.unexplained) {
    ensure(false, 'writes fail only for a reason', () => String(error))
  }
  const replicas = world.running()
  const blocks = new KnownBlocks()
  const dags = new Map<SimulatedReplica, ReadNode[]>()
  for (const replica of replicas) dags.set(replica, blocks.read(await dagOf(replica)))
  const [first] = dags.values()
  if (first !== undefined) checkAcknowledged(first, blocks, writes)
  for (const [replica, nodes] of dags) {
    checkSameNodes(replica.name, nodes, first ?? [])
    await checkEqualsOracle(replica, nodes, blocks)
    checkAncestorsFirst(replica, nodes)
    const ofThisDisk = replica.lives.slice((firstLives.get(replica.name) ?? 1) - 1)
    checkLamport(replica.name, ofThisDisk, nodes)
    await checkChanges(replica)
  }
  if (replicas.length > 0) await checkVerified(pick(world.random('checks'), replicas))
  if (rebroadcastIntervalMs > 0) await checkQuiet(world, rebroadcastIntervalMs)
  // Apps are slow, and have had time by now for what they were told last.
  for (const app of apps) await checkIndex(app)
}

function checkSameNodes(name: string, nodes: readonly DagNode[], others: readonly DagNode[]): void {
  const here = new Set(nodes.map(({ cid }) => cid))
  const missing = others.filter(({ cid }) => !here.has(cid))
  const isSame = missing.length === 0 && nodes.length === others.length
  ensure(isSame, 'replicas have the same nodes', () => `${name} has ${nodes.length}, others ${others.length}`)
}

/**
 * The store's own check finds nothing.
 *
 * @throws CheckError
 */
export async function checkVerified({ name, store }: SimulatedReplica): Promise<void> {
  const report = await store.verify()
  ensure(
    report.ok,
    'verify finds nothing',
    () => `${name}: ${JSON.stringify(report.differences.slice(0, 3))}`
  )
}

/** Whoever follows a replica by `watch` has what the replica shows, whatever happened on the way. */
async function checkIndex(app: IndexingApp): Promise<void> {
  const { name, store } = app.replica
  const check = 'a watch leads to the state'
  ensure(app.failures.length === 0, check, () => `the watch of ${name} failed: ${app.failures}`)
  const index = app.index()
  let keys = 0
  for await (const { key, value } of store.query({})) {
    keys++
    const known = index.get(`${key}`)
    ensure(known !== undefined && Buffer.compare(known, value) === 0, check, () => {
      return `${name} shows ${Buffer.from(value)} for ${key}, and its watcher has ${known && Buffer.from(known)}`
    })
  }
  ensure(keys === index.size, check, () => `${name} shows ${keys} keys, and its watcher has ${index.size}`)
}
