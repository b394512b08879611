// interface-datastore-tests is written for mocha: it finds these names as globals.
import { afterAll, beforeAll, it } from 'vitest'

interface MochaContext {
  timeout(milliseconds: number): void
}

// Some of its tests call `this.timeout(...)`, which vitest does not give. The limit is in vitest.config.ts instead.
const mochaContext: MochaContext = { timeout() {} }

Object.assign(globalThis, {
  before: beforeAll,
  after: afterAll,
  it: (name: string, run: (this: MochaContext) => unknown) => it(name, () => run.call(mochaContext))
})
