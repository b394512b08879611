// The values of rows: each reads back as it was written, and one that is cut off is a CorruptRowError naming its row.
import { describe, expect, test } from 'vitest'
import { blockIdFromDigest } from '../../src/codec/block-id.ts'
import * as rows from '../../src/storage/rows.ts'

const ROW = '/crdt/row'
const id = blockIdFromDigest(Uint8Array.from({ length: 32 }, (_, index) => 255 - index))
const GREATEST = 2n ** 64n - 1n
const digest = new Uint8Array(32).fill(9)
const NO_COUNTS = { keys: 0, elements: 0, tombstones: 0, gaps: 0, deferred: 0 }

interface Codec {
  name: string
  values: unknown[]
  encode(value: never): Uint8Array
  decode(row: string, bytes: Uint8Array): unknown
  /** How many bytes from the end may be missing without anybody noticing, because the last part has any length. */
  open?: number
}

const CODECS: Codec[] = [
  {
    name: 'current',
    values: [
      { winner: { id, priority: 0n, value: new Uint8Array(0) }, otherCount: 0 },
      { winner: { id, priority: 2n ** 53n + 1n, value: Uint8Array.of(1, 2) }, otherCount: 3 },
      { winner: { id, priority: GREATEST, value: new Uint8Array(0) }, otherCount: 2 ** 32 - 1 }
    ],
    encode: rows.encodeCurrent,
    decode: rows.decodeCurrent,
    open: 2
  },
  {
    name: 'priority',
    values: [0n, 127n, 128n, GREATEST],
    encode: rows.encodePriority,
    decode: rows.decodePriority
  },
  {
    name: 'DAG names',
    values: [[''], ['', 'ü', 'a b']],
    encode: rows.encodeDagNames,
    decode: rows.decodeDagNames,
    open: Number.POSITIVE_INFINITY
  },
  {
    name: 'applied',
    values: [
      { sequence: 1, priority: 1n, dagName: '', origin: 'local' },
      { sequence: Number.MAX_SAFE_INTEGER, priority: GREATEST, dagName: 'ü', origin: 'remote' }
    ],
    encode: rows.encodeApplied,
    decode: rows.decodeApplied,
    open: 2
  },
  {
    name: 'log',
    values: [
      { id, bytes: undefined },
      { id, bytes: Uint8Array.of(1, 2) }
    ],
    encode: rows.encodeLog,
    decode: rows.decodeLog,
    open: 2
  },
  {
    name: 'pending',
    values: [{ from: 'péer', bytes: Uint8Array.of(1, 2) }],
    encode: rows.encodePending,
    decode: rows.decodePending,
    open: 2
  },
  { name: 'gap', values: [{ sequence: 300, dagName: '' }], encode: rows.encodeGap, decode: rows.decodeGap },
  {
    name: 'state',
    values: [
      { clock: 0n, sequence: 0, digest, ...NO_COUNTS, heads: [] },
      { clock: 1n, sequence: 1, digest, ...NO_COUNTS, heads: undefined },
      {
        clock: GREATEST,
        sequence: 2 ** 53 - 1,
        digest,
        keys: 1,
        elements: 2,
        tombstones: 3,
        gaps: 4,
        deferred: 500,
        heads: [
          { id, priority: GREATEST, dagName: 'ü:/' },
          { id, priority: 0n, dagName: '' }
        ]
      }
    ],
    encode: rows.encodeState,
    decode: rows.decodeState
  },
  {
    name: 'meta',
    values: [
      { layout: 1, leastReader: 1, topic: undefined },
      { layout: 2, leastReader: 1, topic: 'ü' }
    ],
    encode: rows.encodeMeta,
    decode: rows.decodeMeta
  }
]

