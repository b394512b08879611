/**
 * Fuzzes decoders and handlers, and prints what came of it as a table.
 *
 *     npm run fuzz -- [--inputs 1000000] [--target NAME]... [--seed SEED] [--replay TARGET:SEED:INDEX | TARGET:HEX] [--list]
 *
 * Its exit code is 1 if anything failed. A failing input is made smaller, printed and written to a file.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { campaign, type FailedInput, type Report } from './campaign.ts'
import { execute, watchRejections } from './execute.ts'
import { Inputs } from './inputs.ts'
import { hexOf, type Target } from './target.ts'
import { targets } from './targets/index.ts'
import { startWatchdog } from './watchdog.ts'

const USAGE = `npm run fuzz -- [options]

  --inputs N       how many in all, shared out among the targets (1000000)
  --target NAME    this target alone; may be repeated
  --seed S         what all of them follow from; without it a new one, which is printed
  --replay INPUT   one input again, as a failure names it
  --failures DIR   where inputs that fail are written (fuzz-failures)
  --list           name the targets, and run nothing`

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 32)}` },
    replay: { type: 'string' },
    failures: { type: 'string', default: 'fuzz-failures' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

if (values.help) console.log(USAGE)
else if (values.list) for (const { name } of targets) console.log(name)
else if (values.replay !== undefined) await replayOne(values.replay)
else await fuzz(values.target?.map(targetOf) ?? targets, Number(values.inputs), values.seed)

function targetOf(name: string): Target {
  const target = targets.find((other) => other.name === name)
  if (target !== undefined) return target
  console.error(`There is no target ${name}; --list tells which there are.`)
  process.exit(2)
}

async function replayOne(address: string): Promise<void> {
  const [name = '', seed = '', index] = address.split(':')
  const target = targetOf(name)
  const input =
    index === undefined
      ? new Uint8Array(Buffer.from(seed, 'hex'))
      : new Inputs(target, seed).at(Number(index))
  console.log(`${input.length} bytes: ${hexOf(input)}`)
  const end = watchRejections()
  const outcome = await execute(target, input)
  end()
  console.log(typeof outcome === 'string' ? `passes: ${outcome}` : outcome.error)
  if (typeof outcome !== 'string') process.exitCode = 1
}

async function fuzz(chosen: readonly Target[], inputs: number, seed: string): Promise<void> {
  console.error(`seed ${seed}`)
  const names = chosen.map(({ name }) => name)
  const watchdog = startWatchdog(names, seed)
  const end = watchRejections()
  const weights = chosen.reduce((sum, { weight }) => sum + weight, 0)
  const reports: Report[] = []
  for (const [number, target] of chosen.entries()) {
    const share = Math.ceil((inputs * target.weight) / weights)
    const every = Math.ceil(share / 10)
    const report = await campaign(target, {
      ...{ inputs: share, seed },
      onInput(index) {
        watchdog.onInput(number, index)
        if (process.stderr.isTTY && index % every === 0)
          process.stderr.write(`\r${target.name} ${index} of ${share}      `)
      }
    })
    reports.push(report)
    console.error(
      `${process.stderr.isTTY ? '\r' : ''}${target.name}: ${report.inputs} inputs in ${Math.round(report.ms / 1000)} s`
    )
    for (const failure of report.failures) tell(target, failure)
  }
  end()
  await watchdog.stop()
  summarise(reports)
}

function tell({ name }: Target, { name: address, kind, error, shrunk }: FailedInput): void {
  mkdirSync(values.failures, { recursive: true })
  const file = `${values.failures}/${address.replace(/[^\w.-]+/g, '-')}.bin`
  writeFileSync(file, shrunk)
  console.error(`FAILED ${address}: ${kind}`)
  console.error(error)
  console.error(`  made smaller, in ${file}: npm run fuzz -- --replay ${name}:${hexOf(shrunk)}`)
}

function summarise(reports: readonly Report[]): void {
  const rows = reports.map(({ target, inputs, ms, outcomes, fresh, failures, grownBytes }) => [
    ...[target, `${inputs}`, `${Math.round((1000 * inputs) / ms)}`, `${outcomes.size}`, `${fresh.size}`],
    ...[(grownBytes / 2 ** 20).toFixed(1), `${failures.length}`]
  ])
  const inputs = reports.reduce((sum, report) => sum + report.inputs, 0)
  const failures = reports.reduce((sum, report) => sum + report.failures.length, 0)
  const ms = reports.reduce((sum, report) => sum + report.ms, 0)
  const head = ['target', 'inputs', 'inputs/s', 'classes', 'new', 'MiB kept', 'failures']
  const total = ['all', `${inputs}`, `${Math.round((1000 * inputs) / ms)}`, '', '', '', `${failures}`]
  for (const row of [head, ...rows, total]) {
    console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(15) : cell.padStart(10))).join(''))
  }
  if (failures > 0) process.exitCode = 1
}
