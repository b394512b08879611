// Tables of the documentation, and what they are held against: doc comments of interfaces and object literals.
//
// Members are found by regular expressions on formatted code: Biome puts every member and its comment at the same depth.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** A member of an interface or of an object literal. */
export interface Member {
  name: string
  /** Its comment in one line, without tags. */
  doc: string
  /** What `@default` says. */
  default: string | undefined
}

/** The direct members of `interface name` or `const name = {` in a source file. */
export function membersOf(path: string, name: string): Member[] {
  const code = read(path)
  const start = new RegExp(`(?:interface|const) ${name}\\b[^\\n]*\\{\\n`).exec(code)
  if (start === null) throw new TypeError(`${path} has no ${name}`)
  const body = code.slice(start.index + start[0].length)
  const end = body.search(/^\}/m)
  const member = /(?:^ {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^ {2}(?:readonly )?('[\w:-]+'|\w+)\??[:(]/gm
  return [...body.slice(0, end).matchAll(member)].map(([, comment = '', quoted = '']) => {
    const text = comment.replace(/^ *\* ?/gm, '').trim()
    const [doc = '', given] = text.split('@default ')
    return {
      name: quoted.replaceAll("'", ''),
      doc: doc.replace(/\s+/g, ' ').trim(),
      default: given?.replace(/\s+/g, ' ').trim()
    }
  })
}

/** The cells of every table row of a text, headings and rules left out, trimmed. */
export function rowsOf(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'))
  return lines
    .filter((line, index) => !isRule(line) && !isRule(lines[index + 1] ?? ''))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim())
    )
}

function isRule(line: string): boolean {
  return /^\|[ |:-]+\|$/.test(line)
}

/** The part of a page below a heading, up to the next heading of the same or a higher level. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split('\n')
  const start = lines.indexOf(heading)
  if (start === -1) throw new TypeError(`There is no ${heading}`)
  const level = heading.indexOf(' ')
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** What the first column names, without the marks of code. */
export function namesIn(markdown: string): string[] {
  return rowsOf(markdown).map(([name = '']) => name.replaceAll('`', ''))
}

/** A cell as it has to be written in a table. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
