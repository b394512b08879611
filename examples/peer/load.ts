/**
 * Loads a file of keys and values: one JSON object on each line, `{"key": "/a", "value": "text"}` or
 * `{"key": "/a", "value": {"base64": "AAEC"}}`.
 *
 * Invariants: lines are read as they are written to the store, so that memory is bounded by one batch and one line,
 * however large the file; a bad line is reported by its number and left out, and all others are loaded.
 */
import { createReadStream } from 'node:fs'
import type { CrdtDatastore } from 'datastore-crdt'
import { type Batch, Key } from 'interface-datastore'
import { parseBase64 } from './text.ts'

const BATCH_BYTES_MAX = 1024 * 1024
const LINE_BYTES_MAX = 8 * 1024 * 1024
const PROGRESS_MS = 1000

export interface LoadInit {
  file: string
  /** Keys that are written, and replicated, together. */
  batchKeys: number
  signal: AbortSignal
  onProgress(keys: number): void
  onBadLine(line: number, error: Error): void
}

export interface Loaded {
  keys: number
  badLines: number
}

/** @throws the error of the file or of the store; what was loaded before stays. */
export async function load(store: CrdtDatastore, init: LoadInit): Promise<Loaded> {
  const { batchKeys, signal, onProgress, onBadLine } = init
  const loaded: Loaded = { keys: 0, badLines: 0 }
  let batch: Batch = store.batch()
  let waiting = 0
  let bytes = 0
  let line = 0
  let nextProgress = performance.now() + PROGRESS_MS
  const commit = async (): Promise<void> => {
    await batch.commit({ signal })
    loaded.keys += waiting
    batch = store.batch()
    waiting = bytes = 0
    if (performance.now() < nextProgress) return
    onProgress(loaded.keys)
    nextProgress = performance.now() + PROGRESS_MS
  }
  for await (const text of linesOf(init.file, signal)) {
    line++
    try {
      if (text === undefined) throw new RangeError(`The line has more than ${LINE_BYTES_MAX} bytes`)
      if (text.trim() === '') continue
      const { key, value } = parseEntry(text)
      batch.put(key, value)
      waiting++
      bytes += value.length
    } catch (error) {
      loaded.badLines++
      onBadLine(line, error as Error)
    }
    if (waiting >= batchKeys || bytes >= BATCH_BYTES_MAX) await commit()
  }
  if (waiting > 0) await commit()
  return loaded
}

function parseEntry(text: string): { key: Key; value: Uint8Array } {
  const { key, value } = (JSON.parse(text) ?? {}) as { key?: unknown; value?: unknown }
  if (typeof key !== 'string') throw new TypeError('There is no "key" that is a text')
  if (typeof value === 'string') return { key: new Key(key), value: Buffer.from(value) }
  const base64 = (value as { base64?: unknown } | null | undefined)?.base64
  if (typeof base64 === 'string') return { key: new Key(key), value: parseBase64(base64) }
  throw new TypeError('There is no "value" that is a text or {"base64": ...}')
}

/** The lines of a file, and undefined in place of one that is too long. */
async function* linesOf(file: string, signal: AbortSignal): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = []
  let length = 0
  const add = (part: Buffer): void => {
    length += part.length
    if (length <= LINE_BYTES_MAX) parts.push(part)
    else parts = []
  }
  const take = (): string | undefined => {
    const line = length > LINE_BYTES_MAX ? undefined : Buffer.concat(parts).toString()
    parts = []
    length = 0
    return line
  }
  for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      add(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    add(chunk.subarray(start))
  }
  if (length > 0) yield take()
}
