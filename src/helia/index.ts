/**
 * `datastore-crdt/helia`: a store whose blocks go from and to Go peers over bitswap, by way of a Helia node.
 */
export { type HeliaLike, type OverHelia, overHelia } from './over-helia.ts'
