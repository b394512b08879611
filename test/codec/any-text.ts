// A generator of well-formed text with characters of every length in UTF-8, much quicker to set up than fast-check's
// own over all of Unicode.
import fc from 'fast-check'

const codePoint = fc.oneof(
  fc.nat({ max: 0x7f }),
  fc.integer({ min: 0x80, max: 0x7ff }),
  fc.integer({ min: 0x800, max: 0xd7ff }),
  fc.constantFrom(
    0,
    0x2f,
    0x7f,
    0x80,
    0x7ff,
    0x800,
    0xd7ff,
    0xe000,
    0xfeff,
    0xfffd,
    0xffff,
    0x10000,
    0x10ffff
  ),
  fc.integer({ min: 0x10000, max: 0x10ffff })
)

export function anyText(lengthMax: number): fc.Arbitrary<string> {
  return fc.array(codePoint, { maxLength: lengthMax }).map((points) => String.fromCodePoint(...points))
}
