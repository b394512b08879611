/**
 * Runs the benchmarks, or the curves, and prints their figures as a table. `--help` tells what it takes.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ArgumentError, type Arguments, choose, HELP, parseArguments } from './arguments.ts'
import { benchmarks } from './cases/index.ts'
import { type CurveResult, draw } from './curves/curve.ts'
import { curves } from './curves/index.ts'
import { absentees, curveTable, describeMachine, machine, table } from './report.ts'
import { type Result, run } from './runner.ts'
import type { RunOptions } from './scope.ts'

/** Runs each in turn, telling which it is and how long it took. */
async function runAll<Named extends { name: string }, Ran extends { seconds: number; error?: string }>(
  all: readonly Named[],
  runOne: (one: Named) => Promise<Ran>
): Promise<Ran[]> {
  const results: Ran[] = []
  for (const [index, one] of all.entries()) {
    process.stderr.write(`[${index + 1}/${all.length}] ${one.name} ... `)
    const result = await runOne(one)
    process.stderr.write(`${result.seconds.toFixed(1)} s${result.error === undefined ? '' : ', FAILED'}\n`)
    results.push(result)
  }
  return results
}

async function main({ quick, only, json, rivals, profile, ...wants }: Arguments): Promise<void> {
  if (wants.help) return console.log(HELP)
  const all = wants.curves ? curves : benchmarks
  if (wants.list) {
    for (const { name, about } of all) console.log(`${name.padEnd(16)} ${about}`)
    return
  }
  const options: RunOptions = { quick, profileFolder: profile, rivals, absent: new Map() }
  if (profile !== undefined) mkdirSync(profile, { recursive: true })
  const on = machine()
  console.log(`${describeMachine(on)}${quick ? ', quick' : ''}\n`)
  const results: Array<Result | CurveResult> = wants.curves
    ? await runAll(choose(curves, only, quick), (curve) => draw(curve, options))
    : await runAll(choose(benchmarks, only, quick), (benchmark) => run(benchmark, options))
  console.log(`\n${wants.curves ? curveTable(results as CurveResult[]) : table(results as Result[])}`)
  if (rivals) console.log(`\n${absentees(options.absent)}`)
  for (const { name, error } of results) if (error !== undefined) console.error(`\n${name}: ${error}`)
  if (json !== undefined) {
    const absent = Object.fromEntries(options.absent)
    const report = { machine: on, date: new Date().toISOString(), quick, absent, results }
    mkdirSync(dirname(json), { recursive: true })
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
  }
  process.exitCode = results.some(({ error }) => error !== undefined) ? 1 : 0
}

try {
  await main(parseArguments(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
