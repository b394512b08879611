// Another replica, played by hand: it writes nodes as it pleases and says them to the store under test, their blocks
// inlined, by way of the store's own broadcaster port.

import { blockIdOf } from '../../src/codec/block-id.ts'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { encodeNode } from '../../src/codec/node.ts'
import type { BlockId, Element, Tombstone } from '../../src/crdt/delta.ts'
import type { Broadcaster } from '../../src/index.ts'

export interface RemoteNode {
  id: BlockId
  bytes: Uint8Array
  dagName: string
}

export interface RemoteNodeInit {
  priority: bigint
  elements?: Element[]
  tombstones?: Tombstone[]
  links?: BlockId[]
  dagName?: string
}

/** Give it to one store as its `broadcaster`. */
export class RemotePeer implements Broadcaster {
  /** What the store said. */
  readonly heard: Uint8Array[] = []
  starts = 0
  stops = 0
  #receive: ((message: Uint8Array, from: string) => void) | undefined

  async start(receive: (message: Uint8Array, from: string) => void): Promise<void> {
    this.starts += 1
    this.#receive = receive
  }

  async stop(): Promise<void> {
    this.stops += 1
    this.#receive = undefined
  }

  async broadcast(message: Uint8Array): Promise<boolean> {
    this.heard.push(message)
    return true
  }

  /** Says nodes to the store, in one message. */
  say(...nodes: RemoteNode[]): void {
    const heads = nodes.map(({ id, bytes, dagName }) => ({ id, dagName, block: bytes }))
    this.#receive?.(encodeBroadcast(heads), 'remote-peer')
  }
}

/** A node as another replica would write it. */
export async function remoteNode(init: RemoteNodeInit): Promise<RemoteNode> {
  const { priority, elements = [], tombstones = [], links = [], dagName = '' } = init
  const bytes = encodeNode({ elements, tombstones, priority, dagName, requires: [] }, links)
  return { id: await blockIdOf(bytes), bytes, dagName }
}
