// What publint and "are the types wrong?" know of broken packages is not found in this one.
import { readFile } from 'node:fs/promises'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { expect, test } from 'vitest'
import { installed, manifest } from './installed.ts'

async function tarball(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(installed().tarball))
}

test('publint has nothing to say', async () => {
  const { messages, pkg } = await publint({ pack: { tarball: (await tarball()).buffer }, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test('the types are not wrong', async () => {
  const result = await checkPackage(createPackageFromTarballData(await tarball()))
  expect(result.types).toMatchObject({ kind: 'included' })
  if (result.types === false) return
  expect(Object.keys(result.entrypoints)).toEqual(Object.keys(manifest().exports))
  const problems = result.problems.filter((problem) => {
    // The way of resolving of Node 10, which knows no sub-paths. This package needs Node 22.
    if ('resolutionKind' in problem && problem.resolutionKind === 'node10') return false
    // Modules that are required are ES modules, as they are in every package of libp2p: Node 22 can do that.
    return problem.kind !== 'CJSResolvesToESM'
  })
  expect(problems).toEqual([])
})
