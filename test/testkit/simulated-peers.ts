// Nodes of a simulated network for the acceptance suites, as a user would set them up.
import { SimulatedNetwork } from '../../src/testkit/network/simulated-network.ts'
import type { SimulatedNode } from '../../src/testkit/network/simulated-node.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

const NAMES = ['alice', 'bob', 'carol']

export class SimulatedPeers {
  readonly clock = new VirtualClock()
  readonly random = seededRandom(1)
  readonly nodes: SimulatedNode[]
  readonly #network = new SimulatedNetwork({ clock: this.clock, random: this.random })
  readonly #connected = new Set<string>()
  readonly #patienceMs: number

  constructor(count: number, { connected, patienceMs }: { connected: boolean; patienceMs: number }) {
    this.#patienceMs = patienceMs
    this.#network.setTopology((a, b) => connected || this.#connected.has([a, b].sort().join(' ')))
    this.nodes = NAMES.slice(0, count).map((name) => this.#network.join(name))
  }

  readonly until = (condition: () => boolean | Promise<boolean>): Promise<void> =>
    this.clock.until(condition, { withinMs: this.#patienceMs })

  readonly connect = async (one: number, other: number): Promise<void> => this.#set(one, other, true)

  readonly disconnect = async (one: number, other: number): Promise<void> => this.#set(one, other, false)

  readonly leftBehind = (place: number): string[] => this.nodes[place]?.leftBehind() ?? []

  #set(one: number, other: number, connected: boolean): void {
    const pair = [NAMES[one], NAMES[other]].sort().join(' ')
    if (connected) this.#connected.add(pair)
    else this.#connected.delete(pair)
    this.#network.setTopology((a, b) => this.#connected.has([a, b].sort().join(' ')))
  }
}
