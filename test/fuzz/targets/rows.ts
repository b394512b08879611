// Rows of the store: each damaged value is a `CorruptRowError` that names its row, or reads as what it says.
import { CorruptRowError } from '../../../src/errors.ts'
import * as rows from '../../../src/storage/rows.ts'
import { join, utf8, varint } from '../../codec/wire-bytes.ts'
import type { Chance } from '../chance.ts'
import { targetIds, text } from '../structured.ts'
import { demand, demandBounded, demandSame, hexOf, type Target } from '../target.ts'

const ROW = '/crdt/row of a test'
const [id] = targetIds as [string]
const digest = new Uint8Array(32).fill(9)
const GREATEST = 2n ** 64n - 1n

interface Codec {
  name: string
  values: readonly unknown[]
  decode(row: string, bytes: Uint8Array): unknown
  /** Absent where the row is not read as a whole. */
  encode?(value: never): Uint8Array
  /** Whether the row has an end of its own, after which nothing may come. */
  closed?: true
}

const state = {
  ...{ clock: GREATEST, sequence: 3, digest, keys: 1, elements: 2, tombstones: 0, gaps: 0, deferred: 0 },
  heads: [{ id, priority: 2n, dagName: 'red' }]
}

/** In an order that never changes, because the first byte of an input says which. */
const CODECS: readonly Codec[] = [
  {
    name: 'current',
    values: [{ winner: { id, priority: GREATEST, value: Uint8Array.of(1, 2) }, otherCount: 300 }],
    ...{ encode: rows.encodeCurrent, decode: rows.decodeCurrent }
  },
  { name: 'current value', values: [], decode: rows.decodeCurrentValue },
  {
    name: 'priority',
    values: [0n, GREATEST],
    ...{ encode: rows.encodePriority, decode: rows.decodePriority, closed: true }
  },
  {
    name: 'DAG names',
    values: [[''], ['', 'ü', 'a b']],
    ...{ encode: rows.encodeDagNames, decode: rows.decodeDagNames }
  },
  {
    name: 'applied',
    values: [{ sequence: 300, priority: 1n, dagName: 'ü', origin: 'remote' }],
    ...{ encode: rows.encodeApplied, decode: rows.decodeApplied }
  },
  {
    name: 'log',
    values: [
      { id, bytes: undefined },
      { id, bytes: Uint8Array.of(1) }
    ],
    ...{ encode: rows.encodeLog, decode: rows.decodeLog }
  },
  {
    name: 'pending',
    values: [{ from: 'mallory', bytes: Uint8Array.of(1) }],
    ...{ encode: rows.encodePending, decode: rows.decodePending }
  },
  {
    name: 'gap',
    values: [{ sequence: 300, dagName: 'red' }],
    ...{ encode: rows.encodeGap, decode: rows.decodeGap }
  },
  { name: 'features', values: [[1, 300]], encode: rows.encodeFeatures, decode: rows.decodeFeatures },
  {
    name: 'ignored',
    values: [{ purged: true }, { purged: false }],
    ...{ encode: rows.encodeIgnored, decode: rows.decodeIgnored, closed: true }
  },
  {
    name: 'state',
    values: [state, { ...state, heads: undefined }],
    ...{ encode: rows.encodeState, decode: rows.decodeState, closed: true }
  },
  {
    name: 'meta',
    values: [{ layout: 1, leastReader: 1, topic: 'topic' }],
    ...{ encode: rows.encodeMeta, decode: rows.decodeMeta }
  }
]

/** The first byte says which row it is. */
export const rowsTarget: Target = {
  name: 'rows',
  weight: 10,
  seeds: () =>
    CODECS.flatMap(({ values, encode }, index) =>
      values.map((value) => join(Uint8Array.of(index), encode?.(value as never) ?? new Uint8Array(0)))
    ),
  generate: (chance) =>
    join(Uint8Array.of(chance.below(CODECS.length)), ...chance.some(6, () => part(chance))),
  run(input) {
    const codec = CODECS[(input[0] ?? 0) % CODECS.length] as Codec
    const value = input.slice(1)
    const found = decode(codec, value)
    if (found instanceof CorruptRowError)
      return `${codec.name}: ${found.message.replace(/^.*?damaged: /, '')}`
    demandBounded(found, input, 64)
    if (codec.encode === undefined) return codec.name
    const again = decode(codec, codec.encode(found as never))
    demandSame(again, found, `The row ${codec.name} and the row written again`)
    demandStrict(codec, value, codec.encode(found as never))
    return `${codec.name} read`
  }
}

/** Only what is written is read, but for numbers that are written too long. */
function demandStrict(codec: Codec, value: Uint8Array, written: Uint8Array): void {
  if (codec.closed) {
    const longer = decode(codec, join(value, Uint8Array.of(0)))
    demand(longer instanceof CorruptRowError, 'A row may go on after its end')
  }
  if (codec.name === 'meta') return
  demand(written.length <= value.length, 'A row is shorter than it is when it is written')
  const isSame = written.length < value.length || hexOf(written) === hexOf(value)
  demand(isSame, 'A row reads as one that is written differently')
}

function decode({ decode }: Codec, value: Uint8Array): unknown {
  try {
    return decode(ROW, value)
  } catch (error) {
    if (!(error instanceof CorruptRowError)) throw error
    demand(error.message.includes(ROW), 'The error does not name the row')
    return error
  }
}

function part(chance: Chance): Uint8Array {
  switch (chance.below(6)) {
    case 0:
      return digest
    case 1:
      return chance.bytes(chance.small(40))
    case 2: {
      const bytes = text(chance)
      return join(varint(bytes.length), bytes)
    }
    case 3:
      return utf8(chance.pick(['{"layout":1,"leastReader":1', ',"topic":1', '}', 'null', '[]', '1e999', '"']))
    default:
      return varint(chance.number(), chance.percent(10) ? chance.below(9) : 0)
  }
}
