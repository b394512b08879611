// Delta: its sizes without encoding it, and the rules by which bytes become a delta or do not. The rules are those
// of protobuf-go; where code generators for JavaScript differ, replicas would come to differ for good.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeDelta,
  deltaOverhead,
  elementSize,
  encodeDelta,
  tombstoneSize,
  type WireDelta
} from '../../src/codec/delta.ts'
import { utf8Length } from '../../src/codec/key.ts'
import { WireError } from '../../src/codec/wire-reader.ts'
import type { Delta } from '../../src/crdt/delta.ts'
import { anyText } from './any-text.ts'
import {
  type Bytes,
  bytesField,
  dagName,
  FIXED32,
  FIXED64,
  GROUP,
  GROUP_END,
  hex,
  join,
  LENGTH,
  priority,
  put,
  requires,
  tag,
  tombstone,
  utf8,
  VARINT,
  varint,
  varintField
} from './wire-bytes.ts'

const NOTHING: WireDelta = { elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] }
const PRIORITY_MAX = 2n ** 64n - 1n

const read = (...parts: Bytes[]): WireDelta => decodeDelta(join(...parts))
const refuses = (...parts: Bytes[]): void => {
  expect(() => decodeDelta(join(...parts))).toThrow(WireError)
}

// Lengths at which a length prefix grows by a byte, and those around them.
const length = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(127, 128, 16_383, 16_384, 20_000))
const text = fc.oneof(
  anyText(40),
  length.map((count) => 'k'.repeat(count)),
  fc.integer({ min: 0, max: 70 }).map((count) => '鍵😀'.repeat(count))
)
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  length.map((count) => new Uint8Array(count).fill(7))
)
const anyPriority = fc.oneof(
  fc.bigInt({ min: 0n, max: PRIORITY_MAX }),
  fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, PRIORITY_MAX)
)
const anyDelta: fc.Arbitrary<Delta> = fc.record({
  elements: fc.array(fc.record({ key: text, value }), { maxLength: 4 }),
  tombstones: fc.array(fc.record({ key: text, id: text }), { maxLength: 4 }),
  priority: anyPriority,
  dagName: text,
  requires: fc.constant([])
})

