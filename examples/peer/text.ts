/**
 * Keys and values as text on one line.
 *
 * Invariants: what is printed can be typed back and gives the same bytes; nothing that is printed holds a line
 * break, a tab or another control character, whatever a peer wrote.
 */

/** What was typed cannot be understood. */
export class UsageError extends Error {
  override name = 'UsageError'
}

const BASE64 = 'base64:'
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A key as it is, or as a JSON string where it contains space, quotes or control characters. */
export function showKey(key: string): string {
  return /^[^\s"\p{Cc}]+$/u.test(key) ? key : quote(key)
}

/** A value as it is where it is plain text, as a JSON string where it is other text, else as `base64:` and that. */
export function showValue(value: Uint8Array): string {
  let text: string
  try {
    text = utf8.decode(value)
  } catch {
    return BASE64 + Buffer.from(value).toString('base64')
  }
  const isPlain = text !== '' && text === text.trim() && !/^"|^base64:|[\p{Cc}\u2028\u2029]/u.test(text)
  return isPlain ? text : quote(text)
}

/** The inverse of `showValue`. */
export function parseValue(text: string): Uint8Array {
  if (text.startsWith(BASE64)) return parseBase64(text.slice(BASE64.length))
  return Buffer.from(text.startsWith('"') ? unquote(text) : text)
}

export function parseBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new UsageError('The value is not base64 with its padding')
  return bytes
}

/** The first word, which may be a JSON string, and what follows it. */
export function splitWord(text: string): [word: string, rest: string] {
  const [, word = '', rest = ''] = /^\s*("(?:[^"\\]|\\.)*"(?=\s|$)|\S*)\s*(.*?)\s*$/su.exec(text) ?? []
  return [word.startsWith('"') ? unquote(word) : word, rest]
}

/** JSON leaves some control characters and line separators as they are. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

function unquote(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string') return value
  } catch {
    // Said below, without the parser's inner life.
  }
  throw new UsageError(`${text} begins with a quote, but is no JSON string`)
}
