/**
 * Blocks as the oracle reads them, each decoded once, however many replicas have it.
 *
 * Invariant: nothing is taken from one replica for another but where their blocks are the same byte by byte, so that
 * what is spared is work and never a comparison.
 */
import { decodeNode, type Node } from '../oracle/block.ts'
import { meaningOf, type OracleState } from '../oracle/oracle.ts'
import type { DagNode } from './replica-dag.ts'

/** A node of a replica's DAG, and what the oracle reads in its block. */
export interface ReadNode extends DagNode {
  read: Node
}

export class KnownBlocks {
  readonly #nodes = new Map<string, { bytes: Uint8Array; read: Node }>()
  readonly #meanings: Array<{ blocks: ReadonlySet<Node>; meaning: OracleState }> = []

  /** The nodes with what the oracle reads in them, in their order. */
  read(nodes: readonly DagNode[]): ReadNode[] {
    return nodes.map((node) => ({ ...node, read: this.#read(node) }))
  }

  /** What the oracle makes of these blocks, whatever their order. */
  meaning(nodes: readonly ReadNode[]): OracleState {
    const blocks = new Set(nodes.map(({ read }) => read))
    const known = this.#meanings.find((one) => isSame(one.blocks, blocks))
    if (known !== undefined) return known.meaning
    const meaning = meaningOf(blocks)
    this.#meanings.push({ blocks, meaning })
    return meaning
  }

  /** The name under which a replica keeps a block is only where to look; the bytes decide. */
  #read({ cid, bytes }: DagNode): Node {
    const known = this.#nodes.get(cid)
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known.read
    const read = decodeNode(bytes)
    this.#nodes.set(cid, { bytes, read })
    return read
  }
}

function isSame(a: ReadonlySet<Node>, b: ReadonlySet<Node>): boolean {
  if (a.size !== b.size) return false
  for (const node of a) if (!b.has(node)) return false
  return true
}