describe('sizes', () => {
  test('add up to the encoded size, with the priority counted at its greatest', () => {
    fc.assert(
      fc.property(anyDelta, (delta) => {
        const { elements, tombstones } = delta
        const sum =
          deltaOverhead(delta.dagName) +
          elements.reduce((size, { key, value: { length } }) => size + elementSize(key, length), 0) +
          tombstones.reduce((size, { key, id }) => size + tombstoneSize(key, id.length + idExtra(id)), 0)
        const counted = 11 - (delta.priority === 0n ? 0 : 1 + varint(delta.priority).length)
        expect(encodeDelta(delta)).toHaveLength(sum - counted)
      })
    )
  })

  test('are exact where the priority has ten bytes', () => {
    const delta = {
      ...NOTHING,
      priority: PRIORITY_MAX,
      dagName: 'red',
      elements: [{ key: '/k', value: utf8('v') }]
    }
    expect(encodeDelta(delta)).toHaveLength(elementSize('/k', 1) + deltaOverhead('red'))
  })

  test('count text in UTF-8 without encoding it', () => {
    fc.assert(
      fc.property(text, (well) => {
        expect(utf8Length(well)).toBe(utf8(well).length)
      })
    )
    for (const point of [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
      const one = String.fromCodePoint(point)
      expect(utf8Length(one)).toBe(utf8(one).length)
    }
  })
})

// An id is ASCII wherever it counts; the property gives any text to the encoder.
const idExtra = (id: string): number => utf8(id).length - id.length

describe('encoding', () => {
  test('gives back what was written', () => {
    fc.assert(
      fc.property(anyDelta, fc.array(fc.nat({ max: 2 ** 32 - 1 }), { maxLength: 3 }), (delta, features) => {
        expect(decodeDelta(encodeDelta({ ...delta, requires: features }))).toEqual({
          ...delta,
          requires: features,
          elements: delta.elements.map((element) => ({ ...element, id: '' })),
          tombstones: delta.tombstones.map((one) => ({ ...one, value: new Uint8Array(0) }))
        })
      })
    )
  })

  test('leaves out what is empty, as proto3 does', () => {
    expect(encodeDelta(NOTHING)).toEqual(hex(''))
    const empty = {
      ...NOTHING,
      elements: [{ key: '', value: utf8('') }],
      tombstones: [{ key: '/k', id: '' }]
    }
    expect(encodeDelta(empty)).toEqual(hex('0a 00 12 04 0a 02 2f 6b'))
  })

  test('writes the fields in their order, elements without an id, tombstones without a value', () => {
    const delta = {
      elements: [{ key: '/a', value: utf8('1') }],
      tombstones: [{ key: '/b', id: '/ID' }],
      priority: 300n,
      dagName: 'red',
      requires: [7, 300]
    }
    const features = bytesField(100, join(varint(7), varint(300)))
    expect(encodeDelta(delta)).toEqual(
      join(put('/a', '1'), tombstone('/b', '/ID'), priority(300), dagName('red'), features)
    )
  })

  test('that failed leaves nothing behind in the next one', () => {
    const good = { ...NOTHING, elements: [{ key: '/k', value: utf8('v') }], priority: 1n }
    const before = encodeDelta(good)
    expect(() => encodeDelta({ ...good, priority: PRIORITY_MAX + 1n })).toThrow()
    expect(encodeDelta(good)).toEqual(before)
    expect(() => encodeDelta({ ...good, requires: [-1] })).toThrow()
    expect(encodeDelta(good)).toEqual(before)
  })

  test('gives bytes of their own, which the next one does not change', () => {
    const first = encodeDelta({ ...NOTHING, dagName: 'first' })
    encodeDelta({ ...NOTHING, dagName: 'other' })
    expect(first).toEqual(dagName('first'))
  })
})

describe('decoding', () => {
  test('reads no bytes as the empty delta', () => {
    expect(read()).toEqual(NOTHING)
  })

  test('keeps keys and ids as they were sent, and a key as often as it is there', () => {
    const sent = read(put('x//y/', 'a'), put('x//y/', 'b'), tombstone('..', 'any id'))
    expect(sent.elements.map(({ key, value }) => [key, value])).toEqual([
      ['x//y/', utf8('a')],
      ['x//y/', utf8('b')]
    ])
    expect(sent.tombstones).toEqual([{ key: '..', id: 'any id', value: new Uint8Array(0) }])
  })

  test('takes a known field with a wrong wire type as unknown', () => {
    const wrong = [
      varintField(1, 1),
      join(tag(1, GROUP), tag(1, GROUP_END)),
      varintField(2, 1),
      join(tag(2, FIXED64), new Uint8Array(8)),
      bytesField(3, 'x'),
      join(tag(3, FIXED32), new Uint8Array(4)),
      join(tag(3, FIXED64), new Uint8Array(8)),
      varintField(4, 1),
      join(tag(4, GROUP), tag(4, GROUP_END)),
      join(tag(100, FIXED32), new Uint8Array(4))
    ]
    for (const field of wrong) {
      expect(read(field)).toEqual(NOTHING)
      expect(read(priority(5), dagName('red'), field)).toEqual({ ...NOTHING, priority: 5n, dagName: 'red' })
    }
    const element = join(bytesField(1, '/k'), varintField(1, 9), varintField(2, 9), varintField(3, 9))
    expect(read(bytesField(1, element)).elements).toEqual([{ key: '/k', id: '', value: new Uint8Array(0) }])
  })

  test('takes the last of a scalar that is there twice', () => {
    expect(read(priority(5), priority(0)).priority).toBe(0n)
    expect(read(dagName('red'), dagName(''), dagName('blue')).dagName).toBe('blue')
    expect(read(dagName('red'), dagName('')).dagName).toBe('')
    const twice = join(
      ...[bytesField(1, '/a'), bytesField(2, 'a'), bytesField(3, 'a')],
      ...[bytesField(3, 'b'), bytesField(2, 'b'), bytesField(1, '/b')]
    )
    expect(read(bytesField(1, twice)).elements).toEqual([{ key: '/b', id: 'b', value: utf8('b') }])
  })

  test('skips unknown fields of every wire type, wherever they stand', () => {
    const unknown = [
      varintField(5, PRIORITY_MAX),
      join(tag(6, FIXED64), new Uint8Array(8)),
      join(tag(7, FIXED32), new Uint8Array(4)),
      bytesField(101, hex('ff')),
      varintField(2 ** 29 - 1, 1),
      join(tag(8, GROUP), tag(8, GROUP_END)),
      join(
        tag(8, GROUP),
        varintField(1, 1),
        tag(8, GROUP),
        bytesField(9, 'x'),
        tag(8, GROUP_END),
        tag(8, GROUP_END)
      )
    ]
    for (const field of unknown) {
      expect(read(field, put('/k', 'v'), field)).toEqual(read(put('/k', 'v')))
      const element = join(field, bytesField(1, '/k'), field, bytesField(3, 'v'), field)
      expect(read(bytesField(1, element))).toEqual(read(put('/k', 'v')))
    }
  })

  test('is strict about UTF-8 in key, id and DAG name, even where a later one replaces it', () => {
    const wrong = ['ff', 'c0 80', 'ed a0 80', 'f4 90 80 80', 'e2 82', '80', 'f8 88 80 80 80']
    for (const bytes of wrong.map(hex)) {
      refuses(bytesField(4, bytes))
      refuses(bytesField(4, bytes), dagName('red'))
      for (const field of [1, 2]) {
        refuses(bytesField(1, bytesField(field, bytes)))
        refuses(bytesField(1, join(bytesField(field, bytes), bytesField(field, '/x'))))
        refuses(bytesField(2, bytesField(field, bytes)))
      }
      expect(read(bytesField(1, bytesField(3, bytes))).elements[0]?.value).toEqual(bytes)
    }
    // A byte order mark is a character like any other, and so are the last code points.
    expect(read(dagName('\uFEFFa\u{10FFFF}\uFFFF\0')).dagName).toBe('\uFEFFa\u{10FFFF}\uFFFF\0')
  })

  test('reads a priority as an exact 64-bit number', () => {
    for (const exact of [127n, 128n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, PRIORITY_MAX])
      expect(read(priority(exact)).priority).toBe(exact)
  })

  test('accepts a varint with needless bytes, up to ten', () => {
    for (let needless = 0; needless <= 9; needless++)
      expect(read(tag(3, VARINT), varint(5, needless)).priority).toBe(5n)
    refuses(tag(3, VARINT), varint(5, 10))
    // The tag and the length may be as wasteful.
    expect(read(varint(3 * 8, 9), varint(5)).priority).toBe(5n)
    expect(read(tag(4, LENGTH), varint(3, 9), utf8('red')).dagName).toBe('red')
  })

  test('refuses a varint of more than 64 bits, known or not', () => {
    refuses(hex('18 ff ff ff ff ff ff ff ff ff 02'))
    refuses(hex('18 ff ff ff ff ff ff ff ff ff 7f'))
    refuses(hex('18 80 80 80 80 80 80 80 80 80 80 00'))
    refuses(hex('28 80 80 80 80 80 80 80 80 80 02'))
    expect(read(hex('18 ff ff ff ff ff ff ff ff ff 01')).priority).toBe(PRIORITY_MAX)
  })

  test('refuses field numbers that are 0 or beyond 2^29 - 1', () => {
    refuses(varintField(0, 1))
    refuses(varintField(2 ** 29, 1))
    refuses(bytesField(1, varintField(0, 1)))
    // Cut to 32 bits, these would be field 3 with a varint.
    refuses(varint(2n ** 32n + 24n), varint(1))
    refuses(varint(2n ** 63n + 24n), varint(1))
    refuses(varint(PRIORITY_MAX - 7n), varint(1))
    expect(read(varintField(2 ** 29 - 1, 1))).toEqual(NOTHING)
  })

  test('refuses a delta that is cut off anywhere but between its fields', () => {
    const fields = [put('/key', 'value'), tombstone('/k', '/ID'), priority(300), dagName('red')]
    const whole = join(...fields)
    let end = 0
    const ends = new Set([0, ...fields.map((field) => (end += field.length))])
    for (let cut = 0; cut < whole.length; cut++) {
      if (ends.has(cut)) expect(() => decodeDelta(whole.subarray(0, cut))).not.toThrow()
      else refuses(whole.subarray(0, cut))
    }
    for (const bytes of ['29', '29 00 00 00 00 00 00 00', '2d 00 00 00', '2a 05 00', 'a0', '0a 02 0a 01'])
      refuses(hex(bytes))
    // A length of 2^64 - 1 is no negative number.
    refuses(hex('0a ff ff ff ff ff ff ff ff ff 01'))
    refuses(hex('2a ff ff ff ff ff ff ff ff 7f'))
  })

  test('refuses reserved wire types, and groups that do not match', () => {
    refuses(tag(8, 6))
    refuses(tag(8, 7))
    refuses(tag(1, 6))
    refuses(tag(8, GROUP_END))
    refuses(tag(8, GROUP))
    refuses(tag(8, GROUP), tag(9, GROUP_END))
    refuses(tag(8, GROUP), tag(9, GROUP), tag(8, GROUP_END), tag(9, GROUP_END))
    refuses(tag(8, GROUP), tag(9, 6), tag(8, GROUP_END))
    refuses(bytesField(1, tag(8, GROUP)), tag(8, GROUP_END))
  })

  test("has protobuf-go's limits within groups, and no recursion of its own", () => {
    const inGroup = (field: Bytes): Bytes => join(tag(8, GROUP), field, tag(8, GROUP_END))
    expect(read(inGroup(varintField(2 ** 31 - 1, 1)))).toEqual(NOTHING)
    refuses(inGroup(varintField(2 ** 31, 1)))
    refuses(inGroup(varintField(0, 1)))
    const nested = (depth: number): Bytes =>
      join(new Uint8Array(depth).fill(0x43), new Uint8Array(depth).fill(0x44))
    expect(read(nested(10_001))).toEqual(NOTHING)
    refuses(nested(10_002))
    refuses(nested(1_000_000))
  })

  test('reads required features packed, one by one and mixed', () => {
    expect(read(requires(7), requires(0)).requires).toEqual([7, 0])
    expect(read(bytesField(100, join(varint(7), varint(300)))).requires).toEqual([7, 300])
    expect(read(requires(1), bytesField(100, varint(2)), requires(3)).requires).toEqual([1, 2, 3])
    expect(read(bytesField(100, '')).requires).toEqual([])
    refuses(bytesField(100, hex('07 80')))
  })

  test('cuts a required feature to 32 bits, as uint32 is, but never to none', () => {
    expect(read(varintField(100, 2n ** 32n + 7n)).requires).toEqual([7])
    expect(read(varintField(100, 2n ** 32n)).requires).toEqual([0])
  })
})
