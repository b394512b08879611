/**
 * Addresses of peers that are reached through a proxy.
 */
import { createTcpProxy, type TcpProxy, type TcpProxyInit } from '../../src/testkit/tcp/tcp-proxy.ts'

/** A proxy to a peer. */
export async function proxyTo(address: string, init: Omit<TcpProxyInit, 'target'> = {}): Promise<TcpProxy> {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  return await createTcpProxy({ ...init, target: { port } })
}

/** The address of the peer as it is behind the proxy. */
export function proxied(address: string, { port }: TcpProxy): string {
  return address.replace(/\/tcp\/\d+/, `/tcp/${port}`)
}
