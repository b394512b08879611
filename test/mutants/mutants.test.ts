// The mutants are faults in the source as it is today: each still applies, and what it makes of it is a program.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { applyEdit, mutatedFiles } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { namesOnPage } from './results.ts'

const read = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../src/${file}`, import.meta.url)), 'utf8')

describe('the mutants', () => {
  test('are many, and each has a name of its own', () => {
    const names = MUTANTS.map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(25)
    expect(new Set(names).size).toBe(names.length)
  })

  test('are those of docs/testing.md: `npm run mutants -- --docs` writes the table', () => {
    expect(namesOnPage()).toEqual(MUTANTS.map(({ name }) => name))
  })

  test.each(MUTANTS)('$name applies to the source, once, and leaves a program', async (mutant) => {
    for (const [file, mutated] of mutatedFiles(mutant, read)) {
      expect(mutated).not.toBe(read(file))
      await transform(mutated, { loader: 'ts' })
    }
  })

  test.each(MUTANTS)('$name names tests that are there', ({ likely }) => {
    for (const file of likely) expect(read(`../test/${file}`)).toContain('test')
  })
})

describe('an edit', () => {
  const edit = { file: 'file.ts', search: 'if (a) return run(b, c)', replace: 'return' }

  test('finds its text however it is broken into lines', () => {
    expect(applyEdit('x\nif (a)\n  return run(\n    b,\n    c\n  )\ny', edit)).toBe('x\nreturn\ny')
  })

  test('whose text is not there, or twice, is an error', () => {
    const error = expect.objectContaining({ name: 'MutantDoesNotApplyError' })
    expect(() => applyEdit('if (a) return run(b, d)', edit)).toThrow(error)
    expect(() => applyEdit('if (a) return run(b, c); if (a) return run(b, c)', edit)).toThrow(error)
  })

  test('does not take a part of a word for the word', () => {
    expect(() => applyEdit('elsif (a) return run(b, c)', edit)).toThrow()
    expect(() => applyEdit('if (a) returnrun(b, c)', edit)).toThrow()
  })
})
