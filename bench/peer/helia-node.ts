/**
 * A Helia node as an app that shares blocks with Go peers would make it, listening on the loopback. Its blocks are in
 * memory.
 */
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { createHeliaLight } from 'helia'
import { nodeOptions } from './node.ts'

export async function createHeliaNode() {
  return await withBitswap(withLibp2pLight(createHeliaLight(), nodeOptions()), {
    sendWantlistDebounce: 0
  }).start()
}
