// The oracle: what a set of blocks means, worked out from nothing.
//
// It was written from the description of the wire format alone and shares no code with `src`, so that a
// mistake in one is not repeated in the other. It knows nothing of rows, storage, queues or the order of
// arrival: it takes all blocks at once and says which keys, versions and heads every replica that has merged
// them must show. Plainness goes before speed everywhere: it even decodes protobuf, dag-pb and CIDs by hand.

import { createHash } from 'node:crypto'

/** One alive element of a key. `id` is the id of the block that holds it, with its leading slash. */
export interface Version {
  id: string
  priority: bigint
  value: Uint8Array
}

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

/** An element or a tombstone, as the bytes say it. */
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

/** One block on its own, as every replica must understand it. */
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
 * Computes the meaning of a set of blocks. Their order and repetitions do not matter. Every block counts
 * under the hash of its own bytes: one that came under another block's CID is for the caller to leave out.
 */
export function oracle(blocks: Iterable<Uint8Array>): OracleState {
  const nodes = new Map<string, Node>()
  for (const block of blocks) {
    const node = decodeNode(block)
    nodes.set(node.id, node)
  }

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
 * The id that the elements of this block have: a slash and the multihash in base32, upper case, not padded.
 */
export function blockId(block: Uint8Array): string {
  return idOfDigest(sha256(block))
}

/** The CIDv1 of this block as a dag-pb node, as a string. */
export function blockCid(block: Uint8Array): string {
  return 'b' + base32(Uint8Array.from([1, DAG_PB, SHA2_256, 32, ...sha256(block)])).toLowerCase()
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

function idOfDigest(digest: Uint8Array): string {
  return '/' + base32(Uint8Array.from([SHA2_256, 32, ...digest]))
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

function base32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  let text = ''
  for (let at = 0; at < bits.length; at += 5) {
    text += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(parseInt(bits.slice(at, at + 5).padEnd(5, '0'), 2))
  }
  return text
}

// Blocks: dag-pb, and CIDs in its links

const DAG_PB = 0x70
const SHA2_256 = 0x12

/** What one block says, before any rule is applied to it. */
export function decodeNode(block: Uint8Array): Node {
  const identity = { id: blockId(block), cid: blockCid(block) }
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

function decodeString(bytes: Uint8Array): string {
  // Without ignoreBOM the decoder would drop a byte order mark from the start of a key.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Malformed('a string is not UTF-8')
  }
}

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const GROUP = 3
const GROUP_END = 4
const FIXED32 = 5

// What protobuf-go allows: a field number of a message ends at 2^29 - 1, but inside of a skipped group only
// at 2^31 - 1, and the skipping goes 10,000 groups below the first.
const GREATEST_NUMBER = 2n ** 29n - 1n
const GREATEST_NUMBER_IN_GROUP = 2n ** 31n - 1n
const MOST_OPEN_GROUPS = 10_001

/** A field as it stands on the wire: `varint` counts only with wire type VARINT, `bytes` only with LENGTH. */
interface Field {
  number: number
  wire: number
  varint: bigint
  bytes: Uint8Array
}

function decodeFields(message: Uint8Array): Field[] {
  const reader = new Reader(message)
  const fields: Field[] = []
  while (!reader.atEnd()) {
    const { number, wire } = reader.tag(GREATEST_NUMBER)
    const field: Field = { number, wire, varint: 0n, bytes: new Uint8Array(0) }
    if (wire === VARINT) field.varint = reader.varint()
    else if (wire === LENGTH) field.bytes = reader.take(reader.varint())
    else reader.skip(number, wire)
    fields.push(field)
  }
  return fields
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next bytes, as many as the length says. */
  take(length: bigint): Uint8Array {
    if (length > BigInt(this.#bytes.length - this.#at)) throw new Malformed('the message is truncated')
    const from = this.#at
    this.#at += Number(length)
    return this.#bytes.subarray(from, this.#at)
  }

  /**
   * Seven bits a byte, the lowest first, up to 64 bits in ten bytes. Needless zero bits at the end are
   * allowed.
   */
  varint(): bigint {
    let value = 0n
    for (let index = 0n; index < 10n; index++) {
      const byte = this.take(1n)[0] ?? 0
      value += BigInt(byte & 0x7f) << (7n * index)
      if (value >= 2n ** 64n) break
      if (byte < 0x80) return value
    }
    throw new Malformed('a varint has more than 64 bits')
  }

  /** The varint of CIDs, which has 63 bits at most and one spelling for a number. */
  minimalVarint(): bigint {
    const from = this.#at
    const value = this.varint()
    const last = this.#bytes[this.#at - 1]
    if (this.#at - from > 9 || (this.#at - from > 1 && last === 0))
      throw new Malformed('a varint is not minimal')
    return value
  }

  tag(greatestNumber: bigint): { number: number; wire: number } {
    const tag = this.varint()
    const number = tag >> 3n
    if (number < 1n || number > greatestNumber) throw new Malformed('a field number is out of range')
    return { number: Number(number), wire: Number(tag & 7n) }
  }

  /** Skips the value of a field whose tag has been read. A group is skipped with all that is in it. */
  skip(number: number, wire: number): void {
    if (wire !== GROUP) {
      this.#skipPlain(wire)
      return
    }
    // This is a loop and not a recursion, because the nesting is up to whoever made the bytes.
    const open = [number]
    while (open.length > 0) {
      if (open.length > MOST_OPEN_GROUPS) throw new Malformed('groups are nested too deep')
      const inner = this.tag(GREATEST_NUMBER_IN_GROUP)
      if (inner.wire === GROUP) open.push(inner.number)
      else if (inner.wire !== GROUP_END) this.#skipPlain(inner.wire)
      else if (open.pop() !== inner.number) throw new Malformed('a group ends that is not open')
    }
  }

  #skipPlain(wire: number): void {
    if (wire === VARINT) this.varint()
    else if (wire === FIXED64) this.take(8n)
    else if (wire === LENGTH) this.take(this.varint())
    else if (wire === FIXED32) this.take(4n)
    else throw new Malformed('a wire type is unknown, or a group ends that is not open')
  }
}

class Malformed extends Error {}

/**
 * The result, or undefined if the bytes are malformed. Any other error is the oracle's own fault and passes.
 */
function orUndefined<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
