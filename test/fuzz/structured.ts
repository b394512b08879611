// Protobuf whose every part is plausible and whose whole is not: right fields, then wrong types, groups, repeated
// scalars, over-long varints, bad UTF-8 and lengths that lie.

import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { linkTargets } from '../codec/hostile-bytes.ts'
import {
  bytesField,
  cidV0,
  cidV1,
  FIXED32,
  FIXED64,
  GROUP,
  GROUP_END,
  hex,
  join,
  tag,
  utf8,
  varint,
  varintField
} from '../codec/wire-bytes.ts'
import type { Chance } from './chance.ts'

type Make = () => Uint8Array

const FIELD_NUMBERS = [0, 1, 2, 3, 4, 5, 6, 12, 100, 101, 2 ** 29 - 1, 2 ** 29]
const TEXTS = ['', 'a', 'red', 'é', '\uFEFF', '\u0000', '😀', '__proto__', 'x'.repeat(300)].map(utf8)
const BROKEN_TEXTS = ['ff', 'ed a0 80', 'c3', 'f4 90 80 80', 'c0 80', 'e2 82'].map(hex)
const KEYS = [
  '/k',
  '/l',
  'k//',
  '/a/../k',
  '/../k',
  '',
  '/',
  '.',
  '/a/b/c',
  '/é',
  '\uFEFF',
  '/%2F:',
  '/k/'
].map(utf8)

export const targetIds: string[] = linkTargets.map(blockId)
const IDS = [
  ...targetIds,
  targetIds[0]!.slice(1),
  `${targetIds[0]!.slice(0, -1)}7`,
  `/${targetIds[0]}`,
  targetIds[0]!.toLowerCase(),
  'nothing'
].map(utf8)

export const text = (chance: Chance): Uint8Array =>
  chance.percent(85)
    ? chance.pick(TEXTS)
    : chance.percent(70)
      ? chance.pick(BROKEN_TEXTS)
      : chance.bytes(chance.small(9))

export const key = (chance: Chance): Uint8Array => (chance.percent(90) ? chance.pick(KEYS) : text(chance))
export const id = (chance: Chance): Uint8Array => (chance.percent(90) ? chance.pick(IDS) : text(chance))
export const value = (chance: Chance): Uint8Array => chance.bytes(chance.small(12))

/** A varint field of a number that is likely to matter, sometimes written too long. */
export const numberField = (chance: Chance, field: number): Uint8Array =>
  join(tag(field, 0), varint(chance.number(), chance.percent(10) ? chance.below(11) : 0))

/** A field that does not belong where it is. */
export function oddField(chance: Chance): Uint8Array {
  const field = chance.pick(FIELD_NUMBERS)
  switch (chance.below(8)) {
    case 0:
      return numberField(chance, field)
    case 1:
      return bytesField(field, text(chance))
    case 2:
      return join(tag(field, FIXED32), chance.bytes(chance.percent(90) ? 4 : 3))
    case 3:
      return join(tag(field, FIXED64), chance.bytes(chance.percent(90) ? 8 : 7))
    case 4:
      return group(chance, field, chance.percent(95) ? chance.below(4) : chance.below(300))
    case 5:
      return join(tag(field, 2), varint(chance.number()), chance.bytes(chance.small(8)))
    case 6:
      return join(tag(field, chance.below(8)), varint(chance.number(), chance.small(9)))
    default:
      return new Uint8Array(1 + chance.below(12)).fill(255)
  }
}

function group(chance: Chance, field: number, depth: number): Uint8Array {
  const inner = varintField(1 + chance.below(9), chance.below(200))
  const opened = Array<Uint8Array>(depth + 1).fill(tag(field, GROUP))
  const end = chance.percent(85) ? field : chance.pick(FIELD_NUMBERS)
  const closed = Array<Uint8Array>(depth + (chance.percent(90) ? 1 : 2)).fill(tag(end, GROUP_END))
  return join(...opened, inner, ...closed)
}

/** Fields, mostly of those that belong there, in any order and number. */
export function message(chance: Chance, fields: readonly Make[], countMax: number): Uint8Array {
  return join(
    ...chance.some(countMax, () =>
      fields.length > 0 && chance.percent(94) ? chance.pick(fields)() : oddField(chance)
    )
  )
}

