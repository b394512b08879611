/**
 * A network in one process and in virtual time: nodes, the links between them, and everything that can go wrong there.
 *
 * Invariants: every chance comes from the network's own stream of the root seed; a pair of nodes is connected when both
 * are online and their topology says so; a direction that is cut holds the bytes of streams, and its connection ends
 * when it has been cut for longer than a keep-alive allows.
 */
import type { Clock, Random } from '../../replica/ports.ts'
import type { Fabric, Subscriptions } from './fabric.ts'
import { GOOD_LINK, Link, type LinkConditions } from './link.ts'
import { SimulatedConnection, SimulatedNode } from './simulated-node.ts'

/** How long a direction can be cut before both sides take their connection for lost, in milliseconds. */
const KEEP_ALIVE_MS = 15_000
/** How long two nodes take to dial each other again, in milliseconds. */
const REDIAL_MS = 200
/** How long gossip takes at each node that passes it on, in milliseconds. */
const HOP_MS = 1

/** A message of gossip as it was said. */
export interface GossipMessage {
  /** When, in milliseconds of virtual time. */
  at: number
  from: string
  topic: string
  bytes: Uint8Array
}

/** How a network is made. */
export interface SimulatedNetworkInit {
  /** Its time. */
  clock: Clock
  /** Its chance: loss, duplication, jitter. */
  random: Random
  /** How every link is, unless it is given others. */
  conditions?: Partial<LinkConditions>
  /** Called with every message of gossip. */
  onGossip?: (message: GossipMessage) => void
  /** Called with every message that a node heard, whether or not it heard it before. */
  onHeard?: (message: GossipMessage, by: SimulatedNode) => void
}

/** Nodes with the shape of libp2p's, for stores, broadcasters and exchanges; a `World` has one. */
export class SimulatedNetwork implements Fabric {
  readonly #clock: Clock
  readonly #random: Random
  readonly #conditions: LinkConditions
  readonly #onGossip: (message: GossipMessage) => void
  readonly #onHeard: (message: GossipMessage, by: SimulatedNode) => void
  readonly #nodes = new Map<string, SimulatedNode>()
  readonly #links = new Map<string, Link>()
  /** Whether two nodes are meant to be connected. */
  #topology: (a: string, b: string) => boolean = () => true
  /** Streams that were opened so far. */
  opened = 0
  /** Messages of gossip so far. */
  messages = 0

  constructor(init: SimulatedNetworkInit) {
    const { clock, random, conditions = {}, onGossip = () => {}, onHeard = () => {} } = init
    this.#clock = clock
    this.#random = random
    this.#conditions = { ...GOOD_LINK, ...conditions }
    this.#onGossip = onGossip
    this.#onHeard = onHeard
  }

