/**
 * Nodes made by hand, as a Go peer would have them and say them.
 */
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { cidOfId } from '../../src/testkit/oracle/block.ts'
import { base64, type GoPeer } from './go-peer.ts'

/** A node by its bytes. */
export interface MadeNode {
  id: string
  bytes: Uint8Array
}

/** Gives a Go peer blocks, and lets it broadcast the last one as a head. Waits until it has merged them itself. */
export async function announce(go: GoPeer, ...nodes: MadeNode[]): Promise<void> {
  await give(go, ...nodes)
  const { id } = nodes.at(-1)!
  await say(go, encodeBroadcast([{ id, dagName: '' }]))
  await go.until({ processed: nodes.map((node) => cidOfId(node.id)) })
}

/** Gives a Go peer blocks, which it serves and says nothing of. */
export async function give(go: GoPeer, ...nodes: MadeNode[]): Promise<void> {
  await go.call('add', { inputs: nodes.map(({ bytes }) => base64(bytes)) })
}

/** Lets a Go peer broadcast whatever bytes. It hears them itself. */
export async function say(go: GoPeer, data: Uint8Array): Promise<void> {
  await go.call('broadcast', { data: base64(data) })
}
