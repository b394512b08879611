/**
 * Blocks as the oracle reads them: ids, dag-pb, CIDs in its links, and deltas. Nothing of the rest of `src` is used.
 */
import { createHash } from 'node:crypto'
import { decodeFields, decodeString, LENGTH, Malformed, orUndefined, Reader, VARINT } from './protobuf.ts'

export interface Element {
  key: string
  id: string
  value: Uint8Array
}

export interface Delta {
  elements: Element[]
  tombstones: Element[]
  priority: bigint
  dagName: string
  requires: bigint[]
}

export interface Node {
  /** A node is its multihash, and the block id is nothing but a spelling of that. */
  id: string
  cid: string
  /** The block ids of the nodes that it links to. */
  links: string[]
  /** Undefined when there is none that decodes. */
  delta: Delta | undefined
}

/**
 * The id that the elements of this block have: a slash and the multihash in base32, upper case, not padded.
 */
export function blockId(block: Uint8Array): string {
  return idOfDigest(sha256(block))
}

/** The CIDv1 of this block as a dag-pb node, as a string. */
export function blockCid(block: Uint8Array): string {
  return cidOfDigest(sha256(block))
}

/** The CIDv1 of the block with this id, whether or not the block is here. */
export function cidOfId(id: string): string {
  return 'b' + base32(Uint8Array.from([1, DAG_PB, ...fromBase32(id.slice(1))])).toLowerCase()
}

function idOfDigest(digest: Uint8Array): string {
  return '/' + base32(Uint8Array.from([SHA2_256, 32, ...digest]))
}

function cidOfDigest(digest: Uint8Array): string {
  return 'b' + base32(Uint8Array.from([1, DAG_PB, SHA2_256, 32, ...digest])).toLowerCase()
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Bits that are left over at the end are followed by zeros. */
function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let waiting = 0
  for (const byte of bytes) {
    waiting = (waiting << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += BASE32.charAt((waiting >> (bits - 5)) & 31)
    waiting &= 31
  }
  return bits === 0 ? text : text + BASE32.charAt((waiting << (5 - bits)) & 31)
}

/** The bytes of a text in base32; the bits that are left over are dropped. */
function fromBase32(text: string): Uint8Array {
  const bytes: number[] = []
  let bits = 0
  let waiting = 0
  for (const char of text) {
    waiting = ((waiting << 5) | BASE32.indexOf(char)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((waiting >> bits) & 255)
  }
  return Uint8Array.from(bytes)
}

// Blocks: dag-pb, and CIDs in its links

const DAG_PB = 0x70
const SHA2_256 = 0x12

export function decodeNode(block: Uint8Array): Node {
  const digest = sha256(block)
  const identity = { id: idOfDigest(digest), cid: cidOfDigest(digest) }
  // Whatever the bytes are, they are a node, or replicas that met them in another order would disagree.
  const dagPb = orUndefined(() => decodeDagPb(block))
  if (dagPb === undefined) return { ...identity, links: [], delta: undefined }
  return { ...identity, links: dagPb.links, delta: orUndefined(() => decodeDelta(dagPb.data)) }
}

/**
 * Strict as dag-pb's specification is: nothing unknown, nothing twice, the links next to each other, a link's
 * fields in order, and in each link a CID. It lets pass what Go's decoder lets pass, bytes after a CID included.
 * `@ipld/dag-pb` refuses those, and alone allows tags beyond 32 bits, varints beyond 64 bits, malformed CIDs of
 * version 0 and needlessly long varints in a CID.
 */
function decodeDagPb(block: Uint8Array): { data: Uint8Array; links: string[] } {
  let data: Uint8Array | undefined
  const links: string[] = []
  let hasLinks = false
  let previous = 0
  for (const field of decodeFields(block)) {
    if (field.wire !== LENGTH) throw new Malformed('a field of a node has a wrong wire type')
    if (field.number === 1) {
      if (data !== undefined) throw new Malformed('a node has data twice')
      data = field.bytes
    } else if (field.number === 2) {
      if (hasLinks && previous !== 2) throw new Malformed('a node has links before and after its data')
      hasLinks = true
      const link = decodeLink(field.bytes)
      if (link !== undefined) links.push(link)
    } else {
      throw new Malformed('a node has an unknown field')
    }
    previous = field.number
  }
  // Without data the delta is the empty message, and that is a valid one.
  return { data: data ?? new Uint8Array(0), links }
}

/** The block id of the node that is linked to, or undefined if the link is to something that is no node. */
function decodeLink(bytes: Uint8Array): string | undefined {
  let hash: Uint8Array | undefined
  let previous = 0
  for (const field of decodeFields(bytes)) {
    if (field.number <= previous) throw new Malformed('the fields of a link are not in order')
    if (field.number > 3) throw new Malformed('a link has an unknown field')
    if (field.wire !== (field.number === 3 ? VARINT : LENGTH)) {
      throw new Malformed('a field of a link has a wrong wire type')
    }
    if (field.number === 1) hash = field.bytes
    previous = field.number
  }
  if (hash === undefined) throw new Malformed('a link has no hash')
  return decodeCid(hash)
}

/** The block id if the CID is that of a node (dag-pb with sha2-256), undefined if it is another CID. */
function decodeCid(bytes: Uint8Array): string | undefined {
  // A CIDv0 is a bare sha2-256 multihash, and always means dag-pb.
  if (bytes.length >= 34 && bytes[0] === SHA2_256 && bytes[1] === 32) return idOfDigest(bytes.subarray(2, 34))
  const reader = new Reader(bytes)
  if (reader.minimalVarint() !== 1n) throw new Malformed('a CID has an unknown version')
  const codec = reader.minimalVarint()
  const hashFunction = reader.minimalVarint()
  const digest = reader.take(reader.minimalVarint())
  // go-cid ignores what follows a CID, and Go decides which blocks are nodes.
  if (codec !== BigInt(DAG_PB) || hashFunction !== BigInt(SHA2_256) || digest.length !== 32) return undefined
  return idOfDigest(digest)
}

// Protobuf: the delta, decoded as protobuf-go decodes it

// A field with a number that is known but a wire type that is not its own falls through all cases: it is
// unknown and skipped. A scalar or a string that is there twice has the last value. An invalid string makes
// the message invalid even when a later one replaces it.

function decodeDelta(bytes: Uint8Array): Delta {
  const delta: Delta = { elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] }
  for (const field of decodeFields(bytes)) {
    if (field.number === 1 && field.wire === LENGTH) delta.elements.push(decodeElement(field.bytes))
    if (field.number === 2 && field.wire === LENGTH) delta.tombstones.push(decodeElement(field.bytes))
    if (field.number === 3 && field.wire === VARINT) delta.priority = field.varint
    if (field.number === 4 && field.wire === LENGTH) delta.dagName = decodeString(field.bytes)
    // A repeated number can come one by one or packed, and a decoder has to take both.
    if (field.number === 100 && field.wire === VARINT) delta.requires.push(field.varint)
    if (field.number === 100 && field.wire === LENGTH) {
      const packed = new Reader(field.bytes)
      while (!packed.atEnd()) delta.requires.push(packed.varint())
    }
  }
  return delta
}

function decodeElement(bytes: Uint8Array): Element {
  const element: Element = { key: '', id: '', value: new Uint8Array(0) }
  for (const field of decodeFields(bytes)) {
    if (field.number === 1 && field.wire === LENGTH) element.key = decodeString(field.bytes)
    if (field.number === 2 && field.wire === LENGTH) element.id = decodeString(field.bytes)
    if (field.number === 3 && field.wire === LENGTH) element.value = field.bytes
  }
  return element
}
