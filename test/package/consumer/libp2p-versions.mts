// Nodes of libp2p 2 and of libp2p 3 are told apart by what they call a handler with, and both fit. Only checked by
// TypeScript, never run.
import type { CrdtDatastoreInit } from 'datastore-crdt'
import type { Libp2pLike } from 'datastore-crdt/libp2p'

interface Stream {
  id: string
  abort(error: Error): void
}

type Connection = ReturnType<Libp2pLike['getConnections']>[number] & { id: string }

/** libp2p declares some functions as properties, whose parameters TypeScript compares strictly. */
interface Node<Handler> extends Omit<Libp2pLike, 'handle'> {
  handle: (
    protocol: string | string[],
    handler: Handler,
    options?: { maxInboundStreams?: number }
  ) => Promise<void>
}

type Handler2 = (incoming: { stream: Stream; connection: Connection }) => void
type Handler3 = (stream: Stream, connection: Connection) => void | Promise<void>

export function versions(two: Node<Handler2>, three: Node<Handler3>): Array<CrdtDatastoreInit['libp2p']> {
  return [two, three]
}

export function misfit(node: Node<number>): Libp2pLike {
  // @ts-expect-error A node is refused that takes no handler.
  return node
}
