/**
 * How the values of rows are written: varints, digests and raw bytes, in a fixed order.
 *
 * Invariants: a row that does not decode raises `CorruptRowError` naming it, and never reads as something else; what
 * is encoded is a view of a shared chunk (`WireWriter`), of which a datastore that keeps it is given a copy.
 */
import { blockIdFromDigest, DIGEST_LENGTH } from '../codec/block-id.ts'
import { WireReader } from '../codec/wire-reader.ts'
import { WireWriter } from '../codec/wire-writer.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { Version } from '../crdt/winner.ts'
import { CorruptRowError } from '../errors.ts'

/** The value of rows whose presence is all they say. Not empty, because some datastores lose empty values. */
export const PRESENT = Uint8Array.of(1)

/** A key's winner, and how many alive versions it has beside it. */
export interface CurrentRow {
  winner: Version
  otherCount: number
}

/** Whether this replica wrote a node or received it. */
export type Origin = 'local' | 'remote'

/** An applied node. */
export interface AppliedRow {
  sequence: number
  priority: bigint
  dagName: string
  origin: Origin
}

/** An entry of the log; without `bytes` where blocks live in a blockstore of their own. */
export interface LogRow {
  id: BlockId
  bytes: Uint8Array | undefined
}

/** A block that waits for its ancestors. */
export interface PendingRow {
  from: string
  bytes: Uint8Array
}

/** Who links to a block that could not be had. */
export interface GapRow {
  sequence: number
  dagName: string
}

/** A DAG that is ignored. */
export interface IgnoredRow {
  /** Whether nothing of it is left. */
  purged: boolean
}

/** A head, by the id of its node. */
export interface StoredHead {
  id: BlockId
  priority: bigint
  dagName: string
}

/** What every commit writes anew. */
export interface StateRow {
  /** The greatest priority received and verified. */
  clock: bigint
  /** The sequence number given last. */
  sequence: number
  /** The sum of the hashes of the alive elements. */
  digest: Uint8Array
  keys: number
  elements: number
  tombstones: number
  gaps: number
  deferred: number
  /** The heads of all DAGs; undefined where each has a row of its own. */
  heads: readonly StoredHead[] | undefined
}

/** Who may read the store. */
export interface MetaRow {
  layout: number
  leastReader: number
  topic: string | undefined
}

const shared = new WireWriter()

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const ORIGINS: readonly Origin[] = ['local', 'remote']

const BLOCK_ELSEWHERE = 0
const BLOCK_INLINE = 1

/** Otherwise the number of heads and one follows. */
const HEADS_ELSEWHERE = 0

export function encodeCurrent({ winner, otherCount }: CurrentRow): Uint8Array {
  return encode((writer) => {
    writer.uint64(winner.priority).number(otherCount).digest(winner.id).raw(winner.value)
  })
}

export function decodeCurrent(row: string, bytes: Uint8Array): CurrentRow {
  return decode(row, bytes, (reader) => {
    const priority = reader.uint64()
    const otherCount = reader.smallInteger()
    const id = blockIdFromDigest(reader.take(DIGEST_LENGTH))
    return { winner: { id, priority, value: reader.rest() }, otherCount }
  })
}

/** The value alone, which is all that a read needs: a query takes 19% more of the main thread if the rest is read too. */
export function decodeCurrentValue(row: string, bytes: Uint8Array): Uint8Array {
  return decode(row, bytes, (reader) => {
    reader.skipVarint()
    reader.skipVarint()
    reader.take(DIGEST_LENGTH)
    return reader.rest()
  })
}

export function encodePriority(priority: bigint): Uint8Array {
  return encode((writer) => writer.uint64(priority))
}

export function decodePriority(row: string, bytes: Uint8Array): bigint {
  return decode(row, bytes, (reader) => reader.uint64())
}

export function encodeDagNames(dagNames: readonly string[]): Uint8Array {
  return encode((writer) => {
    for (const dagName of dagNames) writer.string(dagName)
  })
}

export function decodeDagNames(row: string, bytes: Uint8Array): string[] {
  return decode(row, bytes, (reader) => {
    const dagNames: string[] = []
    while (!reader.done) dagNames.push(reader.string())
    return dagNames
  })
}

export function encodeApplied({ sequence, priority, dagName, origin }: AppliedRow): Uint8Array {
  return encode((writer) => {
    writer.number(sequence).uint64(priority).number(ORIGINS.indexOf(origin)).text(dagName)
  })
}

export function decodeApplied(row: string, bytes: Uint8Array): AppliedRow {
  return decode(row, bytes, (reader) => ({
    sequence: reader.safeInteger(),
    priority: reader.uint64(),
    origin: readOrigin(reader),
    dagName: decoder.decode(reader.rest())
  }))
}

function readOrigin(reader: WireReader): Origin {
  const origin = ORIGINS[reader.safeInteger()]
  if (origin === undefined) throw new TypeError('its origin is unknown')
  return origin
}