describe.each(CODECS)('a row of $name', ({ values, encode, decode, open = 0 }) => {
  test.each(values.map((value) => [value]))('reads back as %o', (value) => {
    expect(decode(ROW, encode(value as never))).toEqual(value)
  })

  test.each(values.map((value) => [value]))(
    'reads back as %o from a Buffer, and gives no Buffers',
    (value) => {
      const decoded = decode(ROW, Buffer.from(encode(value as never)))
      expect(decoded).toEqual(value)
      expect(
        JSON.stringify(decoded, (_, part) => (typeof part === 'bigint' ? `${part}` : part))
      ).not.toContain('Buffer')
    }
  )

  test.each(values.map((value) => [value]))('that is cut off is named: %o', (value) => {
    const bytes = encode(value as never)
    for (let length = 0; length < bytes.length - open; length++) {
      expect(() => decode(ROW, bytes.slice(0, length))).toThrow(
        expect.objectContaining({ name: 'CorruptRowError', message: expect.stringContaining(ROW) })
      )
    }
  })
})

test('the value of a current row can be read without the rest', () => {
  const value = Uint8Array.of(1, 2, 3)
  const bytes = rows.encodeCurrent({ winner: { id, priority: GREATEST, value }, otherCount: 300 })
  expect(rows.decodeCurrentValue(ROW, bytes)).toEqual(value)
  expect(() => rows.decodeCurrentValue(ROW, bytes.slice(0, 30))).toThrow(
    expect.objectContaining({ name: 'CorruptRowError' })
  )
})

test('features read back as they were', () => {
  expect(rows.decodeFeatures(ROW, rows.encodeFeatures([1, 300, 2 ** 32 - 1]))).toEqual([1, 300, 2 ** 32 - 1])
})

test.each([
  ['{}'],
  ['null'],
  ['[1]'],
  ['{"layout":1}'],
  ['{"layout":"1","leastReader":1}'],
  ['not JSON'],
  ['']
])('a meta row of %s is damaged', (text) => {
  expect(() => rows.decodeMeta(ROW, new TextEncoder().encode(text))).toThrow(
    expect.objectContaining({ name: 'CorruptRowError' })
  )
})

test('rows that were written are not changed by those written after them', () => {
  const first = rows.encodePriority(1n)
  const copy = first.slice()
  for (let priority = 2n; priority < 50n; priority++) rows.encodePriority(priority)
  rows.encodeState({ clock: 1n, sequence: 1, digest, ...NO_COUNTS, heads: [] })
  expect(first).toEqual(copy)
})

describe('a row that no version writes is damaged', () => {
  const priority = rows.encodePriority(1n)
  const elsewhere = rows.encodeLog({ id, bytes: undefined })
  const hugeCount = Uint8Array.from([1, 0x80, 0x80, 0x80, 0x80, 0x10, ...digest])

  test.each<[string, (row: string, bytes: Uint8Array) => unknown, Uint8Array]>([
    ['a priority with bytes after it', rows.decodePriority, Uint8Array.from([...priority, 0])],
    ['a log entry that is neither here nor elsewhere', rows.decodeLog, Uint8Array.from([7, ...digest])],
    ['a log entry that is elsewhere and here', rows.decodeLog, Uint8Array.from([...elsewhere, 1])],
    ['an ignored DAG that is neither purged nor not', rows.decodeIgnored, Uint8Array.of(5)],
    ['an ignored DAG with bytes after it', rows.decodeIgnored, Uint8Array.of(1, 1)],
    ['a count of versions that could not be written again', rows.decodeCurrent, hugeCount],
    ['a feature that could not be written again', rows.decodeFeatures, hugeCount.slice(1, 6)],
    [
      'a state with bytes after it',
      rows.decodeState,
      Uint8Array.from([
        ...rows.encodeState({ clock: 1n, sequence: 1, digest, ...NO_COUNTS, heads: undefined }),
        0
      ])
    ]
  ])('%s', (_name, decode, bytes) => {
    expect(() => decode(ROW, bytes)).toThrow(
      expect.objectContaining({ name: 'CorruptRowError', message: expect.stringContaining(ROW) })
    )
  })
})
