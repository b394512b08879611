// docs/testkit.md names everything that datastore-crdt/testkit exports, and what it says of worlds and replicas is there.
import { expect, test } from 'vitest'
import * as testkit from '../../src/testkit/index.ts'
import { SimulatedReplica } from '../../src/testkit/simulated-replica.ts'
import { namesIn, read, sectionOf } from './tables.ts'

const page = read('docs/testkit.md')
const index = read('src/testkit/index.ts')

/** Types too, which are not there at run time. */
function exportedNames(): string[] {
  const lists = [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list as string)
  return lists
    .flatMap((list) => list.split(','))
    .map((item) =>
      item
        .trim()
        .replace(/^type /, '')
        .replace(/^\w+ as /, '')
    )
}

test('every exported name has its row, and there is no other', () => {
  const names = exportedNames()
  expect(names).toEqual(expect.arrayContaining(Object.keys(testkit)))
  const written = namesIn(sectionOf(page, '## Names')).flatMap((cell) => cell.split(', '))
  expect(written.sort()).toEqual(names.sort())
})

test('every method that the page names is there', () => {
  const subjects = {
    world: new testkit.World({ seed: 1 }),
    network: new testkit.World({ seed: 1 }).network,
    replica: SimulatedReplica.prototype
  }
  const calls = [...page.matchAll(/\b(world|network|replica)\.(\w+)\(/g)] as unknown as Array<
    [string, keyof typeof subjects, string]
  >
  expect(calls.length).toBeGreaterThan(15)
  const missing = calls.filter(([, subject, method]) => !(method in subjects[subject]))
  expect(missing.map(([call]) => call)).toEqual([])
})

test('every error of the testkit has the name that it is exported by', () => {
  const errors = Object.entries(testkit).filter(([name]) => name.endsWith('Error'))
  expect(errors.length).toBeGreaterThan(3)
  for (const [name, value] of errors) {
    const create = value as unknown as new (...args: string[]) => Error
    expect(new create('a', 'b').name).toBe(name)
  }
})
