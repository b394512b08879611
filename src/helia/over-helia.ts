/**
 * What a store needs of a Helia node, to be spread into its options.
 *
 * Helia is told by shape and no package of it is imported: it belongs to the app, in whatever version it has.
 *
 * Invariants: what the store puts goes to Helia's blockstore, out of which its bitswap serves whoever asks; what the
 * store reads of its own comes from there and from no peer; only the block fetcher asks peers.
 */
import { type Blockstore, bytesOf } from '../dag/blockstore.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Libp2pLike } from '../libp2p/types.ts'
import type { BlockFetcher } from '../replica/ports.ts'

/** A started Helia node with libp2p, and with bitswap among its block brokers. */
export interface HeliaLike {
  libp2p: Libp2pLike
  /** Its `get` asks peers for what is not there, unless it is told to stay offline. */
  blockstore: Blockstore
}

/** The options of `createCrdtDatastore` that come of a Helia node. */
export interface OverHelia<Helia extends HeliaLike = HeliaLike> {
  libp2p: Helia['libp2p']
  blockstore: Blockstore
  blockFetcher: BlockFetcher
}

/**
 * Options for a store that shares its blocks with Go peers: `createCrdtDatastore({ datastore, topic, ...overHelia(helia) })`.
 *
 * The node has to be started before and stopped after the store. Its blocks must be kept from its garbage collector.
 *
 * @throws InvalidOptionError if it is not a Helia node with libp2p.
 */
export function overHelia<Helia extends HeliaLike>(helia: Helia): OverHelia<Helia> {
  const { libp2p, blockstore } = helia
  if (typeof libp2p?.getConnections !== 'function') {
    throw new InvalidOptionError('helia', helia, 'a Helia node with libp2p, as withLibp2p makes it')
  }
  if (typeof blockstore?.get !== 'function' || typeof blockstore.put !== 'function') {
    throw new InvalidOptionError('helia', helia, 'a Helia node with a blockstore')
  }
  return {
    libp2p,
    blockstore,
    blockFetcher: { fetch: async (cid, { signal }) => await bytesOf(blockstore.get(cid, { signal })) }
  }
}
