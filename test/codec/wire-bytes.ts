// Writes protobuf, dag-pb and CIDs by hand. It shares no code with src, so that a block made here proves something
// of the decoders there, and it can write what no honest peer would.
import { createHash } from 'node:crypto'

export type Bytes = Uint8Array

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text)
export const hex = (text: string): Bytes => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
export const join = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts))
export const sha256 = (bytes: Bytes): Bytes => new Uint8Array(createHash('sha256').update(bytes).digest())

export const VARINT = 0
export const FIXED64 = 1
export const LENGTH = 2
export const GROUP = 3
export const GROUP_END = 4
export const FIXED32 = 5

/** A varint, followed by as many needless zero groups as are asked for. */
export function varint(value: bigint | number, needless = 0): Bytes {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  for (let index = 0; index < needless; index++) {
    bytes.push((bytes.pop() ?? 0) | 128)
    bytes.push(0)
  }
  return Uint8Array.from(bytes)
}

export const tag = (number: bigint | number, wireType: number): Bytes =>
  varint(BigInt(number) * 8n + BigInt(wireType))
export const varintField = (number: number, value: bigint | number): Bytes =>
  join(tag(number, VARINT), varint(value))
export const bytesField = (number: number, value: Bytes | string): Bytes => {
  const bytes = typeof value === 'string' ? utf8(value) : value
  return join(tag(number, LENGTH), varint(bytes.length), bytes)
}

// The fields of a Delta.

export const put = (key: string, value: Bytes | string = key): Bytes =>
  bytesField(1, join(bytesField(1, key), bytesField(3, value)))
export const tombstone = (key: string, id: string): Bytes =>
  bytesField(2, join(bytesField(1, key), bytesField(2, id)))
export const priority = (value: bigint | number): Bytes => varintField(3, value)
export const dagName = (name: string): Bytes => bytesField(4, name)
export const requires = (feature: number): Bytes => varintField(100, feature)

// CIDs, links and blocks.

export const cidV0 = (block: Bytes): Bytes => join(hex('12 20'), sha256(block))
export const cidV1 = (block: Bytes, codec = 0x70): Bytes => join(varint(1), varint(codec), cidV0(block))

/** A link as go-ds-crdt writes it, with an empty name and a size of zero. */
export const link = (cid: Bytes): Bytes =>
  bytesField(2, join(bytesField(1, cid), bytesField(2, ''), varintField(3, 0)))

/** A block of this delta that links to these parents, with its fields in the order that go-ds-crdt writes. */
export const block = (delta: Bytes[], parents: Bytes[] = []): Bytes =>
  join(...parents.map((parent) => link(cidV1(parent))), bytesField(1, join(...delta)))
