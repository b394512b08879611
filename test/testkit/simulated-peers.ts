// Nodes of a world for the acceptance suites, as docs/testkit.md has it.
import type { SimulatedNode } from '../../src/testkit/network/simulated-node.ts'
import { World } from '../../src/testkit/world.ts'

const NAMES = ['alice', 'bob', 'carol']

export class SimulatedPeers {
  readonly nodes: SimulatedNode[]
  readonly world = new World({ seed: 1 })
  readonly #connected = new Set<string>()
  readonly #patienceMs: number

  constructor(count: number, { connected, patienceMs }: { connected: boolean; patienceMs: number }) {
    const { network } = this.world
    this.#patienceMs = patienceMs
    network.setTopology((a, b) => connected || this.#connected.has(pairOf(a, b)))
    this.nodes = NAMES.slice(0, count).map((name) => network.join(name))
  }

  readonly until = (condition: () => boolean | Promise<boolean>): Promise<void> =>
    this.world.until(condition, this.#patienceMs)

  readonly connect = async (one: number, other: number): Promise<void> => this.#set(one, other, true)

  readonly disconnect = async (one: number, other: number): Promise<void> => this.#set(one, other, false)

  readonly leftBehind = (place: number): string[] => this.nodes[place]?.leftBehind() ?? []

  #set(one: number, other: number, connected: boolean): void {
    const pair = pairOf(NAMES[one], NAMES[other])
    if (connected) this.#connected.add(pair)
    else this.#connected.delete(pair)
    this.world.network.setTopology((a, b) => this.#connected.has(pairOf(a, b)))
  }
}

function pairOf(a: string | undefined, b: string | undefined): string {
  return [a, b].sort().join(' ')
}
