/**
 * In which order nodes came to a replica, and what it wrote on top of them: ancestors first, and later is later.
 */
import type { Life, SimulatedReplica } from '../simulated-replica.ts'
import { ensure } from './check-error.ts'
import type { DagNode } from './replica-dag.ts'

const ANCESTORS = 'ancestors come first'
const LAMPORT = 'later is later'
const PRIORITY_MAX = 2n ** 64n - 1n

/**
 * No node came before one that it links to, but over a gap that was told of.
 *
 * @throws CheckError
 */
export function checkAncestorsFirst({ name, lives }: SimulatedReplica, nodes: readonly DagNode[]): void {
  const gaps = new Set(lives.flatMap((life) => life.gaps.map(({ missing }) => missing.toString())))
  const here = new Set(nodes.map(({ cid }) => cid))
  const came = new Set<string>()
  for (const { cid, links } of nodes) {
    for (const link of links) {
      if (came.has(link) || gaps.has(link)) continue
      ensure(false, ANCESTORS, () => `${name} has ${cid}, ${here.has(link) ? 'before' : 'without'} ${link}`)
    }
    came.add(cid)
  }
}

/**
 * Whatever a replica wrote outranks every node that it had by then.
 *
 * @param lives - those over its present disk.
 * @throws CheckError
 */
export function checkLamport(name: string, lives: readonly Life[], nodes: readonly DagNode[]): void {
  const own = new Set<string>()
  for (const { changes } of lives) {
    for (const { origin, cid } of changes) if (origin === 'local') own.add(cid.toString())
  }
  let greatest = 0n
  for (const { cid, priority } of nodes) {
    const isGreater = !own.has(cid) || priority > greatest || priority === PRIORITY_MAX
    ensure(isGreater, LAMPORT, () => `${name} wrote ${cid} with ${priority}, and had a node with ${greatest}`)
    if (priority > greatest) greatest = priority
  }
}
