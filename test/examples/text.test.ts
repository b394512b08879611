// Keys and values on one line of the example peer: what is printed can be typed back.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseValue, showKey, showValue, splitWord, UsageError } from '../../examples/peer/text.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('values', () => {
  test('are plain text where they can be', () => {
    expect(showValue(bytes('two words'))).toBe('two words')
    expect(showValue(bytes('鍵 🔑'))).toBe('鍵 🔑')
    expect(showValue(bytes('say "hello"'))).toBe('say "hello"')
  })

  test('are a JSON string where a line could not hold them, or they would be read as something else', () => {
    expect(showValue(bytes(''))).toBe('""')
    expect(showValue(bytes(' x'))).toBe('" x"')
    expect(showValue(bytes('two\nlines'))).toBe('"two\\nlines"')
    expect(showValue(bytes('"quoted"'))).toBe('"\\"quoted\\""')
    expect(showValue(bytes('base64:AP8='))).toBe('"base64:AP8="')
    expect(showValue(bytes('\u001b[2J \u009b\u007f\u2028'))).toBe('"\\u001b[2J \\u009b\\u007f\\u2028"')
  })

  test('are base64 where they are no text', () => {
    expect(showValue(Uint8Array.of(0, 255))).toBe('base64:AP8=')
    expect(showValue(Uint8Array.of(0xef, 0xbb, 0xbf, 65))).not.toBe('A')
  })

  test('of any bytes can be typed back, as one line without control characters', () => {
    const anything = fc.oneof(fc.uint8Array(), fc.string({ unit: 'binary' }).map(bytes))
    fc.assert(
      fc.property(anything, (value) => {
        const shown = showValue(value)
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(shown).toBe(shown.trim())
        expect(new Uint8Array(parseValue(shown))).toEqual(value)
      })
    )
  })

  test.each(['"open', '"a" b', '"a', 'base64:?', 'base64:AP8'])('that are none are refused: %s', (text) => {
    expect(() => parseValue(text)).toThrow(UsageError)
  })
})

describe('keys', () => {
  test('are one word, and any key can be typed back', () => {
    expect(showKey('/a/b')).toBe('/a/b')
    expect(showKey('/a b')).toBe('"/a b"')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (key, rest) => {
        expect(splitWord(`${showKey(key)} ${rest}`)).toEqual([key, rest.trim()])
      })
    )
  })

  test('that begin with a quote and do not end with it are refused', () => {
    expect(() => splitWord('"/a b')).toThrow(UsageError)
    expect(() => splitWord('"/a"b')).toThrow(UsageError)
  })
})
