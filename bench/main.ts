/**
 * Runs the benchmarks, and prints their figures as a table.
 *
 *     npm run bench -- [--quick] [--only NAME]... [--json FILE] [--profile FOLDER] [--list]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { benchmarks } from './cases/index.ts'
import { describeMachine, machine, table } from './report.ts'
import { type Result, run } from './runner.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
    profile: { type: 'string' },
    list: { type: 'boolean', default: false }
  }
})

if (values.list) {
  for (const { name, about } of benchmarks) console.log(`${name.padEnd(16)} ${about}`)
  process.exit()
}

const unknown = values.only?.filter((wanted) => !benchmarks.some(({ name }) => name === wanted)) ?? []
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}; --list tells which there are.`)
  process.exit(2)
}

const chosen = benchmarks.filter(({ name }) => values.only?.includes(name) ?? true)
const options = { quick: values.quick, profileFolder: values.profile }
if (values.profile !== undefined) mkdirSync(values.profile, { recursive: true })
const on = machine()
console.log(`${describeMachine(on)}${values.quick ? ', quick' : ''}\n`)

const results: Result[] = []
for (const benchmark of chosen) {
  process.stderr.write(`${benchmark.name} ... `)
  const result = await run(benchmark, options)
  process.stderr.write(`${result.seconds.toFixed(1)} s${result.error === undefined ? '' : ', FAILED'}\n`)
  results.push(result)
}

console.log(`\n${table(results)}`)
const failed = results.filter(({ error }) => error !== undefined)
for (const { name, error } of failed) console.error(`\n${name}: ${error}`)
if (values.json !== undefined) {
  const report = { machine: on, date: new Date().toISOString(), quick: values.quick, results }
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
}
process.exitCode = failed.length > 0 ? 1 : 0
