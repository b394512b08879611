/**
 * The builds of the Go peer that there are, for tests to run on each of them.
 */
import { describe, inject } from 'vitest'

const { release, head } = inject('goBuilds')

/** Tests that run against the release and the unreleased head; a build that is not there is skipped. */
export function describeEachBuild(name: string, tests: (program: string) => void): void {
  describeRelease(name, tests)
  describeHead(name, tests)
}

/** Tests of what is the same in both builds, or only of the release. */
export function describeRelease(name: string, tests: (program: string) => void): void {
  describe.skipIf(release === undefined)(`${name} (release)`, () => tests(release ?? ''))
}

/** Tests of what only the unreleased head can do. */
export function describeHead(name: string, tests: (program: string) => void): void {
  describe.skipIf(head === undefined)(`${name} (head)`, () => tests(head ?? ''))
}
