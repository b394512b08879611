// The layers of checks, in the order in which they are asked: which of them catches a mutant says what that one is for.
import { globSync } from 'node:fs'
import { join, sep } from 'node:path'

export interface Layer {
  name: string
  /** Test files below the root. A layer that has none yet is passed over. */
  include: readonly string[]
  exclude: readonly string[]
  /** Whether the files that a mutant names run first. */
  usesLikely: boolean
}

/** Tests of simulated networks under faults, of which no file is about one mutant. */
const SIMULATION = ['test/simulation/**/*.test.ts', 'test/crash/**/*.test.ts']

export const LAYERS: readonly Layer[] = [
  { name: 'simulation', include: SIMULATION, exclude: [], usesLikely: false },
  {
    name: 'unit',
    include: ['test/**/*.test.ts'],
    exclude: [
      ...SIMULATION,
      // Processes, packages and other people's tests: the other projects of vitest.
      'test/{compliance,e2e,package,processes,interop}/**',
      // These read text and not behaviour: they would see that a file was changed, and not that it is wrong.
      'test/{mutants,docs,examples}/**',
      'test/{house,readme,toolchain}.test.ts'
    ],
    usesLikely: true
  }
]

/** The test files of a layer, relative to the root. */
export function filesOf({ include, exclude }: Layer, root: string): string[] {
  return globSync([...include], { cwd: root, exclude: exclude.map((pattern) => join(pattern)) })
    .map((file) => file.split(sep).join('/'))
    .sort()
}
