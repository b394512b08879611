// docs/storage.md has every row of the layout, as src/storage/keys.ts spells it, and every field of a report.
import { expect, test } from 'vitest'
import { LAYOUT } from '../../src/storage/keys.ts'
import { membersOf, namesIn, read, rowsOf, sectionOf } from './tables.ts'

const page = read('docs/storage.md')

test('every row of the layout is there, and no other', () => {
  const comment = /\/\*\*[\s\S]*?\*\//.exec(read('src/storage/keys.ts'))?.[0] ?? ''
  const rows = rowsOf(comment.replace(/^ \* ?/gm, ''))
  expect(rows.length).toBeGreaterThan(10)
  const written = rowsOf(sectionOf(page, '## Rows'))
  expect(written.map((row) => row.slice(0, 2))).toEqual(rows.map((row) => row.slice(0, 2)))
})

test('the layout is the one that is written', () => {
  expect(page).toContain(`This version writes and reads **layout ${LAYOUT}**.`)
})

test('every field of a report is there', () => {
  const fields = membersOf('src/verification.ts', 'CheckReport').map(({ name }) => name)
  const named = namesIn(sectionOf(page, '## Verify and repair')).flatMap((names) => names.split(', '))
  expect(named).toEqual(fields)
})
