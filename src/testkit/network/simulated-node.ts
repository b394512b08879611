/**
 * A node of a simulated network with the shape of libp2p's, so that the real broadcaster and the real sync protocol run
 * over it unchanged.
 *
 * Invariants: a node that was killed hears and says nothing any more; everything that somebody registered is counted,
 * so that a test can see what was left behind.
 */
import type { ConnectionLike, Libp2pLike, PeerIdLike, TopologyLike } from '../../libp2p/types.ts'
import type { DisconnectListener, Fabric } from './fabric.ts'
import { SimulatedPubSub } from './simulated-pubsub.ts'
import { type SimulatedStream, streamPair } from './simulated-stream.ts'

type StreamHandler = (first: object, second?: ConnectionLike) => void

/** One side of a connection. */
export class SimulatedConnection implements ConnectionLike {
  readonly direction: 'inbound' | 'outbound'
  status = 'open'
  readonly remote: SimulatedNode
  readonly #local: SimulatedNode
  readonly #streams = new Set<SimulatedStream>()

  constructor(local: SimulatedNode, remote: SimulatedNode, direction: 'inbound' | 'outbound') {
    this.#local = local
    this.remote = remote
    this.direction = direction
  }

  get remotePeer(): PeerIdLike {
    return this.remote.peerId
  }

  /** Opens a stream, after a round trip. */
  async newStream(protocol: string): Promise<SimulatedStream> {
    const { network } = this.#local
    const [there, back] = network.links(this.#local.name, this.remote.name)
    await new Promise<void>((resolve, reject) => {
      this.#opening.add(reject)
      there.stream(0, () =>
        back.stream(0, () => {
          this.#opening.delete(reject)
          resolve()
        })
      )
    })
    const handler = this.remote.handlers.get(protocol)
    const other = this.remote.connectionTo(this.#local.name)
    if (this.status !== 'open' || other === undefined) throw new Error('The connection is closed')
    if (handler === undefined) {
      throw Object.assign(new Error('Protocol selection failed'), { name: 'UnsupportedProtocolError' })
    }
    const [mine, theirs] = streamPair(there, back)
    this.#streams.add(mine)
    other.#streams.add(theirs)
    network.streamOpened()
    handler({ stream: theirs, connection: other })
    return mine
  }

  /** Ends it and all its streams. Used by the network, which ends the other side too. */
  close(): void {
    this.status = 'closed'
    const error = new Error('The connection is closed')
    for (const stream of this.#streams) stream.abort(error)
    for (const reject of this.#opening) reject(error)
    this.#streams.clear()
    this.#opening.clear()
  }

  readonly #opening = new Set<(error: Error) => void>()
}

/** A node of a `SimulatedNetwork`, made by its `join`: give it to whatever takes a libp2p node. */
export class SimulatedNode implements Libp2pLike {
  /** Its name in the network. */
  readonly name: string
  readonly network: Fabric
  /** Its name as others see it. */
  readonly peerId: PeerIdLike
  readonly pubsub: SimulatedPubSub
  readonly services: { pubsub: SimulatedPubSub }
  readonly handlers = new Map<string, StreamHandler>()
  readonly topologies = new Map<string, { protocol: string; topology: TopologyLike }>()
  readonly #disconnectListeners = new Set<DisconnectListener>()
  readonly #connections = new Map<string, SimulatedConnection>()
  #registrations = 0

  constructor(network: Fabric, name: string) {
    this.network = network
    this.name = name
    this.peerId = { toString: () => name }
    this.pubsub = new SimulatedPubSub(network, name, () => {
      return this.getConnections().map(({ remote }) => remote.name)
    })
    this.services = { pubsub: this.pubsub }
  }

  readonly peerStore = {
    get: async (peerId: PeerIdLike): Promise<{ protocols: string[] }> => {
      const remote = this.connectionTo(peerId.toString())?.remote
      return { protocols: [...(remote?.handlers.keys() ?? [])] }
    }
  }

  getConnections(): SimulatedConnection[] {
    return [...this.#connections.values()]
  }

  connectionTo(name: string): SimulatedConnection | undefined {
    return this.#connections.get(name)
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    this.handlers.set(protocol, handler)
    // libp2p's identify tells peers of a protocol that came later.
    for (const { remote } of this.getConnections()) this.network.identify(this.name, remote.name)
  }

  async unhandle(protocol: string): Promise<void> {
    this.handlers.delete(protocol)
  }

  async register(protocol: string, topology: TopologyLike): Promise<string> {
    const id = `${++this.#registrations}`
    this.topologies.set(id, { protocol, topology })
    return id
  }

  unregister(id: string): void {
    this.topologies.delete(id)
  }

  addEventListener(_type: 'peer:disconnect', listener: DisconnectListener): void {
    this.#disconnectListeners.add(listener)
  }

  removeEventListener(_type: 'peer:disconnect', listener: DisconnectListener): void {
    this.#disconnectListeners.delete(listener)
  }

  /** What somebody registered and did not take back; empty after every store of the node was closed. */
  leftBehind(): string[] {
    return [
      ...[...this.handlers.keys()].map((protocol) => `handler of ${protocol}`),
      ...[...this.topologies.values()].map(({ protocol }) => `topology of ${protocol}`),
      ...Array.from(this.#disconnectListeners, () => 'listener of peer:disconnect'),
      ...this.pubsub.leftBehind()
    ]
  }

  /** A connection was made. Used by the network. */
  connected(connection: SimulatedConnection): void {
    this.#connections.set(connection.remote.name, connection)
  }

  /** A connection ended. Used by the network. */
  disconnected(remote: SimulatedNode): void {
    this.#connections.get(remote.name)?.close()
    this.#connections.delete(remote.name)
    for (const listener of [...this.#disconnectListeners]) listener({ detail: remote.peerId })
  }

  /** A peer told which protocols it has. Used by the network. */
  identified(remote: SimulatedNode): void {
    const connection = this.#connections.get(remote.name)
    if (connection === undefined) return
    for (const { protocol, topology } of [...this.topologies.values()]) {
      if (remote.handlers.has(protocol)) topology.onConnect?.(remote.peerId, connection)
    }
  }
}
