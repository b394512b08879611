/**
 * Before the tests of this folder: builds the Go peer, of the release and, where GO_DS_CRDT_HEAD names the source of
 * go-ds-crdt, of that too.
 *
 * Invariants: without Go the tests are skipped with a word, unless INTEROP_REQUIRED says that they must run; nothing in
 * the project but a cache inside node_modules is written.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

/** Programs by build, or why there are none. Plain data, because tests run in other processes. */
export interface GoBuilds {
  release?: string
  head?: string
  /** Why one or both are missing. */
  words: string[]
}

declare module 'vitest' {
  export interface ProvidedContext {
    goBuilds: GoBuilds
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const source = join(root, 'test', 'interop', 'go-peer')
const cache = join(root, 'node_modules', '.cache', 'datastore-crdt-go-peer')

export default function setup(project: TestProject): void {
  const builds = buildGoPeers()
  for (const word of builds.words) console.warn(`interop: ${word}`)
  project.provide('goBuilds', builds)
}

/** @throws if something does not compile, or is missing where it is required. */
export function buildGoPeers(): GoBuilds {
  const required = process.env.INTEROP_REQUIRED === '1'
  const words: string[] = []
  if (spawnSync('go', ['version']).status !== 0) {
    words.push('there is no Go here, so nothing is tested against go-ds-crdt')
    if (required) throw new Error(words[0])
    return { words }
  }
  mkdirSync(cache, { recursive: true })
  const release = join(cache, executable('release'))
  build(release, [])
  const headSource = process.env.GO_DS_CRDT_HEAD
  if (headSource === undefined || headSource === '') {
    words.push('GO_DS_CRDT_HEAD names no source of go-ds-crdt, so named DAGs are not tested against it')
    return { release, words }
  }
  const head = join(cache, executable('head'))
  build(head, ['-tags', 'head', '-modfile', headModule(headSource)])
  return { release, head, words }
}

/** The module with the source in place of the release. Its sums are the same: a folder has none. */
function headModule(headSource: string): string {
  if (!existsSync(join(headSource, 'go.mod')))
    throw new Error(`GO_DS_CRDT_HEAD names no Go module: ${headSource}`)
  const modfile = join(cache, 'head.mod')
  const module = readFileSync(join(source, 'go.mod'), 'utf8')
  writeFileSync(modfile, `${module}\nreplace github.com/ipfs/go-ds-crdt => ${headSource}\n`)
  copyFileSync(join(source, 'go.sum'), join(cache, 'head.sum'))
  return modfile
}

function build(output: string, args: string[]): void {
  if (!existsSync(output)) console.info('interop: building the Go peer, which takes minutes the first time')
  const { status, stderr } = spawnSync('go', ['build', ...args, '-o', output, '.'], {
    cwd: source,
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(`The Go peer does not build:\n${stderr}`)
}

function executable(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name
}
