// The same seed does the same, byte by byte, and what fails is cut down to what makes it fail.
import { expect, test } from 'vitest'
import { generateScript } from '../../src/testkit/simulation/generate.ts'
import { PROFILES, type ProfileName } from '../../src/testkit/simulation/profiles.ts'
import { runScript } from '../../src/testkit/simulation/run.ts'
import { printScript, type Script } from '../../src/testkit/simulation/script.ts'
import { shrink } from '../../src/testkit/simulation/shrink.ts'
import { SimulationError } from '../../src/testkit/simulation/simulation-error.ts'

test('the same seed gives the same trace in every kind of life, and another seed another one', async () => {
  const traces = new Set<string>()
  for (const profile of Object.keys(PROFILES) as ProfileName[]) {
    const [once, again] = [
      await runScript(generateScript(77, profile)),
      await runScript(generateScript(77, profile))
    ]
    expect(again).toEqual(once)
    traces.add(once.trace)
    traces.add((await runScript(generateScript(78, profile))).trace)
  }
  expect(traces.size).toBe(2 * Object.keys(PROFILES).length)
}, 240_000)

test('a script that was printed is the same script', async () => {
  const script = generateScript(5)
  expect(JSON.parse(printScript(script))).toEqual(script)
})

/** A life in which somebody writes to a key that cannot be, which no fault of the world explains. */
function failing(): Script {
  const script = generateScript(15, 'network')
  const first = script.steps.findIndex((step) => step.do === 'put')
  script.steps.splice(first + 1, 0, {
    do: 'put',
    replica: 'alice',
    key: '/..',
    value: 'climbs above the root'
  })
  return script
}

test('a script that fails is cut down to the steps that make it fail, and tells what there is to know', async () => {
  const script = failing()
  const failure = await runScript(script).then(
    () => undefined,
    (error: unknown) => error as SimulationError
  )
  expect(failure).toBeInstanceOf(SimulationError)
  const shortest = await shrink(failure as SimulationError)
  expect(shortest.script.steps).toEqual([
    { do: 'join', replica: 'alice' },
    { do: 'put', replica: 'alice', key: '/..', value: 'climbs above the root' }
  ])
  const report = shortest.report()
  for (const part of [`Seed ${script.seed}`, 'InvalidKeyError', '"do":"put"', 'DAG:', 'alice starts #1']) {
    expect(report).toContain(part)
  }
}, 240_000)
