// The tables and charts of docs/performance.md, made of results that were made up.
import { describe, expect, test } from 'vitest'
import type { CurveResult } from '../../bench/curves/curve.ts'
import { chartOf, linesOf, rangeOf } from '../../bench/plots/chart.ts'
import type { ProfileResult } from '../../bench/profile/result.ts'
import {
  ceilingsTable,
  curvesList,
  fill,
  type Measured,
  profilesTable,
  provenance,
  rivalsTable,
  standingOf,
  targetsTable
} from '../../bench/report/markdown.ts'
import { short } from '../../bench/report.ts'
import type { FigureResult, Result } from '../../bench/runner.ts'

const machine = {
  ...{ cpu: 'A processor', cores: 2, memoryGiB: 8, system: 'linux 6', node: 'v24.0.0', loadBefore: 0.1 }
}

const figure = (init: Partial<FigureResult> & Pick<FigureResult, 'name' | 'median'>): FigureResult => ({
  ...{ unit: '/s', better: 'more', min: init.median, max: init.median, samples: [init.median] },
  ...init
})

const measured = <T>(results: T[], rest: Partial<Measured<T>> = {}): Measured<T> => ({
  ...{ machine, date: '2026-01-02T03:04:05.000Z', quick: false, results, ...rest }
})

const result = (name: string, figures: FigureResult[], rest: Partial<Result> = {}): Result => ({
  ...{ name, about: `about ${name}`, seconds: 1, figures, ...rest }
})

describe('a page', () => {
  const page = 'before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n'

  test('gets what is new between its markers, and nothing else changes', () => {
    const filled = fill(page, 'a', '\nnew\n')
    expect(filled).toBe('before\n<!-- begin a -->\nnew\n<!-- end a -->\nafter\n')
    expect(fill(filled, 'a', 'new')).toBe(filled)
  })

  test('without the place is an error', () => {
    expect(() => fill(page, 'b', 'new')).toThrow(/no place for b/)
    expect(() => fill('<!-- end a --><!-- begin a -->', 'a', '')).toThrow(/no place/)
  })
})

test('it is told where and when it was measured, and when not to trust it', () => {
  expect(provenance(measured([]))).toBe(
    'Measured on 2026-01-02: A processor, 2 cores, 8 GiB, linux 6, Node v24.0.0, load 0.1.'
  )
  const busy = { ...machine, loadBefore: 7 }
  expect(provenance(measured([], { quick: true, machine: busy }))).toMatch(/quick run.*busy.*provisional/)
})

test('a target is met so many times over, or missed by so much, whichever is better', () => {
  expect(standingOf(figure({ name: 'a', median: 30, target: 20, verdict: 'target' }))).toBe(
    'met, 1.5 times over'
  )
  expect(standingOf(figure({ name: 'a', median: 10, target: 20, verdict: 'below' }))).toBe(
    '**not met**: 0.5 of it'
  )
  const less = { name: 'a', better: 'less' as const, target: 20 }
  expect(standingOf(figure({ ...less, median: 10, verdict: 'target' }))).toBe('met, 2 times over')
  expect(standingOf(figure({ ...less, median: 40, verdict: 'below' }))).toBe('**not met**: 0.5 of it')
  expect(standingOf(figure({ ...less, median: 20.0001, verdict: 'below' }))).toBe(
    '**not met**: hardly less than it'
  )
  expect(standingOf(figure({ ...less, median: 10 }))).toBe('a full run will tell')
  expect(standingOf(figure({ ...less, target: 0, median: 0, verdict: 'target' }))).toBe('met')
})

test('the table of targets has a row for each target, and says what failed', () => {
  const table = targetsTable(
    measured([
      result('put', [
        figure({ name: 'rate', median: 30, target: 20, verdict: 'target' }),
        figure({ name: 'other', median: 1 })
      ]),
      result('get', [], { error: 'wrong answer: a value\nstack' })
    ])
  )
  expect(table.split('\n').slice(2)).toEqual([
    '| `put` | about put | rate: at least 20 /s | 30 /s | met, 1.5 times over |',
    '| `get` | about get |  |  | failed: wrong answer: a value |'
  ])
})

