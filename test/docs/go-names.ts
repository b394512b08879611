// The exported names of go-ds-crdt, which docs/porting-from-go.md maps to ours: as they are committed, and derived anew
// from the Go source. `npm run go-names` writes the committed list.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { root } from './tables.ts'

/** The release that is mapped. Beside it stands the unreleased head, which has named DAGs. */
export const RELEASE = 'v0.6.8'
export const HEAD = 'head'

const MODULE = `github.com/ipfs/go-ds-crdt@${RELEASE}`
const LIST = join(root, 'test', 'docs', 'go-names.txt')
const TITLE =
  '# Exported names of go-ds-crdt, and the versions that have them. Written by `npm run go-names`.'

/** Names, and the versions that have them. */
export type GoNames = Map<string, string[]>

/** The list as it is committed. */
export function committedNames(): GoNames {
  const lines = readFileSync(LIST, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [name = '', versions = ''] = line.split(/ {2,}/)
      return [name, versions.split(', ')]
    })
  )
}

/** Where the source of the head is, if anybody said so. */
export function headSource(): string | undefined {
  const folder = process.env.GO_DS_CRDT_HEAD
  return folder === undefined || folder === '' ? undefined : resolve(root, folder)
}

/** Whether Go can be run here. */
export async function hasGo(): Promise<boolean> {
  try {
    await go('version')
    return true
  } catch {
    return false
  }
}

/** Where the source of the release is, in the cache of Go's modules. @throws if it cannot be had. */
export async function releaseSource(): Promise<string> {
  const { Dir } = JSON.parse(await go('mod', 'download', '-json', MODULE)) as { Dir: string }
  return Dir
}

/** The names in one folder of Go source. */
export async function namesIn(folder: string): Promise<string[]> {
  const printed = await go('run', join(root, 'scripts', 'go-names', 'main.go'), folder)
  return printed.split('\n').filter((line) => line !== '')
}

async function go(...args: string[]): Promise<string> {
  // No workspace and no module of whoever calls may take part in it.
  const env = { ...process.env, GOWORK: 'off', GO111MODULE: 'on' }
  return (await promisify(execFile)('go', args, { cwd: join(root, 'scripts', 'go-names'), env })).stdout
}

async function write(): Promise<void> {
  const head = headSource()
  if (head === undefined) throw new Error('GO_DS_CRDT_HEAD has to name the source of the head of go-ds-crdt')
  const names: GoNames = new Map()
  for (const [version, folder] of [[RELEASE, await releaseSource()] as const, [HEAD, head] as const]) {
    for (const name of await namesIn(folder)) names.set(name, [...(names.get(name) ?? []), version])
  }
  const width = Math.max(...[...names.keys()].map(({ length }) => length)) + 2
  const lines = [...names].sort(([a], [b]) => (a < b ? -1 : 1))
  const text = lines.map(([name, versions]) => `${name.padEnd(width)}${versions.join(', ')}`)
  writeFileSync(LIST, `${[TITLE, '', ...text].join('\n')}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await write()
