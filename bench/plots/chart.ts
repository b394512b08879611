/**
 * Charts of curves, as options of ECharts: the same fonts, colours and sizes for all.
 */
import type { Axis, CurveResult, Point } from '../curves/curve.ts'

export const CHART_SIZE = { width: 760, height: 420 } as const

/** Without quotes: ECharts writes them into an attribute as they are. */
const FONT = 'system-ui, Helvetica, Arial, sans-serif'
/** Told apart by those who see colours otherwise too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'emptyCircle', 'emptyRect']
/** More points than this are drawn as a line alone. */
const SYMBOLS_MAX = 20

/** What ECharts is told; it has no types here. */
export type ChartOption = Record<string, unknown>

/** The points of each line, in the order in which lines first appear, each from left to right. */
export function linesOf(points: readonly Point[]): Map<string, Array<[number, number]>> {
  const lines = new Map<string, Array<[number, number]>>()
  for (const { line, x, y } of points) {
    const known = lines.get(line) ?? []
    lines.set(
      line,
      [...known, [x, y] as [number, number]].sort(([a], [b]) => a - b)
    )
  }
  return lines
}

/** The numbers at the ends of an axis: whole powers of ten where it is logarithmic. */
export function rangeOf(axis: Axis, values: readonly number[]): { min: number; max: number } {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (!axis.isLog) return { min: 0, max: most }
  const [min, max] = [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most))]
  return { min, max: max === min ? max * 10 : max }
}

/** The chart of a curve. */
export function chartOf({ about, x, y, points }: CurveResult): ChartOption {
  const lines = linesOf(points)
  const hasRivals = [...lines.keys()].some((name) => name.startsWith('datastore-crdt'))
  const axisOf = (axis: Axis, values: number[], nameGap: number) => ({
    type: axis.isLog ? 'log' : 'value',
    name: axis.label,
    nameLocation: 'middle',
    nameGap,
    nameTextStyle: { fontSize: 13, color: '#333' },
    axisLabel: { fontSize: 12, color: '#333', hideOverlap: true },
    splitLine: { lineStyle: { color: '#e5e5e5' } },
    ...(axis.isLog ? rangeOf(axis, values) : { min: 0 })
  })
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: FONT },
    color: COLOURS,
    title: {
      text: about,
      left: 16,
      top: 12,
      textStyle: {
        fontSize: 13,
        fontWeight: 600,
        color: '#111',
        width: CHART_SIZE.width - 32,
        overflow: 'break'
      }
    },
    legend: { selectedMode: false, bottom: 8, textStyle: { fontSize: 12, color: '#333' }, itemGap: 32 },
    grid: { left: 76, right: 28, top: 60, bottom: lines.size > 4 ? 132 : 92 },
    xAxis: axisOf(
      x,
      points.map((point) => point.x),
      30
    ),
    yAxis: axisOf(
      y,
      points.map((point) => point.y),
      56
    ),
    series: [...lines].map(([name, data], index) => ({
      type: 'line',
      // It is a picture: nothing in it answers to a pointer.
      silent: true,
      emphasis: { disabled: true },
      name,
      data,
      symbol: data.length > SYMBOLS_MAX ? 'none' : SYMBOLS[index % SYMBOLS.length],
      symbolSize: 7,
      lineStyle: { width: 2, type: name.startsWith('datastore-crdt') || !hasRivals ? 'solid' : 'dashed' }
    }))
  }
}
