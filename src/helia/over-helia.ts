/**
 * What a store needs of a Helia node, to be spread into its options.
 *
 * Helia is told by shape and no package of it is imported: it belongs to the app, in whatever version it has.
 *
 * Invariants: what the store puts goes to Helia's blockstore, out of which its bitswap serves whoever asks, and whoever
 * asked before it was there; what the store reads of its own comes from there and from no peer; only the block fetcher
 * asks peers.
 */
import type { CID } from 'multiformats/cid'
import { type Blockstore, bytesOf } from '../dag/blockstore.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Libp2pLike } from '../libp2p/types.ts'
import type { BlockFetcher } from '../replica/ports.ts'

/** A started Helia node with libp2p, and with bitswap among its block brokers. */
export interface HeliaLike {
  libp2p: Libp2pLike
  /** Its `get` asks peers for what is not there, unless it is told to stay offline. */
  blockstore: Blockstore
  /** What gets blocks from peers and gives them: bitswap, for one. */
  blockBrokers?: ReadonlyArray<{
    /** Tells whoever asked for a block that it is there. */
    announce?(cid: CID): Promise<void>
  }>
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
    blockstore: announcing(helia),
    blockFetcher: { fetch: async (cid, { signal }) => await bytesOf(blockstore.get(cid, { signal })) }
  }
}

/**
 * Helia's blockstore, with the word that a block is there said once it is. Helia says it just before it puts the block,
 * when a peer that has asked for it is still answered that it is not there. Go does not ask twice: gossip is passed on to
 * it before the block that it announces has come here, and so it asks too early as a rule.
 */
function announcing({ blockstore, blockBrokers = [] }: HeliaLike): Blockstore {
  return {
    get: (cid, options) => blockstore.get(cid, options),
    async put(cid, bytes): Promise<void> {
      await blockstore.put(cid, bytes)
      // That it could not be sent to somebody is no reason not to have it.
      for (const broker of blockBrokers) broker.announce?.(cid).catch(() => {})
    }
  }
}