  /** Bytes that were sent so far, over all links. */
  get bytes(): number {
    let sum = 0
    for (const link of this.#links.values()) sum += link.bytes
    return sum
  }

  /** When the last of what is on its way now arrives, over any link. */
  get lastArrival(): number {
    let last = 0
    for (const link of this.#links.values()) last = Math.max(last, link.lastArrival)
    return last
  }

  /** A node comes up and is connected to those that it can be. One of its name must have gone. */
  join(name: string): SimulatedNode {
    const node = new SimulatedNode(this, name)
    this.#nodes.set(name, node)
    this.#reconnect()
    return node
  }

  /** A node goes, cleanly or not: its connections end on the other side too. */
  leave(name: string): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    for (const { remote } of node.getConnections()) this.#disconnect(node, remote)
    this.#nodes.delete(name)
  }

  /** The link from one node to another, and the one back. */
  links(from: string, to: string): [Link, Link] {
    return [this.link(from, to), this.link(to, from)]
  }

  /** One direction. */
  link(from: string, to: string): Link {
    const name = `${from} ${to}`
    let link = this.#links.get(name)
    if (link === undefined) {
      link = new Link(this.#clock, this.#random, this.#conditions)
      this.#links.set(name, link)
    }
    return link
  }

  /** How all links are from now on. */
  setConditions(conditions: Partial<LinkConditions>): void {
    Object.assign(this.#conditions, conditions)
    for (const link of this.#links.values()) Object.assign(link.conditions, conditions)
  }

  /** Who is to be connected to whom; connections that may not be end at once. */
  setTopology(topology: (a: string, b: string) => boolean): void {
    this.#topology = topology
    this.#reconnect()
  }

  /** Only those in one group reach each other, and their connections to others end. */
  partition(groups: ReadonlyArray<readonly string[]>): void {
    this.setTopology((a, b) => groups.some((group) => group.includes(a) && group.includes(b)))
  }

  /** Cuts one direction without a word. After a while both sides take the connection for lost. */
  cut(from: string, to: string): void {
    const link = this.link(from, to)
    link.cut()
    this.#clock.setTimeout(() => {
      const [a, b] = [this.#nodes.get(from), this.#nodes.get(to)]
      if (link.isCut && a !== undefined && b !== undefined) this.#disconnect(a, b)
    }, KEEP_ALIVE_MS)
  }

  /** Takes a cut back. */
  mend(from: string, to: string): void {
    this.link(from, to).mend()
    this.#reconnect()
  }

  /** Ends all partitions and cuts, and gives every link these conditions. */
  heal(conditions: Partial<LinkConditions> = {}): void {
    this.setConditions(conditions)
    for (const link of this.#links.values()) link.mend()
    this.setTopology(() => true)
  }

  /** A stream was opened. Used by connections. */
  streamOpened(): void {
    this.opened++
  }

  /** Says a message to all subscribers that it can reach. Used by pubsub. */
  gossip(from: string, topic: string, given: Uint8Array): void {
    this.messages++
    // On a wire nobody shares memory: neither with the speaker nor with other hearers.
    const bytes = new Uint8Array(given)
    const message = { at: this.#clock.now(), from, topic, bytes }
    this.#onGossip(message)
    // Whoever hears it passes it on; each takes it from whom it comes first.
    const reached = new Set([from])
    const wave = (sender: SimulatedNode): void => {
      for (const { remote } of sender.getConnections()) {
        if (!remote.pubsub.isSubscribed(topic)) continue
        this.link(sender.name, remote.name).datagram(bytes.length, () => {
          const isFirst = !reached.has(remote.name)
          reached.add(remote.name)
          if (this.#nodes.get(remote.name) !== remote || remote.name === from) return
          const isHeard = remote.pubsub.receive({
            topic,
            data: bytes.slice(),
            from: { toString: () => from }
          })
          if (isHeard) this.#onHeard(message, remote)
          if (isFirst && this.#isChain(from, remote)) this.#clock.setTimeout(() => wave(remote), HOP_MS)
        })
      }
    }
    const sender = this.#nodes.get(from)
    if (sender !== undefined) wave(sender)
  }

  /** Whom a node's gossip can reach, directly or through others. Used by pubsub. */
  subscribersFor(name: string, topic: string): SimulatedNode[] {
    const found = new Set<SimulatedNode>()
    const queue = [this.#nodes.get(name)]
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      for (const { remote } of node.getConnections()) {
        if (found.has(remote) || remote.name === name || !remote.pubsub.isSubscribed(topic)) continue
        found.add(remote)
        queue.push(remote)
      }
    }
    return [...found]
  }

  /** One node tells another of its topics. Used by pubsub. */
  tellSubscriptions(from: string, to: string, subscriptions: Subscriptions): void {
    this.link(from, to).stream(0, () => {
      const [sender, receiver] = [this.#nodes.get(from), this.#nodes.get(to)]
      if (sender === undefined || receiver?.connectionTo(from) === undefined) return
      receiver.pubsub.subscribed({ peerId: sender.peerId, subscriptions })
    })
  }

  /** One node tells another which protocols it has. */
  identify(from: string, to: string): void {
    this.link(from, to).stream(0, () => {
      const [sender, receiver] = [this.#nodes.get(from), this.#nodes.get(to)]
      if (sender !== undefined) receiver?.identified(sender)
    })
  }

  /** Passing on is only needed where the sender is not connected to everybody itself. */
  #isChain(from: string, node: SimulatedNode): boolean {
    return node
      .getConnections()
      .some(({ remote }) => remote.name !== from && remote.connectionTo(from) === undefined)
  }

  #reconnect(): void {
    const nodes = [...this.#nodes.values()]
    for (const [index, a] of nodes.entries()) {
      for (const b of nodes.slice(index + 1)) {
        const isMeant = this.#topology(a.name, b.name)
        const isConnected = a.connectionTo(b.name) !== undefined
        if (isConnected && !isMeant) this.#disconnect(a, b)
        if (!isConnected && isMeant) this.#dial(a, b)
      }
    }
  }

  /** Connects two nodes as soon as it can be. */
  #dial(a: SimulatedNode, b: SimulatedNode): void {
    const { latencyMs } = this.link(a.name, b.name).conditions
    this.#clock.setTimeout(
      () => {
        const isCurrent = this.#nodes.get(a.name) === a && this.#nodes.get(b.name) === b
        if (!isCurrent || a.connectionTo(b.name) !== undefined || !this.#topology(a.name, b.name)) return
        // A handshake needs both directions; `heal` dials again.
        if (this.links(a.name, b.name).some(({ isCut }) => isCut)) return
        a.connected(new SimulatedConnection(a, b, 'outbound'))
        b.connected(new SimulatedConnection(b, a, 'inbound'))
        for (const [one, other] of [[a, b] as const, [b, a] as const]) {
          this.identify(one.name, other.name)
          const topics = one.pubsub.getTopics().map((topic) => ({ topic, subscribe: true }))
          if (topics.length > 0) this.tellSubscriptions(one.name, other.name, topics)
        }
      },
      REDIAL_MS + 3 * latencyMs
    )
  }

  #disconnect(a: SimulatedNode, b: SimulatedNode): void {
    for (const link of this.links(a.name, b.name)) link.dropHeld()
    a.disconnected(b)
    b.disconnected(a)
  }
}
