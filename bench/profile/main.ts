/**
 * Tells where the time of a benchmark goes, as shares of categories, from CPU profiles of its processes.
 *
 *     npm run bench:profile -- NAME... [--quick] [--json FILE]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchmarks } from '../cases/index.ts'
import { describeMachine, machine } from '../report.ts'
import { run, SUITE } from '../runner.ts'
import { type CpuProfile, sharesOf, timeByCategory } from './categories.ts'
import type { ProfileResult } from './result.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } }
})
const chosen = benchmarks.filter(({ name }) => positionals.includes(name))
if (chosen.length === 0 || chosen.length < positionals.length) {
  console.error(`Which? ${benchmarks.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const on = machine()
console.log(describeMachine(on))

/** The shares of each role: peers by theirs, or the suite's own process where there are no peers. */
function readProfiles(benchmark: string, folder: string): ProfileResult[] {
  const totals = new Map<string, Map<string, number>>()
  for (const file of readdirSync(folder)) {
    const role = file.replace(/^\d+-/, '').replace(/\.cpuprofile$/, '')
    const times = timeByCategory(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile)
    const total = totals.get(role) ?? new Map<string, number>()
    for (const [category, time] of times) total.set(category, (total.get(category) ?? 0) + time)
    totals.set(role, total)
  }
  if (totals.size > 1) totals.delete(SUITE)
  return [...totals].map(([role, times]) => ({ benchmark, role, shares: sharesOf(times) }))
}

const results: ProfileResult[] = []
for (const benchmark of chosen) {
  const folder = mkdtempSync(join(tmpdir(), 'datastore-crdt-profile-'))
  const options = {
    quick: values.quick,
    profileFolder: folder,
    rivals: false,
    absent: new Map<string, string>()
  }
  const { error } = await run(benchmark, options)
  if (error !== undefined) throw new Error(`${benchmark.name}: ${error}`)
  for (const result of readProfiles(benchmark.name, folder)) {
    results.push(result)
    console.log(`\n${benchmark.name}, ${result.role}`)
    const shares = Object.entries(result.shares).sort(([, a], [, b]) => b - a)
    for (const [category, share] of shares)
      console.log(`  ${category.padEnd(24)} ${share.toFixed(1).padStart(5)} %`)
  }
  rmSync(folder, { recursive: true })
}
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine: on, date: new Date().toISOString(), results }, null, 2)}\n`
  )
}
