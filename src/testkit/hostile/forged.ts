/**
 * Blocks made by hand, for peers that are not honest.
 *
 * Invariant: a block's id is the hash of its bytes, whatever those are, as the oracle works it out.
 */
import { encodeNode } from '../../codec/node.ts'
import type { BlockId, Delta } from '../../crdt/delta.ts'
import { blockId } from '../oracle/block.ts'

export interface Forged {
  id: BlockId
  bytes: Uint8Array
}

/** What a node is made of; what is left out is empty, and the priority is 1. */
export interface ForgeInit extends Partial<Omit<Delta, 'elements'>> {
  puts?: ReadonlyArray<readonly [key: string, value: string]>
  links?: readonly BlockId[]
}

const utf8 = new TextEncoder()

/** A node, of keys and ids as they are given. */
export function forgeNode({
  puts = [],
  links = [],
  tombstones = [],
  priority = 1n,
  dagName = '',
  requires = []
}: ForgeInit): Forged {
  const elements = puts.map(([key, value]) => ({ key, value: utf8.encode(value) }))
  return forgeBlock(encodeNode({ elements, tombstones, priority, dagName, requires }, links))
}

/** Whatever bytes, as a block. */
export function forgeBlock(bytes: Uint8Array): Forged {
  return { id: blockId(bytes), bytes }
}

/** A block of dag-pb with links to whatever CIDs, in the order in which Go writes the parts. */
export function forgeLinks(cids: readonly Uint8Array[], data: Uint8Array = new Uint8Array()): Forged {
  const parts: number[][] = []
  for (const cid of cids) parts.push([0x12, cid.length + 2, 0x0a, cid.length], [...cid])
  parts.push([0x0a, ...varint(data.length)], [...data])
  return forgeBlock(Uint8Array.from(parts.flat()))
}

/** The id of a node that nobody has. */
export function missingNode(name: string): BlockId {
  return forgeNode({ puts: [['/missing', name]] }).id
}

/** A history without branches, oldest first. */
export function forgeChain(
  length: number,
  init: { name: string; padding?: number; below?: BlockId }
): Forged[] {
  const { name, padding = 0, below } = init
  const chain: Forged[] = []
  let parent = below
  for (let index = 0; index < length; index++) {
    const puts = [[`/hostile/${name}/${index % 3}`, `${index}${'.'.repeat(padding)}`] as const]
    const links = parent === undefined ? [] : [parent]
    const block = forgeNode({ puts, links, priority: BigInt(index + 1) })
    chain.push(block)
    parent = block.id
  }
  return chain
}

/** A number as protobuf and the frames of streams write it. */
export function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left & 127) | 128)
  return [...bytes, left]
}
