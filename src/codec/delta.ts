/**
 * `Delta` as protobuf bytes, byte for byte as protobuf-go writes it, in one pass each way.
 *
 * A delta's size is known from the sizes of its parts, so that a writer can fill one up to a limit without
 * encoding it again at every step. The message is described in `pb/crdt.proto`.
 */
import type { Delta } from '../crdt/delta.ts'
import { utf8Length } from './key.ts'
import { WIRE_BYTES, WIRE_VARINT, WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

/** A delta as the bytes say it: keys and ids as they were sent, a key perhaps more than once. */
export interface WireDelta {
  elements: Array<{ key: string; id: string; value: Uint8Array }>
  tombstones: Array<{ key: string; id: string; value: Uint8Array }>
  priority: bigint
  dagName: string
  requires: number[]
}

const ELEMENTS = 1
const TOMBSTONES = 2
const PRIORITY = 3
const DAG_NAME = 4
/** The extension field that names features; see docs/sync-protocol.md for the registry. */
const REQUIRES = 100

const KEY = 1
const ID = 2
const VALUE = 3

const EMPTY: Uint8Array = new Uint8Array(0)

const tag = (field: number, type: number): number => field * 8 + type

const writer = new WireWriter()

/** The bytes are a view of a shared chunk (`WireWriter`): copy what is kept. */
export function encodeDelta(delta: Delta): Uint8Array {
  try {
    writeDelta(delta)
    return writer.finish()
  } finally {
    // If it failed, what was written of it must not stand in the next delta.
    writer.discard()
  }
}

function writeDelta(delta: Delta): void {
  for (const { key, value } of delta.elements) {
    const keyLength = utf8Length(key)
    writer.number(tag(ELEMENTS, WIRE_BYTES)).number(textSize(keyLength) + textSize(value.length))
    writeText(KEY, key, keyLength)
    if (value.length > 0) writer.number(tag(VALUE, WIRE_BYTES)).bytes(value)
  }
  for (const { key, id } of delta.tombstones) {
    const [keyLength, idLength] = [utf8Length(key), utf8Length(id)]
    writer.number(tag(TOMBSTONES, WIRE_BYTES)).number(textSize(keyLength) + textSize(idLength))
    writeText(KEY, key, keyLength)
    writeText(ID, id, idLength)
  }
  if (delta.priority > 0n) writer.number(tag(PRIORITY, WIRE_VARINT)).uint64(delta.priority)
  writeText(DAG_NAME, delta.dagName, utf8Length(delta.dagName))
  if (delta.requires.length > 0) {
    const size = delta.requires.reduce((sum, feature) => sum + varintSize(feature), 0)
    writer.number(tag(REQUIRES, WIRE_BYTES)).number(size)
    for (const feature of delta.requires) writer.number(feature)
  }
}

/** @throws WireError where protobuf-go would refuse the bytes. */
export function decodeDelta(bytes: Uint8Array): WireDelta {
  const delta: WireDelta = { elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] }
  const reader = new WireReader(bytes)
  while (!reader.done) {
    const field = reader.tag()
    if (field === tag(ELEMENTS, WIRE_BYTES)) delta.elements.push(decodeElement(reader.message()))
    else if (field === tag(TOMBSTONES, WIRE_BYTES)) delta.tombstones.push(decodeElement(reader.message()))
    else if (field === tag(PRIORITY, WIRE_VARINT)) delta.priority = reader.uint64()
    else if (field === tag(DAG_NAME, WIRE_BYTES)) delta.dagName = reader.string()
    else if (field === tag(REQUIRES, WIRE_VARINT)) delta.requires.push(reader.uint32())
    else if (field === tag(REQUIRES, WIRE_BYTES)) {
      const packed = reader.message()
      while (!packed.done) delta.requires.push(packed.uint32())
    } else reader.skip(field)
  }
  return delta
}

function decodeElement(reader: WireReader): WireDelta['elements'][number] {
  const element = { key: '', id: '', value: EMPTY }
  while (!reader.done) {
    const field = reader.tag()
    if (field === tag(KEY, WIRE_BYTES)) element.key = reader.string()
    else if (field === tag(ID, WIRE_BYTES)) element.id = reader.string()
    else if (field === tag(VALUE, WIRE_BYTES)) element.value = reader.bytes()
    else reader.skip(field)
  }
  return element
}

/** How many bytes an element adds to an encoded delta. */
export function elementSize(key: string, valueLength: number): number {
  return framedSize(textSize(utf8Length(key)) + textSize(valueLength))
}

/** How many bytes a tombstone adds to an encoded delta. */
export function tombstoneSize(key: string, idLength: number): number {
  return framedSize(textSize(utf8Length(key)) + textSize(idLength))
}

/** How many bytes priority and DAG name add at most; the priority is counted at its greatest. */
export function deltaOverhead(dagName: string): number {
  return 11 + textSize(utf8Length(dagName))
}

function writeText(field: number, text: string, length: number): void {
  if (length > 0) writer.number(tag(field, WIRE_BYTES)).string(text, length)
}

/** proto3 leaves empty fields out. */
function textSize(length: number): number {
  return length === 0 ? 0 : framedSize(length)
}

/** A length-delimited field below number 16: a tag byte, its length, its bytes. */
function framedSize(length: number): number {
  return 1 + varintSize(length) + length
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}
