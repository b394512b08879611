// Loading a file into the example peer, whatever the file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { load } from '../../examples/peer/load.ts'
import { type CrdtDatastore, createCrdtDatastore } from '../../src/index.ts'

let folder: string
let store: CrdtDatastore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'datastore-crdt-'))
  store = await createCrdtDatastore({ datastore: new MemoryDatastore() })
})

afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

const entry = (key: string, value = '') => JSON.stringify({ key, value })

async function loadLines(
  text: string | Uint8Array,
  { batchKeys = 500, signal = new AbortController().signal } = {}
) {
  const file = join(folder, 'entries.ndjson')
  await writeFile(file, text)
  const badLines: number[] = []
  const loaded = await load(store, {
    ...{ file, batchKeys, signal },
    onProgress: () => {},
    onBadLine: (line) => badLines.push(line)
  })
  expect(loaded.badLines).toBe(badLines.length)
  return { keys: loaded.keys, badLines }
}

describe('load', () => {
  test('writes so many keys in a batch, and the rest at the end', async () => {
    const lines = Array.from({ length: 25 }, (_, index) => `${entry(`/${index}`)}\n`)
    expect(await loadLines(lines.join(''), { batchKeys: 10 })).toEqual({ keys: 25, badLines: [] })
    expect(await store.stats()).toMatchObject({ keys: 25, nodes: 3 })
  })

  test('leaves out bad lines and goes on', async () => {
    const lines = ['{', '[]', 'null', '"text"', '{"key":1,"value":""}', entry('/'), entry('/good')]
    lines.push('{"key":"/a","value":{"base64":"?"}}', '{"key":"/a","value":null}', '{"key":"/a","value":7}')
    expect(await loadLines(lines.join('\n'))).toEqual({ keys: 1, badLines: [1, 2, 3, 4, 5, 6, 8, 9, 10] })
    expect(await store.has(new Key('/good'))).toBe(true)
  })

  test('leaves out a line that would not fit into memory, and reads the next', async () => {
    const lines = [
      entry('/a'),
      'x'.repeat(9 * 1024 * 1024),
      entry('/b'),
      entry('/c', 'x'.repeat(2 * 1024 * 1024))
    ]
    expect(await loadLines(lines.join('\n'))).toEqual({ keys: 2, badLines: [2, 4] })
  })

  test('takes empty files, empty lines, line ends of Windows and a last line without one', async () => {
    expect(await loadLines('')).toEqual({ keys: 0, badLines: [] })
    expect(await loadLines(`\r\n${entry('/a')}\r\n\n${entry('/b')}`)).toEqual({ keys: 2, badLines: [] })
  })

  test('ends at once when it is told to', async () => {
    const controller = new AbortController()
    controller.abort()
    await expect(loadLines(entry('/a'), { signal: controller.signal })).rejects.toThrow(/abort/i)
    expect(await store.stats()).toMatchObject({ keys: 0 })
  })
})
