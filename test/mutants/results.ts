// What came of the mutants, as lines, as JSON and as the table of docs/testing.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutant.ts'

export interface Result {
  mutant: Mutant
  /** Absent where it survived. */
  caught?: { layer: string; by: string }
  /** It could not be tried. */
  error?: string
  seconds: number
}

export function lineOf({ mutant, caught, error, seconds }: Result): string {
  const verdict = error !== undefined ? 'ERROR   ' : caught === undefined ? 'SURVIVED' : 'caught  '
  return `${verdict} ${mutant.name} (${seconds} s) ${error ?? caught?.by ?? mutant.breaks}`
}

export function writeJson(file: string, results: readonly Result[]): void {
  const rows = results.map(({ mutant: { name, breaks }, ...result }) => ({ name, breaks, ...result }))
  writeFileSync(file, `${JSON.stringify(rows, undefined, 2)}\n`)
}

const page = fileURLToPath(new URL('../../docs/testing.md', import.meta.url))
const TABLE = /^\| mutant \|.*(?:\n\|.*)*/m

/** Puts the results of a whole run in the place of those that the page has. */
export function writePage(results: readonly Result[]): void {
  const rows = results.map(({ mutant, caught, error }) => [
    `\`${mutant.name}\``,
    mutant.breaks,
    caught?.by ?? error ?? '**survived**'
  ])
  const cells = [['mutant', 'what it breaks', 'caught by'], ['---', '---', '---'], ...rows]
  const table = cells.map((row) => `| ${row.map(cellOf).join(' | ')} |`).join('\n')
  writeFileSync(
    page,
    readFileSync(page, 'utf8').replace(TABLE, () => table)
  )
}

/** The names of the mutants that the page has results of. */
export function namesOnPage(): string[] {
  const [table = ''] = readFileSync(page, 'utf8').match(TABLE) ?? []
  return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name as string)
}

/** A cell has no line breaks and no bar of its own. */
function cellOf(text: string): string {
  return text.replace(/[\n|]+/g, ' ').trim()
}
