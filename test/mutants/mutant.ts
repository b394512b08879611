// What a mutant is: a named fault, put into the source by replacing exact text.
//
// Invariants: text is compared token by token, so that a formatter's line breaks do not lose a mutant; text that is not
// found exactly once is an error, because a mutant that breaks nothing proves nothing.

/** One replacement. Longer search texts are used to say where; what of them stays is written again. */
export interface Edit {
  /** Below `src`. */
  file: string
  search: string
  replace: string
}

export interface Mutant {
  name: string
  /** The guarantee or the rule that does not hold any more, in one sentence. */
  breaks: string
  edits: readonly [Edit, ...Edit[]]
  /** Test files that are likely to see it and quick, relative to `test`: they run before all others. */
  likely: readonly string[]
}

/** The text of a mutant does not stand in the source exactly once. */
export class MutantDoesNotApplyError extends Error {
  override name = 'MutantDoesNotApplyError'
}

/**
 * The source after one replacement.
 *
 * @throws MutantDoesNotApplyError
 */
export function applyEdit(source: string, { file, search, replace }: Edit): string {
  const found = [...source.matchAll(patternOf(search))]
  const [only] = found
  if (only === undefined || found.length > 1) {
    throw new MutantDoesNotApplyError(`${file} has this ${found.length} times and not once: ${search}`)
  }
  return source.slice(0, only.index) + replace + source.slice(only.index + only[0].length)
}

/** Words and single signs. White space between them is free, but where it keeps two words apart. */
const TOKEN = /[\w$]+|[^\s\w$]/g
const WORD = /^[\w$]/

function patternOf(search: string): RegExp {
  const tokens = search.match(TOKEN) ?? []
  const [first = '', last = ''] = [tokens[0], tokens.at(-1)]
  let pattern = WORD.test(first) ? '(?<![\\w$])' : ''
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1]
    if (before !== undefined) pattern += WORD.test(before) && WORD.test(token) ? '\\s+' : '\\s*'
    pattern += token.replace(/[^\w]/g, '\\$&')
  }
  return new RegExp(WORD.test(last) ? `${pattern}(?![\\w$])` : pattern, 'g')
}

/** The files that a mutant changes, with their new text. */
export function mutatedFiles(mutant: Mutant, read: (file: string) => string): Map<string, string> {
  const files = new Map<string, string>()
  for (const edit of mutant.edits) {
    files.set(edit.file, applyEdit(files.get(edit.file) ?? read(edit.file), edit))
  }
  return files
}

/** What most mutants are: one replacement in one file. */
export function mutant(
  name: string,
  breaks: string,
  file: string,
  [search, replace]: readonly [search: string, replace: string],
  likely: readonly string[]
): Mutant {
  return { name, breaks, edits: [{ file, search, replace }], likely }
}
