// Links of the documentation lead to files and headings that are there.
import { existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { read, root } from './tables.ts'

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'bench/README.md',
  ...globSync('docs/*.md', { cwd: root })
]

test.each(pages)('every link of %s leads somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\(((?!\w+:)[^)\s]+)\)/g)].map(([, link]) => link as string)
  expect(links.filter((link) => !leadsSomewhere(page, link))).toEqual([])
})

test('every page is in the index', () => {
  const index = read('docs/README.md')
  const names = globSync('docs/*.md', { cwd: root }).map((page) => page.slice('docs/'.length))
  expect(names.filter((name) => name !== 'README.md' && !index.includes(`](${name})`))).toEqual([])
})

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const file = path === '' ? page : join(dirname(page), path)
  if (!existsSync(join(root, file))) return false
  return heading === undefined || anchorsOf(read(file)).includes(heading)
}

/** What headings are called in links: as GitHub makes it of their text. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- ]/gu, '')
      .replaceAll(' ', '-')
  )
}
