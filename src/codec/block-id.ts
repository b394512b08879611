/**
 * Ids of blocks: between CIDs, multihashes and the strings that deltas and rows name blocks by.
 *
 * Invariant: a node is its multihash. CIDv0 and CIDv1 of one dag-pb block give one id, and only dag-pb blocks
 * with a full sha2-256 digest have an id at all.
 */
import { base32upper } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { create as createDigest, decode as decodeDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import type { BlockId } from '../crdt/delta.ts'

export const DAG_PB_CODE = 0x70
const SHA2_256_CODE = 0x12
export const DIGEST_LENGTH = 32
const MULTIHASH_LENGTH = 2 + DIGEST_LENGTH
/** The length of a canonical id: a slash and 34 bytes in base32. */
export const BLOCK_ID_LENGTH = 56

function idOfMultihash(multihash: Uint8Array): BlockId {
  return `/${base32upper.baseEncode(multihash)}`
}

/** The id of a block from its bytes. Hashing is asynchronous in browsers and immediate in Node. */
export function blockIdOf(bytes: Uint8Array): BlockId | Promise<BlockId> {
  const digest = sha256.digest(bytes)
  return digest instanceof Promise
    ? digest.then((resolved) => idOfMultihash(resolved.bytes))
    : idOfMultihash(digest.bytes)
}

/** The id of the node that a CID names, or undefined if the CID cannot name a node. */
export function blockIdFromCid(cid: CID): BlockId | undefined {
  const { code, digest } = cid.multihash
  if (cid.code !== DAG_PB_CODE || code !== SHA2_256_CODE || digest.length !== DIGEST_LENGTH) return undefined
  return idOfMultihash(cid.multihash.bytes)
}

/** The 32 digest bytes of an id. */
export function digestFromBlockId(id: BlockId): Uint8Array {
  return base32upper.baseDecode(id.slice(1)).subarray(2)
}

/** The id of a digest of 32 bytes. */
export function blockIdFromDigest(digest: Uint8Array): BlockId {
  return idOfMultihash(createDigest(SHA2_256_CODE, digest).bytes)
}

/** The CIDv1 that a block id stands for; heads are kept and sent in this form. */
export function cidFromBlockId(id: BlockId): CID {
  return CID.createV1(DAG_PB_CODE, createDigest(SHA2_256_CODE, digestFromBlockId(id)))
}

/**
 * The canonical form of an id as a tombstone on the wire carries it, with or without its leading slash, or
 * undefined if it does not name a sha2-256 block.
 */
export function parseBlockId(text: string): BlockId | undefined {
  const bare = text.startsWith('/') ? text.slice(1) : text
  if (bare.length !== BLOCK_ID_LENGTH - 1) return undefined
  try {
    const multihash = base32upper.baseDecode(bare)
    if (multihash.length !== MULTIHASH_LENGTH) return undefined
    const { code, digest } = decodeDigest(multihash)
    if (code !== SHA2_256_CODE || digest.length !== DIGEST_LENGTH) return undefined
    // Base32 leaves spare bits in its last letter; only one spelling is the id.
    return idOfMultihash(multihash) === `/${bare}` ? `/${bare}` : undefined
  } catch {
    return undefined
  }
}
