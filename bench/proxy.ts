/**
 * The proxy of the testkit between two peers of a benchmark: for the bytes that pass, and for a network that is far.
 */
import { createTcpProxy } from '../src/testkit/tcp/tcp-proxy.ts'
import type { Scope } from './scope.ts'

/** Room for what is on its way: 64 MiB at a round trip of 200 ms are 640 MB/s, which no peer here sends. */
const QUEUE_BYTES_MAX = 64 * 2 ** 20

export interface Proxy {
  /** The address to dial in place of the peer's own. */
  address: string
  /** Bytes that passed so far, in both directions: those of TCP's payload. */
  bytes(): number
}

/**
 * Begins to pass everything on to a peer.
 *
 * @param roundTripMs - half of it is how long every byte is on its way, in each direction.
 */
export async function startProxy(scope: Scope, peerAddress: string, roundTripMs = 0): Promise<Proxy> {
  const port = Number(/\/tcp\/(\d+)/.exec(peerAddress)?.[1])
  const proxy = await createTcpProxy({ target: { port }, queueBytesMax: QUEUE_BYTES_MAX })
  scope.defer(() => proxy.close())
  proxy.set({ latencyMs: roundTripMs / 2 })
  return {
    address: peerAddress.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`),
    bytes: () => proxy.stats.up.bytesIn + proxy.stats.down.bytesIn
  }
}
