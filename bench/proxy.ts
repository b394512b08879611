/**
 * The proxy of the testkit between two peers of a benchmark: for the bytes that pass, and for a network that is far.
 */
import { createTcpProxy } from '../src/testkit/tcp/tcp-proxy.ts'
import type { Scope } from './scope.ts'

/** Room for what is on its way: 64 MiB at a round trip of 200 ms are 640 MB/s, which no peer here sends. */
const QUEUE_BYTES_MAX = 64 * 2 ** 20
/** What waits before a link that is narrow: some tenths of a second's worth, as in a router. */
const NARROW_QUEUE_BYTES_MAX = 256 * 1024

export interface Proxy {
  /** The address to dial in place of the peer's own. */
  address: string
  /** Bytes that passed so far, in both directions: those of TCP's payload. */
  bytes(): number
}

/** What the network is like. */
export interface ProxyInit {
  /**
   * Half of it is how long every byte is on its way, in each direction, in milliseconds.
   *
   * @default 0
   */
  roundTripMs?: number
  /**
   * What comes from the peer, at most.
   *
   * @default Infinity
   */
  bytesPerSecond?: number
}

/** Begins to pass everything on to a peer. */
export async function startProxy(scope: Scope, peerAddress: string, init: ProxyInit = {}): Promise<Proxy> {
  const { roundTripMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = init
  const port = Number(/\/tcp\/(\d+)/.exec(peerAddress)?.[1])
  const queueBytesMax = Number.isFinite(bytesPerSecond) ? NARROW_QUEUE_BYTES_MAX : QUEUE_BYTES_MAX
  const proxy = await createTcpProxy({ target: { port }, queueBytesMax })
  scope.defer(() => proxy.close())
  proxy.set({ latencyMs: roundTripMs / 2 })
  proxy.set({ bytesPerSecond }, 'down')
  return {
    address: peerAddress.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`),
    bytes: () => proxy.stats.up.bytesIn + proxy.stats.down.bytesIn
  }
}
