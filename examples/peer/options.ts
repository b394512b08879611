/**
 * What the peer is told on its command line.
 *
 * Invariant: whatever cannot be is refused here, by name and before anything is opened.
 */
import { parseArgs } from 'node:util'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

export interface PeerOptions {
  data: string
  topic: string
  listen: Multiaddr[]
  peers: Multiaddr[]
  mdns: boolean
  watch: boolean
  help: boolean
}

export const USAGE = `Usage: npm start -- [OPTIONS]

  --data DIR      the folder of the peer's identity and data   (data/peer)
  --topic NAME    replicates with the peers of this topic      (datastore-crdt-peer)
  --listen ADDR   a multiaddr to listen on; may be repeated    (/ip4/127.0.0.1/tcp/0)
  --peer ADDR     a peer to stay connected to; may be repeated
  --no-mdns       does not look for peers on the local network
  --watch         prints the keys that other peers change
  --help          prints this

It listens to this machine alone, until told otherwise: --listen /ip4/0.0.0.0/tcp/4001 listens to all networks.`

/** The command line cannot be understood. */
export class ArgumentError extends Error {
  override name = 'ArgumentError'
}

/** @throws ArgumentError naming the argument. */
export function parseOptions(args: string[]): PeerOptions {
  const { data, topic, listen, peer, mdns, watch, help } = parse(args)
  if (data === '') throw new ArgumentError('--data must name a folder')
  if (topic === '') throw new ArgumentError('--topic must not be empty')
  return {
    ...{ data, topic, mdns, watch, help },
    listen: listen.map((address) => parseAddress('--listen', address)),
    peers: peer.map((address) => parseAddress('--peer', address))
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowNegative: true,
      options: {
        data: { type: 'string', default: 'data/peer' },
        topic: { type: 'string', default: 'datastore-crdt-peer' },
        listen: { type: 'string', multiple: true, default: ['/ip4/127.0.0.1/tcp/0'] },
        peer: { type: 'string', multiple: true, default: [] },
        mdns: { type: 'boolean', default: true },
        watch: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (error) {
    throw new ArgumentError((error as Error).message)
  }
}

function parseAddress(option: string, address: string): Multiaddr {
  try {
    const parsed = multiaddr(address)
    if (parsed.getComponents().length > 0) return parsed
  } catch {
    // Said below, with the option and an example.
  }
  throw new ArgumentError(
    `${option} must be a multiaddr such as /ip4/127.0.0.1/tcp/4001, but it is ${JSON.stringify(address)}`
  )
}