/** A field that holds bytes, whose length now and then is a lie. */
export function field(chance: Chance, number: number, bytes: Uint8Array): Uint8Array {
  if (chance.percent(98)) return bytesField(number, bytes)
  return join(tag(number, 2), varint(bytes.length + chance.below(5) - 2), bytes)
}

function element(chance: Chance): Uint8Array {
  const parts = [
    () => field(chance, 1, key(chance)),
    () => field(chance, 1, key(chance)),
    () => field(chance, 2, id(chance)),
    () => field(chance, 3, value(chance))
  ]
  return chance.percent(50)
    ? join(field(chance, 1, key(chance)), field(chance, 3, value(chance)))
    : message(chance, parts, 5)
}

const tombstone = (chance: Chance): Uint8Array =>
  chance.percent(70) ? join(field(chance, 1, key(chance)), field(chance, 2, id(chance))) : element(chance)

export function delta(chance: Chance): Uint8Array {
  return message(
    chance,
    [
      () => field(chance, 1, element(chance)),
      () => field(chance, 1, element(chance)),
      () => field(chance, 2, tombstone(chance)),
      () => numberField(chance, 3),
      () => varintField(3, chance.below(9)),
      () => field(chance, 4, text(chance)),
      () =>
        chance.percent(20)
          ? numberField(chance, 100)
          : field(chance, 100, varint(chance.number(), chance.below(3))),
      () => field(chance, 1, element(chance))
    ],
    7
  )
}

export function cid(chance: Chance): Uint8Array {
  const target = chance.pick(linkTargets)
  const digest = cidV0(target).subarray(2)
  switch (chance.below(14)) {
    case 0:
    case 1:
      return cidV0(target)
    case 2:
      return cidV1(target, 0x55)
    case 3:
      return join(hex('01 f0 00'), cidV0(target))
    case 4:
      return join(hex('01 70 16 20'), digest)
    case 5:
      return join(hex('01 70 12 a0 00'), digest)
    case 6:
      return join(varint(chance.number()), varint(chance.number()), cidV0(target))
    case 7:
      return join(cidV1(target), chance.bytes(chance.small(4)))
    case 8:
      return cidV1(target).subarray(0, chance.below(37))
    case 9:
      return chance.bytes(chance.small(40))
    default:
      return cidV1(target)
  }
}

function link(chance: Chance): Uint8Array {
  const hash = field(chance, 1, cid(chance))
  switch (chance.below(8)) {
    case 0:
      return hash
    case 1:
      return join(hash, oddField(chance))
    case 2:
      return join(hash, field(chance, 2, text(chance)), numberField(chance, 3))
    case 3:
      return join(field(chance, 2, text(chance)), hash)
    default:
      return join(hash, bytesField(2, ''), varintField(3, 0))
  }
}

const links = (chance: Chance): Uint8Array => join(...chance.some(3, () => field(chance, 2, link(chance))))

/** A dag-pb block around some data. */
export function blockOf(chance: Chance, data: Uint8Array): Uint8Array {
  const section = field(chance, 1, data)
  switch (chance.below(10)) {
    case 0:
      return join(section, links(chance))
    case 1:
      return join(links(chance), section, links(chance))
    case 2:
      return links(chance)
    case 3:
      return message(chance, [() => section, () => links(chance)], 4)
    default:
      return join(links(chance), section)
  }
}

export const block = (chance: Chance): Uint8Array => blockOf(chance, delta(chance))

/** A head as a broadcast has it, perhaps with a block that may be another's. */
function head(chance: Chance): Uint8Array {
  const parts = [
    () => field(chance, 1, cid(chance)),
    () => field(chance, 2, text(chance)),
    () => field(chance, 100, chance.percent(50) ? block(chance) : value(chance))
  ]
  if (chance.percent(40)) return message(chance, parts, 4)
  const inlined = block(chance)
  return join(
    field(chance, 1, cidV1(inlined)),
    chance.percent(80) ? field(chance, 100, inlined) : oddField(chance)
  )
}

export function broadcast(chance: Chance): Uint8Array {
  if (chance.percent(12)) return cid(chance)
  return message(chance, [() => field(chance, 1, head(chance))], 5)
}
