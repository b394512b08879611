/**
 * The hash of one alive element, of which the digest of a state is the sum: sha2-256 over the 32 digest bytes of
 * its block and its canonical key in UTF-8. The block names value and priority, so they need no mention.
 */
import type { BlockId } from '../crdt/delta.ts'
import { sha256 } from './sha256.ts'
import { WireWriter } from './wire-writer.ts'

/** Told to peers beside a digest, so that digests of another algorithm are never compared. */
export const DIGEST_ALGORITHM = 1

const writer = new WireWriter()

/** Immediate in Node, asynchronous in browsers. */
export function elementHash(key: string, id: BlockId): Uint8Array | Promise<Uint8Array> {
  return sha256(writer.digest(id).text(key).finish())
}
