import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockIdFromDigest, digestFromBlockId } from '../../src/codec/block-id.ts'
import { WireReader } from '../../src/codec/wire-reader.ts'
import { WireWriter } from '../../src/codec/wire-writer.ts'

const anyText = fc.string({ unit: 'binary' })

describe('what is written is read again', () => {
  test('numbers up to the greatest that is exact', () => {
    const writer = new WireWriter()
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(new WireReader(writer.number(value).finish()).safeInteger()).toBe(value)
      })
    )
  })

  test('the whole range of uint64', () => {
    const writer = new WireWriter()
    const edges = fc.constantFrom(0n, 127n, 128n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n)
    fc.assert(
      fc.property(fc.oneof(edges, fc.bigInt(0n, 2n ** 64n - 1n)), (value) => {
        expect(new WireReader(writer.uint64(value).finish()).uint64()).toBe(value)
      })
    )
  })

  test('texts of every script, and bytes', () => {
    const writer = new WireWriter()
    fc.assert(
      fc.property(anyText, fc.uint8Array(), anyText, (text, bytes, last) => {
        const reader = new WireReader(writer.string(text).bytes(bytes).text(last).finish())
        expect(reader.string()).toBe(text)
        expect([...reader.bytes()]).toEqual([...bytes])
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(reader.rest())).toBe(last)
      })
    )
  })

  test('the digest of an id', () => {
    const digest = Uint8Array.from({ length: 32 }, (_, index) => 255 - 7 * index)
    const written = new WireWriter().number(5).digest(blockIdFromDigest(digest)).finish()
    expect([...written]).toEqual([5, ...digest])
    expect([...digestFromBlockId(blockIdFromDigest(digest))]).toEqual([...digest])
  })
})

test('what was written before stays what it was, over any number of chunks', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat({ max: 9000 }), { maxLength: 6 }), { maxLength: 12 }), (rows) => {
      const writer = new WireWriter()
      const written = rows.map((lengths, row) => {
        for (const length of lengths) writer.raw(new Uint8Array(length).fill(row + 1))
        return writer.finish()
      })
      for (const [row, lengths] of rows.entries()) {
        const length = lengths.reduce((sum, one) => sum + one, 0)
        expect(written[row]).toEqual(new Uint8Array(length).fill(row + 1))
      }
    })
  )
})

test('what was begun and discarded stands in nothing that follows', () => {
  const writer = new WireWriter()
  writer.text('begun')
  expect(() => writer.number(-1)).toThrow(RangeError)
  writer.discard()
  expect([...writer.number(7).finish()]).toEqual([7])
})

test.each([-1, 0.5, 2 ** 53, Number.NaN])('%s is refused as a varint', (value) => {
  expect(() => new WireWriter().number(value)).toThrow(RangeError)
})

test.each([-1n, 2n ** 64n])('%s is refused as a uint64', (value) => {
  expect(() => new WireWriter().uint64(value)).toThrow(RangeError)
})
