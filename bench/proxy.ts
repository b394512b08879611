/**
 * The proxy of the testkit between two peers of a benchmark, for the bytes that pass.
 */
import { createTcpProxy } from '../src/testkit/tcp/tcp-proxy.ts'
import type { Scope } from './scope.ts'

export interface Proxy {
  /** The address to dial in place of the peer's own. */
  address: string
  /** Bytes that passed so far, in both directions: those of TCP's payload. */
  bytes(): number
}

/** Begins to pass everything on to a peer. */
export async function startProxy(scope: Scope, peerAddress: string): Promise<Proxy> {
  const port = Number(/\/tcp\/(\d+)/.exec(peerAddress)?.[1])
  const proxy = await createTcpProxy({ target: { port } })
  scope.defer(() => proxy.close())
  return {
    address: peerAddress.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`),
    bytes: () => proxy.stats.up.bytesIn + proxy.stats.down.bytesIn
  }
}
