/**
 * The oracle: what a set of blocks means, worked out from nothing.
 *
 * It was written from the description of the wire format alone and shares no code with the rest of `src`, so that a
 * mistake in one is not repeated in the other. It knows nothing of rows, storage, queues or the order of arrival: it
 * takes all blocks at once and says which keys, versions and heads every replica that has merged them must show.
 * Plainness goes before speed everywhere: it even decodes protobuf, dag-pb and CIDs by hand.
 */
import { decodeNode, type Element, type Node } from './block.ts'

export { blockCid, blockId } from './block.ts'

/** One alive element of a key. `id` is the id of the block that holds it, with its leading slash. */
export interface Version {
  id: string
  priority: bigint
  value: Uint8Array
}

/** What a set of blocks means. */
export interface OracleState {
  /** Canonical key to the value that a reader sees. */
  state: Map<string, Uint8Array>
  /** Canonical key to all its alive versions, the winner first. A key without any is not in the map. */
  alive: Map<string, Version[]>
  /**
   * Canonical key to the sorted block ids that its tombstones name, whether or not that block is in the set.
   */
  tombstones: Map<string, string[]>
  /** DAG name to the sorted CIDv1 strings of its tips. A DAG without a node is not in the map. */
  heads: Map<string, string[]>
  /** How many nodes, that is blocks of different bytes, the set has. */
  nodes: number
  /** How many of the nodes have a delta that requires a feature, so that its effects wait. */
  deferred: number
  /** How many of the nodes have a delta that does not decode, or are no dag-pb at all. */
  invalid: number
}

/**
 * Computes the meaning of a set of blocks. Their order and repetitions do not matter. Every block counts
 * under the hash of its own bytes: one that came under another block's CID is for the caller to leave out.
 */
export function oracle(blocks: Iterable<Uint8Array>): OracleState {
  return meaningOf(Array.from(blocks, decodeNode))
}

/** The same of blocks that are decoded already, so that who asks for more than this decodes them once. */
export function meaningOf(decoded: Iterable<Node>): OracleState {
  const nodes = new Map<string, Node>()
  for (const node of decoded) nodes.set(node.id, node)

  // All tombstones come first, since a tombstone holds wherever it is in the DAG and whenever it was met.
  let deferred = 0
  let invalid = 0
  const dead = new Map<string, Set<string>>()
  for (const { delta } of nodes.values()) {
    if (delta === undefined) {
      invalid++
      continue
    }
    if (delta.requires.length > 0) {
      deferred++
      continue
    }
    for (const tombstone of delta.tombstones) {
      const key = canonicalKey(tombstone.key)
      const id = tombstoneId(tombstone.id)
      if (key === undefined || id === undefined) continue
      const ids = dead.get(key) ?? new Set()
      ids.add(id)
      dead.set(key, ids)
    }
  }

  const alive = new Map<string, Version[]>()
  for (const { id, delta } of nodes.values()) {
    if (delta === undefined || delta.requires.length > 0) continue
    // The element's name is (key, block id), so a key has one element in a delta at most, and that is the
    // last.
    const lastOfKey = new Map<string, Element>()
    for (const element of delta.elements) {
      const key = canonicalKey(element.key)
      if (key !== undefined) lastOfKey.set(key, element)
    }
    for (const [key, element] of lastOfKey) {
      if (dead.get(key)?.has(id) === true) continue
      const versions = alive.get(key) ?? []
      versions.push({ id, priority: delta.priority, value: element.value })
      alive.set(key, versions)
    }
  }

  const state = new Map<string, Uint8Array>()
  for (const [key, versions] of alive) {
    versions.sort(winnerFirst)
    const winner = versions[0]
    if (winner !== undefined) state.set(key, winner.value)
  }

  // A link makes its target an inner node only in the DAG that the linking node itself is in.
  const linked = new Set<string>()
  for (const node of nodes.values()) {
    for (const link of node.links) {
      const target = nodes.get(link)
      if (target !== undefined && dagNameOf(target) === dagNameOf(node)) linked.add(link)
    }
  }
  const heads = new Map<string, string[]>()
  for (const node of nodes.values()) {
    if (linked.has(node.id)) continue
    const tips = heads.get(dagNameOf(node)) ?? []
    tips.push(node.cid)
    heads.set(dagNameOf(node), tips)
  }
  for (const tips of heads.values()) tips.sort()

  const tombstones = new Map<string, string[]>()
  for (const [key, ids] of dead) tombstones.set(key, [...ids].sort())

  return { state, alive, tombstones, heads, nodes: nodes.size, deferred, invalid }
}

/**
 * The key as Go's `path.Clean("/" + key)` has it, or undefined if it climbs above the root or is the root.
 */
export function canonicalKey(key: string): string | undefined {
  const names: string[] = []
  for (const name of key.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') names.push(name)
    // Go would stay at the root here, but such a key is a danger to Go peers and so has no effect at all.
    else if (names.pop() === undefined) return undefined
  }
  return names.length === 0 ? undefined : '/' + names.join('/')
}

function winnerFirst(a: Version, b: Version): number {
  if (a.priority !== b.priority) return a.priority > b.priority ? -1 : 1
  // Buffer.compare goes byte by byte and takes a proper prefix as the smaller one, like Go's bytes.Compare.
  const byValue = Buffer.compare(b.value, a.value)
  if (byValue !== 0) return byValue
  return a.id > b.id ? -1 : 1
}

function dagNameOf(node: Node): string {
  return node.delta?.dagName ?? ''
}

/** The id with its slash, or undefined if no sha2-256 block has this id. */
export function tombstoneId(id: string): string | undefined {
  // The bytes 0x12 0x20 of the multihash always begin with CIQ and four bits of the fourth character; the
  // last character holds only the two last bits of the digest.
  if (!/^\/?CIQ[A-P][A-Z2-7]{50}[AIQY]$/.test(id)) return undefined
  return id.startsWith('/') ? id : '/' + id
}
