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
  const { foreignLinks, data } = block
  const links = block.links.length > 1 ? [...new Set(block.links)] : block.links
  try {
    const delta = effectiveDelta(deltaCodec?.decode(data) ?? decodeDelta(data))
    return { id, bytes, links, foreignLinks, delta }
  } catch (error) {
    if (deltaCodec === undefined && !(error instanceof WireError)) throw error
    return { id, bytes, links, foreignLinks, delta: emptyDelta(), oddity: 'invalid-delta' }
  }
}

function effectiveDelta({ elements, tombstones, priority, dagName, requires }: WireDelta | Delta): Delta {
  return {
    elements: effectiveElements(elements),
    tombstones: tombstones.length === 0 ? [] : effectiveTombstones(tombstones),
    priority,
    dagName,
    requires
  }
}

function effectiveElements(sent: readonly Element[]): Element[] {
  const [only] = sent
  // Most deltas are of one put, and what those do not need is not made (see `NONE` in `crdt/or-set.ts`).
  if (only !== undefined && sent.length === 1) {
    const key = canonicalKey(only.key)
    return key === undefined ? [] : [{ key, value: only.value }]
  }
  const elements = new Map<string, Element>()
  for (const { key: sentKey, value } of sent) {
    const key = canonicalKey(sentKey)
    if (key !== undefined) elements.set(key, { key, value })
  }
  return [...elements.values()]
}

function effectiveTombstones(sent: readonly Tombstone[]): Tombstone[] {
  const tombstones = new Map<string, Tombstone>()
  for (const { key: sentKey, id: sentId } of sent) {
    const key = canonicalKey(sentKey)
    const id = parseBlockId(sentId)
    if (key !== undefined && id !== undefined) tombstones.set(`${id}${key}`, { key, id })
  }
  return [...tombstones.values()]
}
