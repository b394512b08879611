// Nodes of one generation of libp2p, or of both in turn, over loopback for the acceptance suites.
import { type Generation, libp2p2, libp2p3, type RealNode } from '../libp2p/generations.ts'

/** What nodes a group has: those of one generation, or one of each in turn. */
export const GROUPS: ReadonlyArray<{ name: string; generations: readonly Generation[] }> = [
  { name: 'libp2p 3', generations: [libp2p3] },
  { name: 'libp2p 2', generations: [libp2p2] },
  { name: 'libp2p 3 and libp2p 2', generations: [libp2p3, libp2p2] }
]

export class RealPeers {
  readonly nodes: RealNode[]

  private constructor(nodes: RealNode[]) {
    this.nodes = nodes
  }

  static async create(count: number, generations: readonly Generation[]): Promise<RealPeers> {
    const creating = Array.from({ length: count }, (_, index) =>
      (generations[index % generations.length] as Generation).create()
    )
    return new RealPeers(await Promise.all(creating))
  }

  readonly connect = async (one: number, other: number): Promise<void> => {
    await this.nodes[one]!.connect(this.nodes[other]!)
  }

  readonly disconnect = async (one: number, other: number): Promise<void> => {
    await this.nodes[one]!.hangUp(this.nodes[other]!)
  }

  readonly end = async (): Promise<void> => {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }
}
