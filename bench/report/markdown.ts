/**
 * Tables of docs/performance.md, made of what was measured. Pure.
 */
import type { CurveResult } from '../curves/curve.ts'
import type { ProfileResult } from '../profile/result.ts'
import { describeMachine, type Machine, short } from '../report.ts'
import type { FigureResult, Result } from '../runner.ts'
import { CEILINGS } from './ceilings.ts'

/** A file of results. */
export interface Measured<T> {
  machine: Machine
  date: string
  /** Absent in profiles. */
  quick?: boolean
  absent?: Record<string, string>
  results: T[]
}

/**
 * Puts content between the markers of a name, in place of what is there.
 *
 * @throws Error if the page has no such place.
 */
export function fill(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`The page has no place for ${name}`)
  return `${page.slice(0, from + begin.length)}\n${content.trim()}\n${page.slice(to)}`
}

/** Where, when and how something was measured. */
export function provenance({ machine, date, quick = false }: Measured<unknown>): string {
  const isBusy = machine.loadBefore > machine.cores
  const notes = [
    ...(quick ? ['a quick run: fewer samples and smaller sizes than the targets are for'] : []),
    ...(isBusy
      ? ['the machine was busy with other work: rates and times are provisional, ratios less so']
      : [])
  ]
  const words = notes.length === 0 ? '' : `; ${notes.join('; ')}`
  return `Measured on ${date.slice(0, 10)}: ${describeMachine(machine)}${words}.`
}

function table(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Every figure that has a target: what was measured, and where it stands. */
export function targetsTable({ results }: Measured<Result>): string {
  const rows = results.flatMap(({ name, about, figures, error }) => {
    if (error !== undefined) return [[`\`${name}\``, about, '', '', `failed: ${error.split('\n')[0]}`]]
    return figures
      .filter(({ target }) => target !== undefined)
      .map((figure, index) => [
        `\`${name}\``,
        index === 0 ? about : '',
        `${figure.name}: ${goalOf(figure)}`,
        withUnit(figure.median, figure.unit),
        standingOf(figure)
      ])
  })
  return table(['benchmark', 'what', 'target', 'median', 'stands'], rows)
}

function goalOf({ target = 0, better, unit }: FigureResult): string {
  return `${better === 'more' ? 'at least' : 'at most'} ${withUnit(target, unit)}`
}

function withUnit(value: number, unit: string): string {
  return `${short(value)} ${unit}`
}

/** Whether a target is met, and by how much or how nearly. */
export function standingOf({ median, target = 0, better, verdict }: FigureResult): string {
  if (verdict === undefined) return 'a full run will tell'
  const ratio = better === 'more' ? median / target : target / median
  if (!Number.isFinite(ratio)) return verdict === 'target' ? 'met' : 'not met'
  if (verdict === 'target') return `met, ${short(ratio)} times over`
  const share = short(ratio)
  return `**not met**: ${share === '1' ? 'hardly less than it' : `${share} of it`}`
}

/** The store beside its rivals: every figure of one. */
export function rivalsTable({ results, absent = {} }: Measured<Result>): string {
  const rows = results.flatMap(({ name, figures }) =>
    figures
      .filter(({ rival, unit }) => rival !== undefined && !unit.startsWith('x'))
      .map((figure) => {
        const { rival = '' } = figure
        const ratio = figures.find((one) => one.unit === 'x' && isRatioOf(one.name, figure.name, rival))
        return [
          `\`${name}\`${labelOf(figure.name, rival)}`,
          rival,
          withUnit(figure.median, figure.unit),
          ratio === undefined ? '' : `${short(ratio.median)} (${short(ratio.min)} to ${short(ratio.max)})`
        ]
      })
  )
  const missing = Object.entries(absent).map(
    ([name, why]) => `Did not take part: ${name} (${why.split('\n')[0]}).`
  )
  return [
    table(['benchmark', 'rival', 'its median', 'this store is so many times as good'], rows),
    '',
    ...missing
  ].join('\n')
}

/** What sets one figure of a rival apart from its others. */
function labelOf(figure: string, rival: string): string {
  if (figure === rival) return ''
  return figure.endsWith(`: ${rival}`) ? ` at ${figure.split(':')[0]}` : `, ${figure}`
}

function isRatioOf(name: string, figure: string, rival: string): boolean {
  return name === figure.replace(rival, `x ${rival}`)
}

/** How far each path is from what bounds it: the ratio of the two at their best, which is when least disturbed them. */
export function ceilingsTable({ results }: Measured<Result>): string {
  const figureOf = (benchmark: string, figure: string): FigureResult | undefined =>
    results.find(({ name }) => name === benchmark)?.figures.find(({ name }) => name === figure)
  const rows = CEILINGS.flatMap(({ path, benchmark, figure, ceiling, bound }) => {
    const ours = figureOf(benchmark, figure)
    const theirs = ceiling === undefined ? undefined : figureOf('ceilings', ceiling)
    if (ours === undefined || (ceiling !== undefined && theirs === undefined)) return []
    if (theirs === undefined)
      return [[path, bound, short(ours.median), `${short(ours.min)} to ${short(ours.max)}`]]
    return [
      [path, bound, short(ours.max / theirs.max), `${withUnit(ours.max, ours.unit)} of ${short(theirs.max)}`]
    ]
  })
  return table(['path', 'what it does at least', 'share of that speed', 'from'], rows)
}

/** Shares of each profiled process, a row each. */
export function profilesTable({ results }: Measured<ProfileResult>): string {
  const totals = new Map<string, number>()
  for (const { shares } of results) {
    for (const [category, share] of Object.entries(shares)) {
      totals.set(category, (totals.get(category) ?? 0) + share)
    }
  }
  const categories = [...totals].sort(([, a], [, b]) => b - a).map(([category]) => category)
  const rows = results.map(({ benchmark, role, shares }) => [
    `\`${benchmark}\`${role === 'suite' ? '' : `, ${role}`}`,
    ...categories.map((category) => `${Math.round(shares[category] ?? 0)} %`)
  ])
  return table(['process', ...categories], rows)
}

/** Every curve: its picture, and what is drawn. */
export function curvesList({ results }: Measured<CurveResult>): string {
  return results
    .filter(({ points }) => points.length > 0)
    .map(({ name, about }) => `![${about}](performance/${name}.svg)`)
    .join('\n\n')
}
