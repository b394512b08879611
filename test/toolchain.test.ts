import { expect, test } from 'vitest'

// `node` of the dependencies comes with a script of its own. Installed with --ignore-scripts it is absent, and
// everything would run on the system's Node without a word.
test('the tests run on Node 22 or newer', () => {
  expect(Number.parseInt(process.versions.node, 10)).toBeGreaterThanOrEqual(22)
})
