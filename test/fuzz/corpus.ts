// The corpus: for each target a file of inputs that are worth trying again, one a line: why, and the bytes in hex.
//
// What begins with `seed` comes from real encoders, what begins with `found` was the first input of its class, and
// what begins with `failed` once broke something.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hexOf } from './target.ts'

export interface Entry {
  why: string
  bytes: Uint8Array
}

const folder = fileURLToPath(new URL('./corpus/', import.meta.url))

const fileOf = (target: string): string => `${folder}${target}.txt`

export function readCorpus(target: string): Entry[] {
  if (!existsSync(fileOf(target))) return []
  return readFileSync(fileOf(target), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [hex = '', why = ''] = line.split('\t')
      return { why, bytes: new Uint8Array(Buffer.from(hex, 'hex')) }
    })
}

export function writeCorpus(target: string, entries: readonly Entry[]): void {
  mkdirSync(folder, { recursive: true })
  const unique = new Map(entries.map(({ why, bytes }) => [hexOf(bytes), why]))
  const lines = [...unique].map(([hex, why]) => `${hex}\t${why}`)
  const title = `# Inputs of the target ${target}: hex, then why it is here. Made by test/fuzz/make-corpus.ts.`
  writeFileSync(fileOf(target), `${[title, ...lines].join('\n')}\n`)
}
