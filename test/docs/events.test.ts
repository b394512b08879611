// docs/events.md has every event with every field of its detail, and every option of `watch`.
import { expect, test } from 'vitest'
import { membersOf, namesIn, read, sectionOf } from './tables.ts'

const page = read('docs/events.md')
const source = read('src/events.ts')

const body = source.slice(source.indexOf('export interface CrdtDatastoreEvents'))
const details = [...body.matchAll(/^ {2}'?([\w:-]+)'?: CustomEvent<(\w+)>/gm)].map(
  ([, event, detail]) => [event as string, detail as string] as const
)

test('the source was read: the events are there', () => {
  const names = details.map(([event]) => event)
  expect(names).toEqual(expect.arrayContaining(['change', 'sync:start', 'invalid-block', 'divergence']))
  expect(membersOf('src/events.ts', 'CrdtDatastoreEvents').map(({ name }) => name)).toEqual(names)
})

test.each(details)('%s has a section with the fields of %s', (event, detail) => {
  const fields = membersOf('src/events.ts', detail).map(({ name }) => name)
  expect(fields.length).toBeGreaterThan(0)
  expect(namesIn(sectionOf(page, `## \`${event}\``))).toEqual(fields)
})

test('no section is about an event that there is not', () => {
  const sections = [...page.matchAll(/^## `([\w:-]+)`$/gm)].map(([, name]) => name)
  expect(sections).toEqual([...details.map(([event]) => event), 'watch'])
})

test('every option of watch has its row', () => {
  const options = membersOf('src/watch.ts', 'WatchOptions').map(({ name }) => name)
  expect(namesIn(sectionOf(page, '## `watch`'))).toEqual([...options, 'signal'])
})
