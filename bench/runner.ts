/**
 * Runs one benchmark: warm-up, samples, median and spread of every figure.
 *
 * Invariant: a benchmark whose result is wrong, or that fails or takes too long, gives no figures.
 */
import { join } from 'node:path'
import { type Benchmark, describeError, type Figure, type Sample } from './benchmark.ts'
import { startProfile } from './profile/record.ts'
import { type RunOptions, Scope } from './scope.ts'
import { median } from './statistics.ts'

/** What the profile of the suite's own process is called; those of peers are called by their roles. */
export const SUITE = 'suite'

/** One figure over all samples of a benchmark. */
export interface FigureResult extends Figure {
  name: string
  median: number
  min: number
  max: number
  samples: number[]
  /** Absent where there is nothing to reach, or not at this size. */
  verdict?: 'target' | 'bar' | 'below'
}

/** What a benchmark gave: its figures, or why there are none. */
export interface Result {
  name: string
  about: string
  seconds: number
  figures: FigureResult[]
  error?: string
}

export async function run(benchmark: Benchmark, options: RunOptions): Promise<Result> {
  const { name, about } = benchmark
  const start = performance.now()
  const seconds = (): number => (performance.now() - start) / 1000
  try {
    const samples = await Scope.run(options, (scope) => sample(benchmark, scope))
    return { name, about, seconds: seconds(), figures: figuresOf(benchmark, samples, options.quick) }
  } catch (error) {
    return { name, about, seconds: seconds(), figures: [], error: describeError(error) }
  }
}

async function sample(benchmark: Benchmark, scope: Scope): Promise<Sample[]> {
  const { options } = scope
  const { runs, warmUps = 1 } = benchmark
  const next = await benchmark.prepare(scope)
  for (let index = 0; index < warmUps; index++) await Scope.run(options, next)
  const samples: Sample[] = []
  const folder = options.profileFolder
  const stopProfile =
    folder === undefined ? undefined : await startProfile(join(folder, `${SUITE}.cpuprofile`))
  while (samples.length < (options.quick ? runs.quick : runs.full))
    samples.push(await Scope.run(options, next))
  await stopProfile?.()
  return samples
}

function figuresOf(benchmark: Benchmark, samples: readonly Sample[], quick: boolean): FigureResult[] {
  return Object.entries(benchmark.figures).flatMap(([name, figure]) => {
    const values = samples.flatMap((figures) => figures[name] ?? [])
    // A rival that failed on the way gives no figure. What is ours is there, or it is a mistake to be seen.
    if (figure.rival !== undefined && (values.length === 0 || values.some(Number.isNaN))) return []
    const middle = median(values)
    return {
      name,
      ...figure,
      median: middle,
      min: Math.min(...values),
      max: Math.max(...values),
      samples: values,
      ...(quick && figure.isOfFullSize ? {} : verdictOf(figure, middle))
    }
  })
}

function verdictOf({ better, bar, target }: Figure, value: number): Pick<FigureResult, 'verdict'> {
  const reaches = (goal: number): boolean => (better === 'more' ? value >= goal : value <= goal)
  if (target !== undefined && reaches(target)) return { verdict: 'target' }
  if (bar !== undefined && reaches(bar)) return { verdict: 'bar' }
  return bar === undefined && target === undefined ? {} : { verdict: 'below' }
}
