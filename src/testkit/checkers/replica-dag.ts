/**
 * The DAG of a replica as its public interface shows it, in the order in which its nodes came.
 */
import type { SimulatedReplica } from '../simulated-replica.ts'

export interface DagNode {
  cid: string
  links: string[]
  priority: bigint
  dagName: string
  sequence: number
  bytes: Uint8Array
}

export async function dagOf({ store }: Pick<SimulatedReplica, 'store'>): Promise<DagNode[]> {
  const nodes: DagNode[] = []
  for await (const { cid, links, ...node } of store.dag.traverse()) {
    nodes.push({ ...node, cid: cid.toString(), links: links.map((link) => link.toString()) })
  }
  return nodes.sort((a, b) => a.sequence - b.sequence)
}
