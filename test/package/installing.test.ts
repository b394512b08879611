// Installing the package alone brings a few small packages: no libp2p, no database, nothing that is compiled or runs
// on being installed.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installed, manifest, packageFolder } from './installed.ts'

/** With the package itself. */
const PACKAGES_MAX = 18

/** These belong to the app, in whatever version it has. */
const OF_THE_APP =
  /^(libp2p|@libp2p\/.+|@chainsafe\/libp2p.*|.*level|datastore-(?!crdt$).+|@multiformats\/.+)$/

interface Dependency {
  name: string
  version: string
  folder: string
  scripts: Record<string, string>
}

function everyPackage(): Dependency[] {
  const modules = join(installed().consumer, 'node_modules')
  const lock = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')) as {
    packages: Record<string, unknown>
  }
  return Object.keys(lock.packages).map((path) => {
    const folder = join(installed().consumer, path)
    const { name, version, scripts = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return { name, version, folder, scripts }
  })
}

test('few packages come along', () => {
  const packages = everyPackage()
  console.info(
    `installed: ${packages.length} packages: ${packages.map(({ name, version }) => `${name} ${version}`).join(', ')}`
  )
  expect(packages.map(({ name }) => name)).toContain(manifest().name)
  expect(packages.length).toBeLessThanOrEqual(PACKAGES_MAX)
})

test('each comes once', () => {
  const names = everyPackage().map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

test('neither libp2p nor a database comes along', () => {
  expect(
    everyPackage()
      .map(({ name }) => name)
      .filter((name) => OF_THE_APP.test(name))
  ).toEqual([])
})

test('nothing is compiled, and nothing runs on being installed', () => {
  const scripts = ['preinstall', 'install', 'postinstall']
  const native = everyPackage().filter(
    (dependency) =>
      scripts.some((script) => script in dependency.scripts) ||
      existsSync(join(dependency.folder, 'binding.gyp')) ||
      existsSync(join(dependency.folder, 'prebuilds')) ||
      globSync('**/*.node', { cwd: dependency.folder }).length > 0
  )
  expect(native.map(({ name }) => name)).toEqual([])
})

test('the package imports all that it depends on, and nothing else', () => {
  const imported = new Set(
    globSync('dist/**/*.{js,d.ts}', { cwd: packageFolder() })
      .flatMap((file) => [
        ...readFileSync(join(packageFolder(), file), 'utf8').matchAll(
          /^(?:import|export)\b.* from '([^.'][^']*)'/gm
        )
      ])
      .map(([, specifier]) => /^(@[^/]+\/)?[^/]+/.exec(specifier!)![0])
      // The testkit runs on Node.js.
      .filter((name) => !name.startsWith('node:'))
  )
  expect([...imported].sort()).toEqual(Object.keys(manifest().dependencies).sort())
})
