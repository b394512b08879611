/**
 * Ids of blocks: between CIDs, multihashes and the strings that deltas and rows name blocks by.
 *
 * Invariant: a node is its multihash. CIDv0 and CIDv1 of one dag-pb block give one id, and only dag-pb blocks
 * with a full sha2-256 digest have an id at all.
 */
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { BlockId } from '../crdt/delta.ts'
import { sha256 } from './sha256.ts'

export const DAG_PB_CODE = 0x70
const SHA2_256_CODE = 0x12
export const DIGEST_LENGTH = 32
/** The length of a canonical id: a slash and 34 bytes in base32. */
export const BLOCK_ID_LENGTH = 56

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const SLASH = 0x2f
/** Letters by their value, as character codes. */
const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0))
/** Values by their letter; 255 for what is no letter. */
const VALUES = new Uint8Array(128).fill(255)
for (const [value, code] of LETTERS.entries()) VALUES[code] = value

/** The letters of the id that is being made. */
const codes = new Array<number>(BLOCK_ID_LENGTH).fill(SLASH)

/** The id that was made last, and of what: a key of a batch takes 11% more of the main thread without. */
let latestId: BlockId | undefined
const latestDigest = new Uint8Array(DIGEST_LENGTH)

/** The id of a block from its bytes. Hashing is asynchronous in browsers and immediate in Node. */
export function blockIdOf(bytes: Uint8Array): BlockId | Promise<BlockId> {
  const digest = sha256(bytes)
  return digest instanceof Promise ? digest.then(blockIdFromDigest) : blockIdFromDigest(digest)
}

/** The id of the node that a CID names, or undefined if the CID cannot name a node. */
export function blockIdFromCid(cid: CID): BlockId | undefined {
  const { code, digest } = cid.multihash
  if (cid.code !== DAG_PB_CODE || code !== SHA2_256_CODE || digest.length !== DIGEST_LENGTH) return undefined
  return blockIdFromDigest(digest)
}

/**
 * The id of a digest of 32 bytes. Each delta takes half a dozen conversions between the two, so they are made by table
 * here: with multiformats' base32 a merged delta takes 35% more of the main thread.
 */
export function blockIdFromDigest(digest: Uint8Array): BlockId {
  let position = 1
  let bits = 16
  let buffer = (SHA2_256_CODE << 8) | DIGEST_LENGTH
  for (let index = 0; ; ) {
    while (bits >= 5) {
      bits -= 5
      codes[position++] = LETTERS[(buffer >>> bits) & 31] as number
    }
    if (index === DIGEST_LENGTH) break
    buffer = ((buffer & 31) << 8) | (digest[index++] as number)
    bits += 8
  }
  codes[position] = LETTERS[(buffer << (5 - bits)) & 31] as number
  latestId = String.fromCharCode.apply(null, codes)
  latestDigest.set(digest)
  return latestId
}

/** The 32 digest bytes of an id. */
export function digestFromBlockId(id: BlockId): Uint8Array {
  const digest = new Uint8Array(DIGEST_LENGTH)
  writeDigest(id, digest, 0)
  return digest
}

/** Writes the 32 digest bytes of an id to where they are needed. */
export function writeDigest(id: BlockId, target: Uint8Array, offset: number): void {
  if (id === latestId) {
    target.set(latestDigest, offset)
    return
  }
  let position = offset - 2
  let bits = 0
  let buffer = 0
  for (let index = 1; index < BLOCK_ID_LENGTH; index++) {
    buffer = ((buffer << 5) | (VALUES[id.charCodeAt(index)] as number)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    // The first two bytes are the multihash's code and length, which every id shares.
    if (position >= offset) target[position] = (buffer >>> bits) & 255
    position++
  }
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
  const id = text.startsWith('/') ? text : `/${text}`
  if (id.length !== BLOCK_ID_LENGTH) return undefined
  for (let index = 1; index < BLOCK_ID_LENGTH; index++) {
    const code = id.charCodeAt(index)
    if (code >= VALUES.length || VALUES[code] === 255) return undefined
  }
  // This fails for other multihashes, and for the spare bits of the last letter: only one spelling is the id.
  return blockIdFromDigest(digestFromBlockId(id)) === id ? id : undefined
}
