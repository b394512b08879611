/**
 * Nodes of the Merkle DAG: a delta and links to the heads it was written on, as a dag-pb block.
 *
 * Invariants: the same delta and the same links in the same order give the same bytes and the same CID as
 * go-ds-crdt's; what a received block means is a function of its bytes alone, so a block that hashes to its id
 * is always a node, whose effects are none if its delta is invalid, and whose links are none if it is no
 * dag-pb at all.
 */
import type { BlockId, Delta, Element, Tombstone } from '../crdt/delta.ts'
import { parseBlockId } from './block-id.ts'
import { decodeDagPb, encodeDagPb } from './dag-pb.ts'
import { decodeDelta, encodeDelta, type WireDelta } from './delta.ts'
import { canonicalKey } from './key.ts'
import { WireError } from './wire-reader.ts'

/** What is odd about a block that is a node all the same. */
export type Oddity = 'not-dag-pb' | 'invalid-delta'

/** A block, understood. */
export interface DagNode {
  id: BlockId
  bytes: Uint8Array
  /** The nodes it links to, each once, in the order of the block. */
  links: BlockId[]
  /** Links that cannot name a node: counted, never followed. */
  foreignLinks: number
  /** Canonical keys, the last element of a key only, tombstones that name sha2-256 blocks only. */
  delta: Delta
  oddity?: Oddity
}

const emptyDelta = (): Delta => ({ elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] })

/**
 * How a delta becomes the data of a block: go-ds-crdt's `DeltaFactory`, for swarms whose Go peers set one. All
 * replicas of a swarm must have the same.
 */
export interface DeltaCodec {
  /** The same delta always gives the same bytes. */
  encode(delta: Delta): Uint8Array
  /**
   * Throws where the bytes are no delta: the block is then a node without effects, as it must be on every replica.
   * Keys may be as they were sent; ids of tombstones are `/` and the upper-case base32 of a sha2-256 multihash.
   */
  decode(bytes: Uint8Array): Delta
}

/** Nodes as bytes, and bytes as nodes. */
export class NodeCodec {
  readonly #deltaCodec: DeltaCodec | undefined

  /** @param deltaCodec - in place of go-ds-crdt's own protobuf message. */
  constructor(deltaCodec?: DeltaCodec) {
    this.#deltaCodec = deltaCodec
  }

  /** The bytes of a node. */
  encode(delta: Delta, links: readonly BlockId[]): Uint8Array {
    return this.#deltaCodec === undefined
      ? encodeNode(delta, links)
      : encodeDagPb(this.#deltaCodec.encode(delta), links)
  }

  /** Understands a block whose bytes were verified to have this id. Never throws. */
  decode(id: BlockId, bytes: Uint8Array): DagNode {
    return decodeNode(id, bytes, this.#deltaCodec)
  }
}

/** The bytes of a node. */
export function encodeNode(delta: Delta, links: readonly BlockId[]): Uint8Array {
  return encodeDagPb(encodeDelta(delta), links)
}

/** Understands a block whose bytes were verified to have this id. Never throws. */
export function decodeNode(id: BlockId, bytes: Uint8Array, deltaCodec?: DeltaCodec): DagNode {
  const block = decodeDagPb(bytes)
  if (block === undefined) {
    return { id, bytes, links: [], foreignLinks: 0, delta: emptyDelta(), oddity: 'not-dag-pb' }
  }
  const { links, foreignLinks, data } = block
  const node = { id, bytes, links: [...new Set(links)], foreignLinks }
  try {
    return { ...node, delta: effectiveDelta(deltaCodec?.decode(data) ?? decodeDelta(data)) }
  } catch (error) {
    if (deltaCodec === undefined && !(error instanceof WireError)) throw error
    return { ...node, delta: emptyDelta(), oddity: 'invalid-delta' }
  }
}

function effectiveDelta(wire: WireDelta | Delta): Delta {
  const elements = new Map<string, Element>()
  for (const { key: sent, value } of wire.elements) {
    const key = canonicalKey(sent)
    if (key !== undefined) elements.set(key, { key, value })
  }
  const tombstones = new Map<string, Tombstone>()
  for (const { key: sent, id: sentId } of wire.tombstones) {
    const key = canonicalKey(sent)
    const id = parseBlockId(sentId)
    if (key !== undefined && id !== undefined) tombstones.set(`${id}${key}`, { key, id })
  }
  const { priority, dagName, requires } = wire
  return {
    elements: [...elements.values()],
    tombstones: [...tombstones.values()],
    priority,
    dagName,
    requires
  }
}
