// Changes inputs in the ways that are known to break decoders: bits, cuts, repetitions, splices, lengths and numbers.
import { join, varint } from '../codec/wire-bytes.ts'
import type { Chance } from './chance.ts'

type Mutation = (bytes: Uint8Array, chance: Chance, others: readonly Uint8Array[]) => Uint8Array

/** No mutation makes an input longer than this. */
const BYTES_MAX = 16 * 1024

/** Bytes that mean something: tags, lengths, ends of varints, beginnings of CIDs, UTF-8 that breaks off. */
const TELLING_BYTES = [0, 1, 8, 10, 12, 18, 20, 24, 26, 32, 34, 36, 43, 44, 47, 112, 127, 128, 162, 195, 255]

const MUTATIONS: Mutation[] = [
  flipBit,
  setByte,
  setByte,
  insertBytes,
  removeRange,
  cut,
  repeatRange,
  copyOver,
  splice,
  crossOver,
  replaceByNumber,
  editLength,
  wrap
]

/** An input with a few changes. */
export function mutate(bytes: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  let mutated = bytes
  for (let left = 1 + chance.small(6); left > 0; left--) {
    mutated = chance.pick(MUTATIONS)(mutated, chance, others)
    if (mutated.length > BYTES_MAX) mutated = mutated.subarray(0, BYTES_MAX)
  }
  return mutated === bytes ? bytes.slice() : mutated
}

const at = (bytes: Uint8Array, chance: Chance): number => chance.below(bytes.length + 1)

function range(bytes: Uint8Array, chance: Chance): [number, number] {
  const from = at(bytes, chance)
  return [from, Math.min(bytes.length, from + 1 + chance.small(48))]
}

function flipBit(bytes: Uint8Array, chance: Chance): Uint8Array {
  const flipped = bytes.slice()
  if (flipped.length > 0) flipped[chance.below(flipped.length)]! ^= 1 << chance.below(8)
  return flipped
}

function setByte(bytes: Uint8Array, chance: Chance): Uint8Array {
  const changed = bytes.slice()
  const byte = chance.percent(70) ? chance.pick(TELLING_BYTES) : chance.below(256)
  if (changed.length > 0) changed[chance.below(changed.length)] = byte
  return changed
}

function insertBytes(bytes: Uint8Array, chance: Chance): Uint8Array {
  const here = at(bytes, chance)
  const inserted = chance.percent(60)
    ? Uint8Array.of(chance.pick(TELLING_BYTES))
    : chance.bytes(1 + chance.small(8))
  return join(bytes.subarray(0, here), inserted, bytes.subarray(here))
}

function removeRange(bytes: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = range(bytes, chance)
  return join(bytes.subarray(0, from), bytes.subarray(to))
}

function cut(bytes: Uint8Array, chance: Chance): Uint8Array {
  return chance.percent(75)
    ? bytes.slice(0, at(bytes, chance))
    : bytes.slice(Math.min(bytes.length, chance.small(9)))
}

function repeatRange(bytes: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = range(bytes, chance)
  const part = bytes.subarray(from, to)
  const times = chance.percent(90) ? 1 + chance.small(4) : chance.below(200)
  return join(bytes.subarray(0, to), ...Array<Uint8Array>(times).fill(part), bytes.subarray(to))
}

function copyOver(bytes: Uint8Array, chance: Chance): Uint8Array {
  const [from, to] = range(bytes, chance)
  const changed = bytes.slice()
  const part = bytes.subarray(from, to)
  changed.set(part.subarray(0, Math.max(0, changed.length - from)), chance.below(from + 1))
  return changed
}

/** A part of another input, in between. */
function splice(bytes: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  const other = chance.pick(others)
  const [from, to] = range(other, chance)
  const here = at(bytes, chance)
  return join(bytes.subarray(0, here), other.subarray(from, to), bytes.subarray(here))
}

/** The beginning of this and the end of another. */
function crossOver(bytes: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  const other = chance.pick(others)
  return join(bytes.subarray(0, at(bytes, chance)), other.subarray(at(other, chance)))
}

function replaceByNumber(bytes: Uint8Array, chance: Chance): Uint8Array {
  const here = at(bytes, chance)
  const number = varint(chance.number(), chance.percent(20) ? chance.below(10) : 0)
  const end = Math.min(bytes.length, here + (chance.percent(50) ? 1 : number.length))
  return join(bytes.subarray(0, here), number, bytes.subarray(end))
}

/** One more or one less: a field that takes a byte of its neighbour is the hardest to see. */
function editLength(bytes: Uint8Array, chance: Chance): Uint8Array {
  const changed = bytes.slice()
  if (changed.length > 0) changed[chance.below(changed.length)]! += chance.percent(50) ? 1 : -1
  return changed
}

/** The whole as a field of something larger. */
function wrap(bytes: Uint8Array, chance: Chance): Uint8Array {
  const tag = (1 + chance.below(6)) * 8 + 2
  return chance.percent(20) ? join(Uint8Array.of(tag), varint(bytes.length), bytes) : flipBit(bytes, chance)
}
