/**
 * Nodes of the Merkle DAG: a delta and links to the heads it was written on, as a dag-pb block.
 *
 * Invariants: the same delta and the same links in the same order give the same bytes and the same CID as
 * go-ds-crdt's; what a received block means is a function of its bytes alone, so a block that hashes to its id
 * is always a node, whose effects are none if its delta is invalid, and whose links are none if it is no
 * dag-pb at all.
 */
import * as dagPb from '@ipld/dag-pb'
import type { BlockId, Delta, Element, Tombstone } from '../crdt/delta.ts'
import { blockIdFromCid, cidFromBlockId, parseBlockId } from './block-id.ts'
import { decodeDelta, encodeDelta } from './delta.ts'
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

/** The bytes of a node. Each link carries an empty name and a size of zero, as Go's coder always writes both. */
export function encodeNode(delta: Delta, links: readonly BlockId[]): Uint8Array {
  return dagPb.encode({
    Data: encodeDelta(delta),
    Links: links.map((id) => ({ Hash: cidFromBlockId(id), Name: '', Tsize: 0 }))
  })
}

/** Understands a block whose bytes were verified to have this id. Never throws. */
export function decodeNode(id: BlockId, bytes: Uint8Array): DagNode {
  let block: dagPb.PBNode
  try {
    block = dagPb.decode(bytes)
  } catch {
    return { id, bytes, links: [], foreignLinks: 0, delta: emptyDelta(), oddity: 'not-dag-pb' }
  }
  const links = new Set<BlockId>()
  let foreignLinks = 0
  for (const { Hash } of block.Links) {
    const link = blockIdFromCid(Hash)
    if (link === undefined) foreignLinks++
    else links.add(link)
  }
  const node = { id, bytes, links: [...links], foreignLinks }
  try {
    return { ...node, delta: effectiveDelta(block.Data ?? new Uint8Array(0)) }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return { ...node, delta: emptyDelta(), oddity: 'invalid-delta' }
  }
}

/** The value that a node's delta gives a key, or undefined if it gives none. */
export function valueIn(node: DagNode, key: string): Uint8Array | undefined {
  return node.delta.elements.find((element) => element.key === key)?.value
}

function effectiveDelta(bytes: Uint8Array): Delta {
  const wire = decodeDelta(bytes)
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
