/**
 * Holds ratios within this run against those of `bench/expected.json`, and fails if one fell in every attempt.
 *
 *     npm run bench:check [-- --write]
 *
 * With `--write` it measures and sets the bounds anew, at half of what it measured.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchmarks } from '../cases/index.ts'
import { describeMachine, machine } from '../report.ts'
import { run } from '../runner.ts'
import type { RunOptions } from '../scope.ts'
import { describeFall, type Expectations, type Medians } from './expectations.ts'
import { gate } from './gate.ts'

const EXPECTED = fileURLToPath(new URL('../expected.json', import.meta.url))

/** By what a bound is worse than what was measured when it was set. */
const SLACK = 2

const options: RunOptions = { quick: true, profileFolder: undefined, rivals: false, absent: new Map() }
const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })

/** The medians of benchmarks. One that fails has none, and so misses all of its bounds. */
async function measure(names: string[]): Promise<Medians> {
  const medians: Medians = {}
  for (const benchmark of benchmarks.filter(({ name }) => names.includes(name))) {
    const { name, figures, seconds, error } = await run(benchmark, options)
    if (error !== undefined) console.error(`${name} failed: ${error}`)
    medians[name] = Object.fromEntries(figures.map((figure) => [figure.name, figure.median]))
    console.log(
      `${name}: ${figures.map((figure) => describeFigure(figure)).join(', ')} (${seconds.toFixed(1)} s)`
    )
  }
  return medians
}

function describeFigure({ name, median, unit }: { name: string; median: number; unit: string }): string {
  return `${name} ${Number(median.toPrecision(3))} ${unit}`
}

const expected = JSON.parse(readFileSync(EXPECTED, 'utf8')) as Expectations
console.log(describeMachine(machine()))

if (values.write) {
  const medians = await measure(Object.keys(expected))
  for (const [name, bounds] of Object.entries(expected)) {
    for (const [figure, bound] of Object.entries(bounds)) {
      const measured = medians[name]?.[figure]
      if (measured === undefined) throw new Error(`${name} has no figure ${figure}`)
      bound.measured = Number(measured.toPrecision(3))
      if (bound.atMost === undefined) bound.atLeast = Number((measured / SLACK).toPrecision(2))
      else bound.atMost = Number((measured * SLACK).toPrecision(2))
    }
  }
  writeFileSync(EXPECTED, `${JSON.stringify(expected, null, 2)}\n`)
} else {
  const falls = await gate(expected, measure, (again) => {
    console.log(`Below its bound, and measured again: ${again.map(describeFall).join('; ')}`)
  })
  for (const fall of falls) console.error(`Fell: ${describeFall(fall)}`)
  if (falls.length === 0) console.log('Every ratio is what it was, or better.')
  process.exitCode = falls.length === 0 ? 0 : 1
}
