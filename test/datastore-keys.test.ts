// Keys of every script can be put, read, found by prefix and deleted, whatever datastore lies below. The prefix query
// of datastore-level ends at prefix + U+00FF, so rows must not be spelled with what sorts after it.
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import type { CrdtDatastore } from '../src/index.ts'
import { DATASTORES, openStore } from './storage/open-store.ts'
import { checkStore } from './storage/store-check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What comes below a common prefix. */
const NAMES = [
  ...[
    'plain',
    'MiXed',
    '0',
    '~',
    '!',
    ' ',
    ' leading space',
    'inner space',
    '\ttab',
    'line\nbreak',
    '\u0000'
  ],
  ...['%', '%25', '%2F', '100%', ':', 'a:b', ':a', '\\', '"', "'", '?', '#', '[x]', '{y}', '*', '+', '&amp;'],
  ...[
    'ÿ',
    'Ā',
    'é',
    'e\u0301',
    'ß',
    'ж',
    'Ελλάδα',
    'עברית',
    'العربية',
    'हिन्दी',
    'ไทย',
    '한국어',
    '鍵',
    '日本語'
  ],
  ...['ქართული', 'አማርኛ', '\u200d', '\ufeff', '\ufffd', '\uffff', '\u007f', '\u0080', '\u00ff\u00ff'],
  ...['😀', '👩‍👩‍👧‍👦', '𐍈', '𠜎', '\u{10ffff}', 'z😀z', '😀😁', '...', '..x', '.hidden', 'trailing.'],
  ...['key', 'key/below', 'key/below/that', 'keyed', 'x'.repeat(4096), '鍵'.repeat(1365)]
]

/** What a query of keys finds, and a query of pairs as well: they go different ways through the rows. */
async function keysUnder(store: CrdtDatastore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.queryKeys({ prefix })) keys.push(key.toString())
  const paired: string[] = []
  for await (const { key } of store.query({ prefix })) paired.push(key.toString())
  expect(paired.sort()).toEqual(keys.sort())
  return keys
}

describe.each(DATASTORES)('over $name', ({ open }) => {
  test('every name can be put, read, found by prefix and deleted', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    const keys = NAMES.map((name) => `/dir/${name}`)
    for (const key of keys) await store.put(new Key(key), encode(key))
    for (const key of keys) expect(await store.get(new Key(key)), key).toEqual(encode(key))
    expect(await keysUnder(store, '/dir/')).toEqual(keys.toSorted())
    for (const name of NAMES) {
      const points = [...name]
      for (const length of new Set([1, 2, points.length])) {
        const prefix = `/dir/${points.slice(0, length).join('')}`
        const expected = keys.filter((key) => key.startsWith(prefix)).sort()
        expect(await keysUnder(store, prefix), prefix.slice(0, 40)).toEqual(expected)
      }
    }
    await checkStore(store, datastore)
    for (const key of keys) {
      await store.delete(new Key(key))
      expect(await store.has(new Key(key)), key).toBe(false)
    }
    expect(await keysUnder(store, '')).toEqual([])
    await checkStore(store, datastore)
  })

  test('a prefix may end in half of a surrogate pair', async () => {
    const store = await openStore({ datastore: await open() })
    for (const key of ['/😀', '/😁', '/𐍈', '/a😀']) await store.put(new Key(key), encode(key))
    expect(await keysUnder(store, '/\ud83d')).toEqual(['/😀', '/😁'])
    expect(await keysUnder(store, '/a\ud83d')).toEqual(['/a😀'])
    expect(await keysUnder(store, '/\ud83d\ude00')).toEqual(['/😀'])
    expect(await keysUnder(store, '/\ude00')).toEqual([])
    expect(await keysUnder(store, '/\ud83dx')).toEqual([])
  })

  test('a prefix is startsWith on the text of the key', async () => {
    const store = await openStore({ datastore: await open() })
    for (const key of ['/a', '/ab', '/a/b', '/b']) await store.put(new Key(key), encode(key))
    expect(await keysUnder(store, '/a')).toEqual(['/a', '/a/b', '/ab'])
    expect(await keysUnder(store, '/a/')).toEqual(['/a/b'])
    expect(await keysUnder(store, '/')).toHaveLength(4)
    expect(await keysUnder(store, '')).toHaveLength(4)
    expect(await keysUnder(store, 'a')).toEqual([])
    expect(await keysUnder(store, '//')).toEqual([])
    expect(await keysUnder(store, '/a/b/c')).toEqual([])
  })

  test('any keys at all: a prefix query is a filter over the keys', async () => {
    const datastore = await open()
    const store = await openStore({ datastore })
    let run = 0
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter((text) => {
      return text.isWellFormed() && !text.includes('/') && text !== '.' && text !== '..'
    })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 8 }), fc.nat(), async (names, cut) => {
        run += 1
        const keys = names.map((text) => `/${run}/${text}`)
        const batch = store.batch()
        for (const key of keys) batch.put(new Key(key), encode(key))
        await batch.commit()
        const [first = ''] = keys
        const prefix = first.slice(0, `/${run}/`.length + (cut % (first.length - `/${run}/`.length + 1)))
        expect(await keysUnder(store, prefix)).toEqual(keys.filter((key) => key.startsWith(prefix)).sort())
      }),
      { numRuns: 50 }
    )
  })
})