test('the table of rivals has a row for each of their figures with the ratio, and who did not take part', () => {
  const rival = 'go-ds-crdt' as const
  const table = rivalsTable(
    measured(
      [
        result('put', [
          figure({ name: 'x go-ds-crdt', median: 3, min: 2, max: 4, unit: 'x', rival }),
          figure({ name: 'go-ds-crdt', median: 5000, unit: 'puts/s', rival })
        ]),
        result('far', [
          figure({ name: '20 ms: x go-ds-crdt', median: 9, unit: 'x', rival }),
          figure({ name: '20 ms: go-ds-crdt', median: 22, rival })
        ])
      ],
      { absent: { OrbitDB: 'Error: no npm\nstack' } }
    )
  )
  expect(table.split('\n').slice(2)).toEqual([
    '| `put` | go-ds-crdt | 5,000 puts/s | 3 (2 to 4) |',
    '| `far` at 20 ms | go-ds-crdt | 22 /s | 9 (9 to 9) |',
    '',
    'Did not take part: OrbitDB (Error: no npm).'
  ])
})

test('a path is held against what bounds it: in turns, or by the best of both', () => {
  const table = ceilingsTable(
    measured([
      result('ceilings', [figure({ name: 'dag-pb, sha-256 and CID', median: 60, max: 100 })]),
      result('get', [figure({ name: 'cold', median: 0.9, min: 0.8, max: 1 })]),
      result('catch-up', [figure({ name: 'rate', median: 9, max: 20 })])
    ])
  )
  expect(table.split('\n').slice(2)).toEqual([
    '| a get of a key not read lately | a raw get | 0.9 | 0.8 to 1 |',
    '| a delta that a fresh peer catches up with | encoding and hashing a node of its size | 0.2 | 20 /s of 100 |'
  ])
  expect(
    ceilingsTable(measured([result('catch-up', [figure({ name: 'rate', median: 9 })])])).split('\n')
  ).toHaveLength(2)
})

test('profiles have a row for each process, and the category with the most time first', () => {
  const table = profilesTable(
    measured<ProfileResult>([
      { benchmark: 'put', role: 'suite', shares: { hashing: 20, LevelDB: 80 } },
      { benchmark: 'meet', role: 'bob', shares: { LevelDB: 100 } }
    ])
  )
  expect(table.split('\n')).toEqual([
    '| process | LevelDB | hashing |',
    '| --- | --- | --- |',
    '| `put` | 80 % | 20 % |',
    '| `meet`, bob | 100 % | 0 % |'
  ])
})

describe('a chart', () => {
  const x = { label: 'keys', isLog: true }
  const y = { label: 'ms', isLog: false }
  const points = [
    { line: 'b', x: 100, y: 3 },
    { line: 'a', x: 1, y: 1 },
    { line: 'b', x: 10, y: 2 }
  ]
  const curve: CurveResult = { name: 'keys', about: 'costs', x, y, seconds: 1, points }

  test('has the points of each line from left to right', () => {
    expect([...linesOf(points)]).toEqual([
      [
        'b',
        [
          [10, 2],
          [100, 3]
        ]
      ],
      ['a', [[1, 1]]]
    ])
  })

  test('has whole powers of ten at the ends of a logarithmic axis, and a zero on others', () => {
    expect(rangeOf(x, [20, 30, 2000])).toEqual({ min: 10, max: 10_000 })
    expect(rangeOf(x, [10])).toEqual({ min: 10, max: 100 })
    expect(rangeOf(y, [3, 5])).toEqual({ min: 0, max: 5 })
  })

  test('says what it is and what its axes are', () => {
    expect(chartOf(curve)).toMatchObject({
      title: { text: 'costs' },
      xAxis: { type: 'log', name: 'keys', min: 1, max: 100 },
      yAxis: { type: 'value', name: 'ms', min: 0 },
      series: [{ name: 'b' }, { name: 'a' }]
    })
  })

  test('is shown on the page, unless it has no points', () => {
    const list = curvesList(measured([curve, { ...curve, name: 'failed', points: [] }]))
    expect(list).toBe('![costs](performance/keys.svg)')
  })
})

test('numbers have three digits that count', () => {
  expect([0.12345, 12.345, 1234.5, 1_234_567].map(short)).toEqual(['0.123', '12.3', '1,230', '1,230,000'])
})
