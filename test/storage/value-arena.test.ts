// Values share chunks, and stay what they are whatever stands beside them.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ValueArena } from '../../src/storage/value-arena.ts'

const BYTES_MAX = 64 * 1024
const ROWS = ['/a', '/b', '/c', '/d', '/e']

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What is put under which row, and undefined for no value. */
const puts = fc.array(
  fc.tuple(fc.constantFrom(...ROWS), fc.option(fc.uint8Array({ maxLength: 5000 }), { nil: undefined })),
  { maxLength: 100 }
)

describe('an arena of values', () => {
  test('has no room for what would be too much, and keeps what it has', () => {
    const arena = new ValueArena(BYTES_MAX)
    expect(arena.put('/a', bytesOf('here'))).toBe(true)
    expect(arena.put('/b', new Uint8Array(BYTES_MAX))).toBe(false)
    expect(arena.put('/a', new Uint8Array(BYTES_MAX))).toBe(false)
    expect(arena.get('/b')).toBeUndefined()
    expect(arena.get('/a')).toEqual(bytesOf('here'))
  })

  test('gives what was put last under each row, and takes no more than it may', () => {
    fc.assert(
      fc.property(puts, (operations) => {
        const arena = new ValueArena(BYTES_MAX)
        const expected = new Map<string, Uint8Array | null>()
        for (const [row, value] of operations) {
          const { bytes } = arena
          if (arena.put(row, value)) expected.set(row, value ?? null)
          else expect(arena.bytes).toBe(bytes)
          expect(arena.bytes).toBeLessThanOrEqual(BYTES_MAX)
        }
        for (const row of ROWS) {
          expect(arena.get(row)).toEqual(expected.get(row))
          expect(arena.size(row)).toBe(expected.get(row)?.length ?? expected.get(row))
        }
      })
    )
  })

  test('keeps copies, and gives copies', () => {
    const arena = new ValueArena(BYTES_MAX)
    const given = bytesOf('right')
    arena.put('/a', given)
    given.fill(0)
    arena.get('/a')?.fill(0)
    expect(arena.get('/a')).toEqual(bytesOf('right'))
  })

  test('grows by nothing where a value is written over by one that is no longer', () => {
    const arena = new ValueArena(BYTES_MAX)
    arena.put('/a', bytesOf('12345'))
    const { bytes } = arena
    for (const text of ['54321', '123', 'abc', '']) arena.put('/a', bytesOf(text))
    expect(arena.bytes).toBe(bytes)
    expect(arena.get('/a')).toEqual(bytesOf(''))
  })

  test('keeps a value that is longer than its chunks', () => {
    const arena = new ValueArena(1_000_000)
    const long = new Uint8Array(300_000).fill(7)
    arena.put('/a', bytesOf('short'))
    arena.put('/long', long)
    arena.put('/b', bytesOf('behind it'))
    expect(arena.get('/long')).toEqual(long)
    expect(arena.get('/a')).toEqual(bytesOf('short'))
    expect(arena.get('/b')).toEqual(bytesOf('behind it'))
  })

  test('knows nothing of what was dropped', () => {
    const arena = new ValueArena(BYTES_MAX)
    arena.put('/a', bytesOf('here'))
    arena.drop('/a')
    expect(arena.get('/a')).toBeUndefined()
    expect(arena.has('/a')).toBe(false)
  })
})
