// How benchmarks are run, with some that were made up.
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Benchmark, check, type Figure, type Sample } from '../../bench/benchmark.ts'
import { type Curve, draw } from '../../bench/curves/curve.ts'
import { absentees, table } from '../../bench/report.ts'
import { run } from '../../bench/runner.ts'
import type { RunOptions } from '../../bench/scope.ts'
import { turns } from '../../bench/timing.ts'

const options = (): RunOptions => ({ quick: true, rivals: false, absent: new Map() })

function benchmark(samples: Array<Sample | Error>, figures: Record<string, Figure>): Benchmark {
  const left = [...samples]
  return {
    ...{
      name: 'made-up',
      about: 'nothing',
      figures,
      runs: { full: 9, quick: samples.length - 1 },
      warmUps: 1
    },
    prepare: async () => async () => {
      const next = left.shift()!
      if (next instanceof Error) throw next
      return next
    }
  }
}

const rate: Figure = { unit: '/s', better: 'more', bar: 5, target: 10 }

describe('a run', () => {
  test('drops the warm-up and tells median, spread and verdict of the rest', async () => {
    const { figures, error } = await run(
      benchmark([{ rate: 99 }, { rate: 6 }, { rate: 8 }, { rate: 7 }], { rate }),
      options()
    )
    expect(error).toBeUndefined()
    expect(figures).toMatchObject([
      { name: 'rate', median: 7, min: 6, max: 8, samples: [6, 8, 7], verdict: 'bar' }
    ])
  })

  test.each([
    [rate, 10, 'target'],
    [rate, 5, 'bar'],
    [rate, 4, 'below'],
    [{ ...rate, better: 'less' } as const, 10, 'target'],
    [{ ...rate, better: 'less', bar: 20 } as const, 15, 'bar'],
    [{ ...rate, better: 'less', bar: 20 } as const, 21, 'below'],
    [{ unit: '/s', better: 'more' } as const, 4, undefined]
  ])('that gives %j %d reaches %s', async (figure, value, verdict) => {
    const { figures } = await run(benchmark([{ rate: 0 }, { rate: value }], { rate: figure }), options())
    expect(figures[0]?.verdict).toBe(verdict)
  })

  test('that is quick says nothing of a target for the full size', async () => {
    const figure = { ...rate, isOfFullSize: true }
    const { figures } = await run(benchmark([{ rate: 0 }, { rate: 99 }], { rate: figure }), options())
    expect(figures[0]?.verdict).toBeUndefined()
  })

  test('with one wrong answer has no figures, however fast it was', async () => {
    let caught: unknown
    try {
      check(false, 'two is three')
    } catch (error) {
      caught = error
    }
    const result = await run(benchmark([{ rate: 1 }, { rate: 9 }, caught as Error], { rate }), options())
    expect(result).toMatchObject({ figures: [], error: 'wrong answer: two is three' })
    expect(table([result])).toMatch(/made-up\s+FAILED.*two is three/)
  })

  test('leaves no folder behind, also after a failure', async () => {
    let folder = ''
    const failing: Benchmark = {
      ...benchmark([{ rate: 1 }, { rate: 1 }], { rate }),
      prepare: async (scope) => {
        folder = await scope.folder()
        expect(existsSync(folder)).toBe(true)
        throw new Error('no')
      }
    }
    expect((await run(failing, options())).error).toMatch(/no/)
    expect(existsSync(folder)).toBe(false)
  })

  test('has no figure of a rival that failed on the way or took no part', async () => {
    const rival = { unit: 'x', better: 'more', rival: 'OrbitDB' } as const
    const figures = { rate, failed: rival, absent: rival, there: rival }
    const samples = [
      { rate: 1, failed: 1, there: 1 },
      { rate: 1, failed: 2, there: 2 },
      { rate: 1, failed: Number.NaN, there: 3 }
    ]
    const result = await run(benchmark(samples, figures), options())
    expect(result.figures.map(({ name }) => name)).toEqual(['rate', 'there'])
  })
})

test('rivals that took no part are told with the reason', () => {
  expect(absentees(new Map())).toBe('Every rival took part.')
  expect(absentees(new Map([['go-ds-crdt', 'Error: no go\nstack']]))).toBe(
    'Did not take part: go-ds-crdt. Error: no go'
  )
})

describe('turns', () => {
  const recording = (order: string[], name: string, ms: number) => async () => {
    order.push(name)
    return ms
  }

  test('let everybody begin once', async () => {
    const order: string[] = []
    const take = turns(options())
    const contestants = {
      ours: recording(order, 'ours', 1),
      raw: recording(order, 'raw', 2),
      OrbitDB: recording(order, 'OrbitDB', 3)
    }
    for (let round = 0; round < 3; round++) {
      expect(await take(contestants)).toEqual({ ours: 1, raw: 2, OrbitDB: 3 })
    }
    expect([order[0], order[3], order[6]]).toEqual(['ours', 'raw', 'OrbitDB'])
    expect(order).toHaveLength(9)
  })

  test("are the store's alone while a profile is taken", async () => {
    const order: string[] = []
    const take = turns({ ...options(), profileFolder: '/tmp' })
    await take({ ours: recording(order, 'ours', 1), raw: recording(order, 'raw', 2) })
    await take({ ours: recording(order, 'ours', 1), raw: recording(order, 'raw', 2) })
    expect(order).toEqual(['ours', 'ours'])
  })
})

describe('a curve', () => {
  const axis = { label: 'x', isLog: false }
  const curve = (fails: boolean): Curve => ({
    ...{ name: 'made-up', about: 'nothing', x: axis, y: axis },
    async *points() {
      yield { line: 'a', x: 1, y: 2 }
      check(!fails, 'it is wrong')
    }
  })

  test('has its points, and none of them if one was wrong', async () => {
    expect(await draw(curve(false), options())).toMatchObject({ points: [{ line: 'a', x: 1, y: 2 }] })
    expect(await draw(curve(true), options())).toMatchObject({
      points: [],
      error: 'wrong answer: it is wrong'
    })
  })
})
