/**
 * What is told of a run: the machine, and a table of all figures.
 */
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import type { CurveResult } from './curves/curve.ts'
import type { FigureResult, Result } from './runner.ts'

/** The machine that a run was made on; figures of two machines are not to be compared. */
export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  system: string
  node: string
  /** Processes that wanted to run, over the last minute, when the run began. */
  loadBefore: number
}

export function machine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100
  }
}

export function describeMachine({ cpu, cores, memoryGiB, system, node, loadBefore }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, load ${loadBefore}`
}

const HEADER = ['benchmark', 'figure', 'median', 'unit', 'spread', 'runs', 'bar', 'target', 'reached']
const RIGHT_ALIGNED = new Set(['median', 'runs', 'bar', 'target'])

/** All figures as text. */
export function table(results: readonly Result[]): string {
  const rows = results.flatMap(({ name, figures, error }) =>
    error === undefined
      ? figures.map((figure, index) => [index === 0 ? name : '', ...cellsOf(figure)])
      : [[name, 'FAILED', '', '', error.split('\n')[0] ?? '', '', '', '', '']]
  )
  const widths = HEADER.map((title, column) => {
    return Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0))
  })
  return [HEADER, widths.map((width) => '-'.repeat(width)), ...rows]
    .map((row) => row.map((cell, column) => pad(cell, widths[column]!, HEADER[column]!)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

function cellsOf(figure: FigureResult): string[] {
  const { name, unit, better, bar, target, verdict = '' } = figure
  const sign = better === 'more' ? '>=' : '<='
  const goal = (value: number | undefined): string => (value === undefined ? '' : `${sign} ${short(value)}`)
  const spread = `${short(figure.min)} .. ${short(figure.max)}`
  return [
    name,
    short(figure.median),
    unit,
    spread,
    String(figure.samples.length),
    goal(bar),
    goal(target),
    verdict
  ]
}

function pad(cell: string, width: number, title: string): string {
  return RIGHT_ALIGNED.has(title) ? cell.padStart(width) : cell.padEnd(width)
}

/** Three significant digits, and thousands set apart. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const rounded = Number(value.toPrecision(3))
  return Math.abs(rounded) >= 1000 ? rounded.toLocaleString('en') : String(rounded)
}

/** The points of all curves as text. */
export function curveTable(results: readonly CurveResult[]): string {
  return results
    .flatMap(({ name, x, y, points, error }) => [
      `${name}: ${y.label}, over ${x.label}`,
      ...(error === undefined ? [] : [`  FAILED: ${error.split('\n')[0]}`]),
      ...points.map((point) => `  ${point.line.padEnd(32)} ${short(point.x).padStart(10)}  ${short(point.y)}`)
    ])
    .join('\n')
}

/** Which rivals did not take part, and why. */
export function absentees(absent: ReadonlyMap<string, string>): string {
  if (absent.size === 0) return 'Every rival took part.'
  return [...absent]
    .map(([name, reason]) => `Did not take part: ${name}. ${reason.split('\n')[0]}`)
    .join('\n')
}
