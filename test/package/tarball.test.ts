// The tarball holds what a user needs and no more.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import { installed, packageFolder } from './installed.ts'

const TARBALL_BYTES_MAX = 900_000

const TOP_LEVEL = [
  'CHANGELOG.md',
  'LICENSE',
  'LICENSE-APACHE',
  'LICENSE-MIT',
  'README.md',
  'dist',
  'docs',
  'package.json',
  'src'
]

/** Debuggers and editors show the sources, so these are packed: TypeScript, and the messages that the docs tell of. */
const ALLOWED = /^(dist\/src\/.+\.(js|d\.ts)(\.map)?|src\/.+\.(ts|proto)|docs\/.+\.(md|svg)|[^/]+)$/

/** What the README shows to those who have the repository. */
const REPOSITORY_ONLY = /^(bench\/|examples\/|CONTRIBUTING\.md)/

const packed = (path: string) => installed().files.includes(path)

/** A file of the package, as it was installed. */
const read = (path: string) => readFileSync(join(packageFolder(), path), 'utf8')

const filesWith = (pattern: RegExp) => installed().files.filter((path) => pattern.test(path))

test('the top level holds nothing unexpected', () => {
  expect([...new Set(installed().files.map((path) => path.split('/')[0]))].sort()).toEqual(TOP_LEVEL)
})

test('folders hold code, its types, its maps, its sources and docs', () => {
  expect(installed().files.filter((path) => !ALLOWED.test(path))).toEqual([])
  expect(filesWith(/\b(test|tests|bench|fixtures)\b|\.(test|spec)\./)).toEqual([])
})

test('every source is there with its code, its types and their maps, and nothing is there without its source', () => {
  const built = filesWith(/^src\/.+\.ts$/).flatMap((source) => {
    const base = `dist/${source.slice(0, -'.ts'.length)}`
    return [`${base}.js`, `${base}.js.map`, `${base}.d.ts`, `${base}.d.ts.map`]
  })
  expect(built.length).toBeGreaterThan(0)
  // Also when dist is older than src.
  expect({
    missing: built.filter((path) => !packed(path)),
    withoutSource: filesWith(/^dist\//).filter((path) => !built.includes(path))
  }).toEqual({ missing: [], withoutSource: [] })
})

test('code and types name their maps, and maps name sources that are there', () => {
  for (const file of filesWith(/^dist\/.+\.(js|d\.ts)$/)) {
    expect(/\n\/\/# sourceMappingURL=(.+)\s*$/.exec(read(file))?.[1], file).toBe(
      `${posix.basename(file)}.map`
    )
    const { sourceRoot = '', sources } = JSON.parse(read(`${file}.map`)) as {
      sourceRoot?: string
      sources: string[]
    }
    const paths = sources.map((source) => posix.join(posix.dirname(file), sourceRoot, source))
    expect(paths.length, file).toBeGreaterThan(0)
    expect(
      paths.filter((path) => !packed(path) || !path.startsWith('src/')),
      file
    ).toEqual([])
  }
})

test('links in the docs lead to files that are there', () => {
  for (const file of filesWith(/\.md$/)) {
    const links = [...read(file).matchAll(/\]\(((?!\w+:)[^)#\s]+)/g)].map(([, link]) =>
      posix.join(posix.dirname(file), link!)
    )
    const broken = links.filter(
      (link) => !REPOSITORY_ONLY.test(`${link}/`) && !existsSync(join(packageFolder(), link))
    )
    expect(broken, file).toEqual([])
  }
})

test('it is small', () => {
  const { tarball, bytes, files } = installed()
  const { size } = statSync(tarball)
  console.info(`tarball: ${size} bytes; ${files.length} files of ${bytes} bytes in all`)
  expect(size).toBeLessThan(TARBALL_BYTES_MAX)
})
