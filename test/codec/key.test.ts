// Canonical keys: Go's `path.Clean("/" + key)`, and which keys are refused.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalKey, checkedKey } from '../../src/codec/key.ts'
import { InvalidKeyError } from '../../src/errors.ts'
import { anyText } from './any-text.ts'

const rewrite = (path: string, rules: Array<[RegExp, string]>): string => {
  for (let before = ''; before !== path; ) {
    before = path
    for (const [pattern, replacement] of rules) path = path.replace(pattern, replacement)
  }
  return path
}

const INNER_RULES: Array<[RegExp, string]> = [
  [/\/\/+/, '/'],
  [/\/\.(?=\/|$)/, ''],
  [/\/(?!\.\.?(?:\/|$))[^/]+\/\.\.(?=\/|$)/, ''],
  [/\/$/, '']
]

/** The rules that Go documents for `path.Clean` of a rooted path, each applied until none applies any more. */
const pathClean = (path: string): string => rewrite(path, [...INNER_RULES, [/^\/\.\.(?=\/|$)/, '']]) || '/'

/** Whether a key goes above the root at some point: what remains of it without the rule for rooted paths. */
const climbs = (key: string): boolean => /^\/\.\.(?:\/|$)/.test(rewrite(`/${key}`, INNER_RULES))

const anyKey = fc.oneof(
  fc
    .array(fc.constantFrom('/', '//', '.', '..', '...', 'a', 'b', '..a', ' ', '\n', '\uFEFF', 'é', '😀'), {
      maxLength: 12
    })
    .map((parts) => parts.join('')),
  fc.array(fc.constantFrom('', '.', '..', 'a', 'b.', '\n'), { maxLength: 8 }).map((names) => names.join('/')),
  anyText(12)
)

describe('canonical keys', () => {
  test('are as they were seen in Go', () => {
    const seen = {
      '/a//b': '/a/b',
      y: '/y',
      '/a/../b': '/b',
      '/t/': '/t',
      '//a': '/a',
      './a': '/a',
      '/a/./b': '/a/b',
      '/a/b/..': '/a',
      '/...': '/...',
      '/..a': '/..a',
      '/ ': '/ ',
      '/a\\b': '/a\\b',
      '/\0': '/\0',
      '/%2e%2e': '/%2e%2e',
      '/a\n/': '/a\n',
      '\uFEFF': '/\uFEFF'
    }
    for (const [key, canonical] of Object.entries(seen)) expect(canonicalKey(key)).toBe(canonical)
  })

  test('are none for the root, and for keys that climb above it even for a moment', () => {
    const none = ['', '/', '//', '.', '/.', './', '/a/..', '..', '/..', '../a', '/../../x', '/a/../../a']
    for (const key of none) expect(canonicalKey(key)).toBeUndefined()
  })

  test('equal path.Clean of the rooted key, but for those that are none', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const clean = pathClean(`/${key}`)
        expect(canonicalKey(key)).toBe(clean === '/' || climbs(key) ? undefined : clean)
      }),
      { numRuns: 3000 }
    )
  })

  test('stay as they are', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const canonical = canonicalKey(key)
        if (canonical !== undefined) expect(canonicalKey(canonical)).toBe(canonical)
      })
    )
  })

  test('are not normalised as Unicode', () => {
    expect(canonicalKey('/\u00e9')).not.toBe(canonicalKey('/e\u0301'))
  })
})

describe('checked keys', () => {
  test('are canonical', () => {
    expect(checkedKey('/a/../b//c/', 100)).toBe('/b/c')
  })

  test('refuse by name the root, a climb above it, and a lone surrogate', () => {
    for (const key of ['', '/', '/..', '/../a', '/a/../..', '/\uD800', '/\uDC00a', '/😀\uD83D'])
      expect(() => checkedKey(key, 100)).toThrow(InvalidKeyError)
    expect(checkedKey('/😀', 100)).toBe('/😀')
  })

  test('are limited in bytes of UTF-8, not in characters', () => {
    expect(checkedKey('/é', 3)).toBe('/é')
    expect(() => checkedKey('/éa', 3)).toThrow(InvalidKeyError)
    expect(checkedKey('/a/../éa', 4)).toBe('/éa')
  })
})