export function encodeLog({ id, bytes }: LogRow): Uint8Array {
  return encode((writer) => {
    writer.number(bytes === undefined ? BLOCK_ELSEWHERE : BLOCK_INLINE).digest(id)
    if (bytes !== undefined) writer.raw(bytes)
  })
}

export function decodeLog(row: string, bytes: Uint8Array): LogRow {
  return decode(row, bytes, (reader) => {
    const [where] = reader.take(1)
    const id = blockIdFromDigest(reader.take(DIGEST_LENGTH))
    if (where === BLOCK_INLINE) return { id, bytes: reader.rest() }
    if (where === BLOCK_ELSEWHERE) return { id, bytes: undefined }
    throw new TypeError('where its block is, is unknown')
  })
}

export function encodePending({ from, bytes }: PendingRow): Uint8Array {
  return encode((writer) => writer.string(from).raw(bytes))
}

export function decodePending(row: string, bytes: Uint8Array): PendingRow {
  return decode(row, bytes, (reader) => ({ from: reader.string(), bytes: reader.rest() }))
}

export function encodeGap({ sequence, dagName }: GapRow): Uint8Array {
  return encode((writer) => writer.number(sequence).text(dagName))
}

export function decodeGap(row: string, bytes: Uint8Array): GapRow {
  return decode(row, bytes, (reader) => ({
    sequence: reader.safeInteger(),
    dagName: decoder.decode(reader.rest())
  }))
}

export function encodeFeatures(features: readonly number[]): Uint8Array {
  return encode((writer) => {
    for (const feature of features) writer.number(feature)
  })
}

export function decodeFeatures(row: string, bytes: Uint8Array): number[] {
  return decode(row, bytes, (reader) => {
    const features: number[] = []
    while (!reader.done) features.push(reader.smallInteger())
    return features
  })
}

export function encodeIgnored({ purged }: IgnoredRow): Uint8Array {
  return Uint8Array.of(purged ? 1 : 0)
}

export function decodeIgnored(row: string, bytes: Uint8Array): IgnoredRow {
  return decode(row, bytes, (reader) => {
    const purged = reader.smallInteger()
    if (purged > 1) throw new TypeError('whether it was purged is unknown')
    return { purged: purged === 1 }
  })
}

export function encodeState(state: StateRow): Uint8Array {
  return encode((writer) => {
    writer.uint64(state.clock).number(state.sequence).raw(state.digest)
    for (const counter of COUNTERS) writer.number(state[counter])
    writer.number(state.heads === undefined ? HEADS_ELSEWHERE : state.heads.length + 1)
    for (const { id, priority, dagName } of state.heads ?? []) {
      writer.digest(id).uint64(priority).string(dagName)
    }
  })
}

export function decodeState(row: string, bytes: Uint8Array): StateRow {
  return decode(row, bytes, (reader) => {
    const state: StateRow = {
      clock: reader.uint64(),
      sequence: reader.safeInteger(),
      digest: reader.take(DIGEST_LENGTH),
      keys: 0,
      elements: 0,
      tombstones: 0,
      gaps: 0,
      deferred: 0,
      heads: undefined
    }
    for (const counter of COUNTERS) state[counter] = reader.safeInteger()
    const heads = reader.smallInteger()
    if (heads !== HEADS_ELSEWHERE) state.heads = readHeads(reader, heads - 1)
    return state
  })
}

function readHeads(reader: WireReader, count: number): StoredHead[] {
  const heads: StoredHead[] = []
  while (heads.length < count) {
    const id = blockIdFromDigest(reader.take(DIGEST_LENGTH))
    heads.push({ id, priority: reader.uint64(), dagName: reader.string() })
  }
  return heads
}

const COUNTERS = ['keys', 'elements', 'tombstones', 'gaps', 'deferred'] as const

export function encodeMeta(meta: MetaRow): Uint8Array {
  return encoder.encode(JSON.stringify(meta))
}

export function decodeMeta(row: string, bytes: Uint8Array): MetaRow {
  return decode(row, bytes, (reader) => {
    const { layout, leastReader, topic } = JSON.parse(decoder.decode(reader.rest())) as Partial<MetaRow>
    if (!Number.isInteger(layout) || !Number.isInteger(leastReader)) throw new TypeError('it names no layout')
    if (topic !== undefined && typeof topic !== 'string') throw new TypeError('its topic is no text')
    return { layout: layout as number, leastReader: leastReader as number, topic }
  })
}

function encode(write: (writer: WireWriter) => void): Uint8Array {
  try {
    write(shared)
    return shared.finish()
  } finally {
    // If it failed, what was written of it must not stand in the next row.
    shared.discard()
  }
}

function decode<T>(row: string, bytes: Uint8Array, read: (reader: WireReader) => T): T {
  try {
    const reader = new WireReader(plain(bytes))
    const value = read(reader)
    if (!reader.done) throw new TypeError('it goes on after its end')
    return value
  } catch (error) {
    throw new CorruptRowError(row, error instanceof Error ? error.message : String(error))
  }
}

/** LevelDB's binding gives Buffers, whose views would be Buffers too; callers get what the interface promises. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
