/**
 * A TCP proxy on the loopback that counts what passes, in both directions.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Scope } from './scope.ts'

export interface Proxy {
  /** The address to dial in place of the peer's own. */
  address: string
  /** Bytes that passed so far, in both directions: those of TCP's payload. */
  bytes(): number
}

/** Begins to pass everything on to a peer. */
export async function startProxy(scope: Scope, peerAddress: string): Promise<Proxy> {
  const peerPort = Number(/\/tcp\/(\d+)/.exec(peerAddress)?.[1])
  const sockets = new Set<Socket>()
  let bytes = 0
  const server = createServer((inbound) => {
    const outbound = connect(peerPort, '127.0.0.1')
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound]
    ] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      from.on('error', () => to.destroy())
      from.on('close', () => sockets.delete(from))
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.defer(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { address: peerAddress.replace(/\/tcp\/\d+/, `/tcp/${port}`), bytes: () => bytes }
}
