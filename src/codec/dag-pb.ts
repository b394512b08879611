/**
 * dag-pb blocks, as far as a node of the Merkle DAG needs them: data, and links to other nodes.
 *
 * Which malformed blocks still count has to be decided as go-ds-crdt decides it, or a hostile block would make Go
 * and TypeScript replicas differ for good. So this reads what go-codec-dagpb and go-cid read: sections in the one
 * order they allow, no field that they do not know, minimal varints in a CID, and bytes after a CID that are
 * ignored. `@ipld/dag-pb` differs in the last two, so it serves
 * the tests only, which hold the two against each other.
 */
import type { BlockId } from '../crdt/delta.ts'
import { CID_LENGTH, CID_PREFIX, nodeOfCid } from './wire-cid.ts'
import { WIRE_BYTES, WIRE_VARINT, WireError, WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

export interface DagPbBlock {
  /** Empty where the block has none. */
  data: Uint8Array
  /** Links to nodes, in order. */
  links: BlockId[]
  /** How many links cannot name a node. */
  foreignLinks: number
}

/** Hash with its length and CID, then an empty name and a size of zero, both of which Go's coder always writes. */
const LINK_LENGTH = 2 + CID_LENGTH + 4

const NODE_DATA = 1 * 8 + WIRE_BYTES
const NODE_LINKS = 2 * 8 + WIRE_BYTES
const LINK_HASH = 1 * 8 + WIRE_BYTES
const LINK_NAME = 2 * 8 + WIRE_BYTES
const LINK_SIZE = 3 * 8 + WIRE_VARINT

const LINK_START = Uint8Array.of(NODE_LINKS, LINK_LENGTH, LINK_HASH, CID_LENGTH, ...CID_PREFIX)
const LINK_END = Uint8Array.of(LINK_NAME, 0, LINK_SIZE, 0)

const EMPTY: Uint8Array = new Uint8Array(0)

const writer = new WireWriter()

/**
 * The bytes of a block, as a view of a chunk that blocks share (`WireWriter`). Whoever may keep one for long, or clone its
 * buffer, is given a copy.
 */
export function encodeDagPb(data: Uint8Array, links: readonly BlockId[]): Uint8Array {
  for (const id of links) writer.raw(LINK_START).digest(id).raw(LINK_END)
  return writer.number(NODE_DATA).bytes(data).finish()
}

/** Reads a block; undefined if it is no dag-pb. */
export function decodeDagPb(bytes: Uint8Array): DagPbBlock | undefined {
  try {
    return readNode(bytes)
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

function readNode(bytes: Uint8Array): DagPbBlock {
  const block: DagPbBlock = { data: EMPTY, links: [], foreignLinks: 0 }
  const sections: number[] = []
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const tag = reader.tag()
    if (tag !== NODE_DATA && tag !== NODE_LINKS)
      throw new WireError('A dag-pb node has a field it cannot have')
    if (tag === NODE_DATA || sections.at(-1) !== NODE_LINKS) {
      if (sections.includes(tag)) throw new WireError('A dag-pb node has a section twice')
      sections.push(tag)
    }
    if (tag === NODE_DATA) block.data = reader.bytes()
    else {
      const target = linkTarget(reader.message())
      if (target === undefined) block.foreignLinks++
      else block.links.push(target)
    }
  }
  return block
}

/** The node that a link names, or undefined if it names something else. */
function linkTarget(reader: WireReader): BlockId | undefined {
  let hash: Uint8Array | undefined
  let last = 0
  while (!reader.done) {
    const tag = reader.tag()
    if (tag <= last) throw new WireError('A dag-pb link has its fields out of order or twice')
    last = tag
    if (tag === LINK_HASH) hash = reader.bytes()
    else if (tag === LINK_NAME) reader.bytes()
    else if (tag === LINK_SIZE) reader.skipVarint()
    else throw new WireError('A dag-pb link has a field it cannot have')
  }
  if (hash === undefined) throw new WireError('A dag-pb link has no hash')
  return nodeOfCid(hash)
}
