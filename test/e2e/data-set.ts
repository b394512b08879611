/**
 * A real data set that every checkout has: the files of `node_modules`, one key for each, its path; the value its
 * first 4 KiB. Where these are fewer than wanted, what follows in the files are keys of their own, in smaller pieces.
 */
import { closeSync, globSync, openSync, readSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectFolder } from './build.ts'

const FIRST_BYTES = 4096
const PIECE_BYTES = 256
/** What is read of a file; enough for twenty thousand keys. */
const FILE_BYTES = 12 * 1024

export type DataSet = Map<string, Uint8Array>

/** At most so many keys, those of whole paths before those of further pieces. */
export function readDataSet(keysMax: number): DataSet {
  const firsts: DataSet = new Map()
  const further: DataSet = new Map()
  const files = globSync('node_modules/**', { cwd: projectFolder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files.slice(0, keysMax)) {
    const key = `/${file.slice(projectFolder.length).replaceAll('\\', '/')}`
    const bytes = readStart(file)
    firsts.set(key, bytes.subarray(0, FIRST_BYTES))
    for (let start = FIRST_BYTES; start < bytes.length; start += PIECE_BYTES) {
      further.set(`${key}#${start}`, bytes.subarray(start, start + PIECE_BYTES))
    }
  }
  return new Map([...firsts, ...[...further].slice(0, keysMax - firsts.size)])
}

function readStart(file: string): Uint8Array {
  const handle = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(FILE_BYTES)
    return buffer.subarray(0, readSync(handle, buffer, 0, FILE_BYTES, 0))
  } finally {
    closeSync(handle)
  }
}

/** As lines that the peer's `load` reads. */
export async function writeDataSet(file: string, entries: Iterable<[string, Uint8Array]>): Promise<void> {
  const lines: string[] = []
  for (const [key, bytes] of entries) {
    lines.push(`${JSON.stringify({ key, value: { base64: Buffer.from(bytes).toString('base64') } })}\n`)
  }
  await writeFile(file, lines.join(''))
}
