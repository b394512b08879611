// Nodes in memory with the shape of libp2p 2: duplex streams with real backpressure, handlers called with
// `{ stream, connection }`. Hostile peers are easily made of it: they write what they like into a raw stream.
import type {
  ConnectionLike,
  EventLike,
  Libp2pLike,
  PeerIdLike,
  TopologyLike
} from '../../src/libp2p/types.ts'

const WINDOW_BYTES = 256 * 1024

type Handler = (incoming: { stream: FakeStream; connection: ConnectionLike }) => void

/** One direction: what one side wrote and the other has not read. */
class Pipe {
  readonly chunks: Uint8Array[] = []
  bytes = 0
  ended = false
  error: Error | undefined
  #wake = Promise.withResolvers<void>()

  change(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  changed(): Promise<void> {
    return this.#wake.promise
  }
}

/** One end of a stream, with the members of libp2p 2's that are used. */
export class FakeStream {
  readonly protocol: string
  readonly #inbound: Pipe
  readonly #outbound: Pipe
  onClosed: () => void = () => {}

  constructor(protocol: string, inbound: Pipe, outbound: Pipe) {
    this.protocol = protocol
    this.#inbound = inbound
    this.#outbound = outbound
  }

  get isOpen(): boolean {
    const { error, ended } = this.#inbound
    return error === undefined && !(ended && this.#outbound.ended)
  }

  readonly source = this.#read()

  readonly sink = async (source: AsyncIterable<Uint8Array | { subarray(): Uint8Array }>): Promise<void> => {
    for await (const chunk of source) await this.writeRaw(chunk.subarray())
    this.#outbound.ended = true
    this.#outbound.change()
  }

  async writeRaw(chunk: Uint8Array): Promise<void> {
    const pipe = this.#outbound
    while (pipe.bytes > WINDOW_BYTES && pipe.error === undefined) await pipe.changed()
    if (pipe.error !== undefined) throw pipe.error
    pipe.chunks.push(new Uint8Array(chunk))
    pipe.bytes += chunk.length
    pipe.change()
  }

  endRaw(): void {
    this.#outbound.ended = true
    this.#outbound.change()
  }

  abort(error: Error): void {
    for (const pipe of [this.#inbound, this.#outbound]) {
      pipe.error ??= error
      pipe.change()
    }
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    // Field initialisers run before the constructor's body, the body of a generator after it.
    const pipe = this.#inbound
    for (;;) {
      const chunk = pipe.chunks.shift()
      if (pipe.error !== undefined) throw pipe.error
      if (chunk !== undefined) {
        pipe.bytes -= chunk.length
        pipe.change()
        yield chunk
      } else if (pipe.ended) return
      else await pipe.changed()
    }
  }
}

class FakeConnection implements ConnectionLike {
  readonly remotePeer: PeerIdLike
  readonly direction: 'inbound' | 'outbound'
  status = 'open'
  readonly streams: FakeStream[] = []
  readonly #remote: FakeLibp2p
  other!: FakeConnection

  constructor(remote: FakeLibp2p, direction: 'inbound' | 'outbound') {
    this.#remote = remote
    this.remotePeer = remote.peerId
    this.direction = direction
  }

  async newStream(protocol: string): Promise<FakeStream> {
    if (this.status !== 'open') throw new Error('The connection is closed')
    const handler = this.#remote.handlers.get(protocol)
    this.#remote.opened++
    if (handler === undefined) {
      throw Object.assign(new Error('Protocol selection failed'), { name: 'UnsupportedProtocolError' })
    }
    const [there, back] = [new Pipe(), new Pipe()]
    const mine = new FakeStream(protocol, back, there)
    const theirs = new FakeStream(protocol, there, back)
    this.streams.push(mine)
    this.other.streams.push(theirs)
    handler({ stream: theirs, connection: this.other })
    return mine
  }
}

type DisconnectListener = (event: EventLike<PeerIdLike>) => void

/** A node. */
export class FakeLibp2p implements Libp2pLike {
  readonly peerId: PeerIdLike
  readonly handlers = new Map<string, Handler>()
  readonly topologies = new Map<string, TopologyLike>()
  readonly listeners = new Set<DisconnectListener>()
  readonly connections: FakeConnection[] = []
  services: object = {}
  /** Streams that others tried to open here. */
  opened = 0

  constructor(name: string) {
    this.peerId = { toString: () => name }
  }

  getConnections(): FakeConnection[] {
    return this.connections
  }

  openStreams(): FakeStream[] {
    return this.connections.flatMap(({ streams }) => streams.filter(({ isOpen }) => isOpen))
  }

  async handle(protocol: string, handler: Handler): Promise<void> {
    this.handlers.set(protocol, handler)
  }

  async unhandle(protocol: string): Promise<void> {
    this.handlers.delete(protocol)
  }

  async register(protocol: string, topology: TopologyLike): Promise<string> {
    this.topologies.set(protocol, topology)
    return protocol
  }

  unregister(id: string): void {
    this.topologies.delete(id)
  }

  addEventListener(_type: 'peer:disconnect', listener: DisconnectListener): void {
    this.listeners.add(listener)
  }

  removeEventListener(_type: 'peer:disconnect', listener: DisconnectListener): void {
    this.listeners.delete(listener)
  }

  /** Connects, and tells each side which protocols the other has, as identify does. */
  connect(other: FakeLibp2p): void {
    const mine = new FakeConnection(other, 'outbound')
    const theirs = new FakeConnection(this, 'inbound')
    mine.other = theirs
    theirs.other = mine
    this.connections.push(mine)
    other.connections.push(theirs)
    for (const [node, connection] of [[this, mine] as const, [other, theirs] as const]) {
      const remote = connection === mine ? other : this
      for (const [protocol, topology] of node.topologies) {
        if (remote.handlers.has(protocol)) topology.onConnect?.(connection.remotePeer, connection)
      }
    }
  }

  disconnect(other: FakeLibp2p): void {
    for (const [node, remote] of [[this, other] as const, [other, this] as const]) {
      for (const connection of node.connections.filter(({ remotePeer }) => remotePeer === remote.peerId)) {
        connection.status = 'closed'
        for (const stream of connection.streams) stream.abort(new Error('The connection is closed'))
        node.connections.splice(node.connections.indexOf(connection), 1)
      }
    }
    for (const listener of this.listeners) listener({ detail: other.peerId })
    for (const listener of other.listeners) listener({ detail: this.peerId })
  }
}
