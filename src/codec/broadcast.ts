/**
 * What goes out over gossip: `CRDTBroadcast`, a list of heads, each with a hint of its DAG and, between
 * TypeScript peers, its block inlined (extension field 100 of `Head`, which Go ignores).
 *
 * Invariants: no field is ever added to `CRDTBroadcast` itself, because Go takes unknown top-level bytes for a
 * legacy broadcast; one head that does not decode never drops the others.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { BlockId } from '../crdt/delta.ts'
import { cidFromBlockId } from './block-id.ts'
import { nodeOfWholeCid } from './wire-cid.ts'
import { WIRE_BYTES, WireReader } from './wire-reader.ts'

/** One head as a broadcast names it. */
export interface AnnouncedHead {
  id: BlockId
  /** A hint only: a node's DAG is what its delta says. */
  dagName: string
  /** The head's block, unverified. */
  block?: Uint8Array
}

export interface Broadcast {
  heads: AnnouncedHead[]
  /** Heads that did not decode or that cannot name a node. */
  invalidHeads: number
}

const HEADS = 1
const HEAD_CID = 1
const HEAD_DAG_NAME = 2
const HEAD_BLOCK = 100

const tag = (field: number, type: number): number => field * 8 + type

export function encodeBroadcast(heads: readonly AnnouncedHead[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const { id, dagName, block } of heads) {
    writer.tag(HEADS, WireType.LengthDelimited).fork()
    writer.tag(HEAD_CID, WireType.LengthDelimited).bytes(cidFromBlockId(id).bytes)
    if (dagName !== '') writer.tag(HEAD_DAG_NAME, WireType.LengthDelimited).string(dagName)
    if (block !== undefined) writer.tag(HEAD_BLOCK, WireType.LengthDelimited).bytes(block)
    writer.join()
  }
  return writer.finish()
}

/** An upper bound of what a head adds to a broadcast, close enough to split messages by. */
export function announcedHeadSize(head: AnnouncedHead): number {
  return 48 + 3 * head.dagName.length + (head.block === undefined ? 0 : head.block.length + 6)
}

/**
 * Understands a message from gossip: a `CRDTBroadcast`, or the bare CID that peers sent before it existed.
 *
 * @throws InvalidBroadcastError if it is neither.
 */
export function decodeBroadcast(bytes: Uint8Array): Broadcast {
  const heads: AnnouncedHead[] = []
  let invalidHeads = 0
  let unknownFields = false
  try {
    const reader = new WireReader(bytes)
    while (!reader.done) {
      const field = reader.tag()
      if (field !== tag(HEADS, WIRE_BYTES)) {
        unknownFields = true
        reader.skip(field)
        continue
      }
      const head = decodeHead(reader.bytes())
      if (head === undefined) invalidHeads++
      else heads.push(head)
    }
  } catch (error) {
    return { heads: [legacyHead(bytes, error)], invalidHeads: 0 }
  }
  if (unknownFields && heads.length === 0) {
    return { heads: [legacyHead(bytes, undefined)], invalidHeads: 0 }
  }
  return { heads, invalidHeads }
}

function decodeHead(bytes: Uint8Array): AnnouncedHead | undefined {
  let cid: Uint8Array | undefined
  let dagName = ''
  let block: Uint8Array | undefined
  try {
    const reader = new WireReader(bytes)
    while (!reader.done) {
      const field = reader.tag()
      if (field === tag(HEAD_CID, WIRE_BYTES)) cid = reader.bytes()
      else if (field === tag(HEAD_DAG_NAME, WIRE_BYTES)) dagName = reader.string()
      else if (field === tag(HEAD_BLOCK, WIRE_BYTES)) block = reader.bytes()
      else reader.skip(field)
    }
    const id = cid === undefined ? undefined : nodeOfWholeCid(cid)
    return id === undefined ? undefined : { id, dagName, ...(block === undefined ? {} : { block }) }
  } catch {
    return undefined
  }
}

function legacyHead(bytes: Uint8Array, cause: unknown): AnnouncedHead {
  try {
    const id = nodeOfWholeCid(bytes)
    if (id !== undefined) return { id, dagName: '' }
  } catch {
    // Not a CID either: the caller is told below.
  }
  throw new InvalidBroadcastError('The message is neither a CRDTBroadcast nor a CID', { cause })
}

/** The bytes of a gossip message say nothing that this protocol knows. */
export class InvalidBroadcastError extends Error {
  override name = 'InvalidBroadcastError'
}
