/**
 * CIDs as they stand on the wire, in the links of blocks and in broadcasts.
 *
 * Invariant: a CID is read as go-cid reads it, which is stricter than multiformats: varints are minimal, and version 0 is
 * never spelt out.
 */
import type { BlockId } from '../crdt/delta.ts'
import { blockIdFromDigest, DAG_PB_CODE, DIGEST_LENGTH } from './block-id.ts'
import { WireError, WireReader } from './wire-reader.ts'

const SHA2_256_CODE = 0x12
/** A CIDv1 of a dag-pb block by sha2-256, up to its digest. */
export const CID_PREFIX: Uint8Array = Uint8Array.of(1, DAG_PB_CODE, SHA2_256_CODE, DIGEST_LENGTH)
/** The length of all of it. */
export const CID_LENGTH: number = CID_PREFIX.length + DIGEST_LENGTH

/**
 * The node that the CID at the beginning of some bytes names, or undefined if it names something else. What follows it is
 * ignored, as by go-cid's `CidFromBytes`.
 *
 * @throws WireError if there is no CID.
 */
export function nodeOfCid(bytes: Uint8Array): BlockId | undefined {
  return readCid(bytes, new WireReader(bytes))
}

/** The same of bytes that are a CID and nothing else, as go-cid's `Cast` has it. */
export function nodeOfWholeCid(bytes: Uint8Array): BlockId | undefined {
  const reader = new WireReader(bytes)
  const id = readCid(bytes, reader)
  if (!reader.done) throw new WireError('There are bytes after a CID')
  return id
}

function readCid(bytes: Uint8Array, reader: WireReader): BlockId | undefined {
  if (bytes.length > 2 && bytes[0] === SHA2_256_CODE && bytes[1] === DIGEST_LENGTH) {
    reader.take(2)
    return blockIdFromDigest(reader.take(DIGEST_LENGTH))
  }
  if (cidVarint(reader) !== 1) throw new WireError('A CID has an unknown version')
  const codec = cidVarint(reader)
  const hashCode = cidVarint(reader)
  const digest = reader.take(cidVarint(reader))
  const isNode = codec === DAG_PB_CODE && hashCode === SHA2_256_CODE && digest.length === DIGEST_LENGTH
  return isNode ? blockIdFromDigest(digest) : undefined
}

/** A varint of multiformats: at most nine bytes, and no spare ones. */
function cidVarint(reader: WireReader): number {
  let value = 0
  for (let index = 0; index < 9; index++) {
    const [byte = 0] = reader.take(1)
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte >= 0x80) continue
    if (byte === 0 && index > 0) break
    return value
  }
  throw new WireError('A varint of a CID is too long')
}
