// A run of one target over many inputs: what came of them, which are new, which failed, and what stayed in memory.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readCorpus } from './corpus.ts'
import { execute, type Failure } from './execute.ts'
import { Inputs } from './inputs.ts'
import { shrink } from './shrink.ts'
import type { Target } from './target.ts'

/** Failures of one target after which the rest would tell nothing new. */
const FAILURES_MAX = 5
/** What may stay in memory between the first tenth of a run and its end. */
const GROWTH_BYTES_MAX = 48 * 1024 * 1024

export interface FailedInput extends Failure {
  name: string
  input: Uint8Array
  shrunk: Uint8Array
}

export interface Report {
  target: string
  inputs: number
  ms: number
  /** How often each class came. */
  outcomes: Map<string, number>
  /** The first input of each class that the corpus does not have. */
  fresh: Map<string, Uint8Array>
  failures: FailedInput[]
  grownBytes: number
}

export interface CampaignInit {
  inputs: number
  seed: string
  /** Called before each input. */
  onInput?(index: number): void
}

/** Runs a target over the inputs `target:seed:0` and so on, after those of the corpus. */
export async function campaign(target: Target, { inputs, seed, onInput }: CampaignInit): Promise<Report> {
  const source = new Inputs(target, seed)
  const report: Report = {
    ...{ target: target.name, inputs: 0, ms: 0, outcomes: new Map(), fresh: new Map() },
    ...{ failures: [], grownBytes: 0 }
  }
  const known = await replay(target, report)
  const began = performance.now()
  let heapBytes = 0
  for (let index = 0; index < inputs && report.failures.length < FAILURES_MAX; index++) {
    onInput?.(index)
    if (index === Math.floor(inputs / 10)) heapBytes = heapAfterCollection()
    const input = source.at(index)
    const outcome = await execute(target, input)
    report.inputs++
    if (typeof outcome !== 'string')
      await fail(report, target, `${target.name}:${seed}:${index}`, input, outcome)
    else if (count(report, outcome) === 1 && !known.has(outcome)) report.fresh.set(outcome, input)
  }
  report.ms = performance.now() - began
  report.grownBytes = heapAfterCollection() - heapBytes
  if (report.grownBytes > GROWTH_BYTES_MAX) {
    const error = new Error(`${report.grownBytes} bytes stayed in memory`)
    report.failures.push({ ...{ name: target.name, kind: 'growth', error }, ...EMPTY })
  }
  return report
}

const EMPTY = { input: new Uint8Array(0), shrunk: new Uint8Array(0) }

/** Runs the corpus of a target. @returns its classes. */
export async function replay(target: Target, report: Pick<Report, 'failures'>): Promise<Set<string>> {
  const classes = new Set<string>()
  for (const [line, { bytes, why }] of readCorpus(target.name).entries()) {
    const outcome = await execute(target, bytes)
    if (typeof outcome === 'string') classes.add(outcome)
    else await fail(report, target, `corpus of ${target.name}, entry ${line} (${why})`, bytes, outcome)
  }
  return classes
}

function count({ outcomes }: Report, outcome: string): number {
  const times = (outcomes.get(outcome) ?? 0) + 1
  outcomes.set(outcome, times)
  return times
}

async function fail(
  { failures }: Pick<Report, 'failures'>,
  target: Target,
  name: string,
  input: Uint8Array,
  failure: Failure
): Promise<void> {
  if (failures.some(({ kind }) => kind === failure.kind)) return
  failures.push({ ...failure, name, input, shrunk: await shrink(target, input, failure) })
}

let collect: (() => void) | undefined

function heapAfterCollection(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
  return process.memoryUsage().heapUsed
}
