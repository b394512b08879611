// The regression gate of the benchmarks, with results that were made up.
import { describe, expect, test } from 'vitest'
import {
  betterOf,
  describeFall,
  type Expectations,
  fallsOf,
  type Medians
} from '../../bench/check/expectations.ts'
import { ATTEMPTS_MAX, gate } from '../../bench/check/gate.ts'
import expected from '../../bench/expected.json' with { type: 'json' }

const bounds: Expectations = {
  put: { speed: { atLeast: 0.2, measured: 0.4 } },
  delete: { growth: { atMost: 4, measured: 2 } }
}
const good: Medians = { put: { speed: 0.4, rate: 9 }, delete: { growth: 2 } }

describe('bounds', () => {
  test('are reached by what is as good, better, or just good enough', () => {
    expect(fallsOf(bounds, good)).toEqual([])
    expect(fallsOf(bounds, { put: { speed: 0.2 }, delete: { growth: 4 } })).toEqual([])
    expect(fallsOf(bounds, { put: { speed: 5 }, delete: { growth: 0.1 } })).toEqual([])
  })

  test('are missed by less where more is better, and by more where less is', () => {
    expect(fallsOf(bounds, { ...good, put: { speed: 0.19 } })).toMatchObject([
      { benchmark: 'put', figure: 'speed', found: 0.19 }
    ])
    expect(fallsOf(bounds, { ...good, delete: { growth: 4.1 } })).toMatchObject([{ benchmark: 'delete' }])
  })

  test('are missed by what gave no figure', () => {
    expect(fallsOf(bounds, { put: {}, delete: { growth: Number.NaN } })).toHaveLength(2)
    expect(fallsOf(bounds, {})).toHaveLength(2)
  })

  test('that were missed are told with what was found and what is wanted', () => {
    const [fall] = fallsOf(bounds, { ...good, put: { speed: 0.1 } })
    expect(describeFall(fall!)).toBe('put, speed: 0.1, which has to be at least 0.2 (was 0.4)')
    const [gone] = fallsOf(bounds, { ...good, delete: {} })
    expect(describeFall(gone!)).toBe('delete, growth: no figure, which has to be at most 4 (was 2)')
  })
})

test('the better of two measurements is the greater where more is better, and the other way round', () => {
  const first = { put: { speed: 0.1 }, delete: { growth: 3 } }
  const second = { put: { speed: 0.3 }, delete: { growth: 5 } }
  expect(betterOf(bounds, first, second)).toEqual({ put: { speed: 0.3 }, delete: { growth: 3 } })
  expect(betterOf(bounds, first, {})).toEqual(first)
})

describe('the gate', () => {
  const measuring = (...results: Medians[]) => {
    const asked: string[][] = []
    const measure = async (names: string[]) => {
      asked.push(names)
      return results[Math.min(asked.length, results.length) - 1]!
    }
    return { asked, measure }
  }

  test('measures once where nothing falls', async () => {
    const { asked, measure } = measuring(good)
    expect(await gate(bounds, measure)).toEqual([])
    expect(asked).toEqual([['put', 'delete']])
  })

  test('measures again what fell, and only that, and forgives noise', async () => {
    const { asked, measure } = measuring({ ...good, put: { speed: 0.1 } }, { put: { speed: 0.3 } })
    const told: string[] = []
    expect(await gate(bounds, measure, (falls) => told.push(...falls.map(describeFall)))).toEqual([])
    expect(asked).toEqual([['put', 'delete'], ['put']])
    expect(told).toHaveLength(1)
  })

  test('fails what falls every time, after so many attempts', async () => {
    const { asked, measure } = measuring({ ...good, put: { speed: 0.1 } })
    expect(await gate(bounds, measure)).toMatchObject([{ benchmark: 'put', figure: 'speed', found: 0.1 }])
    expect(asked).toHaveLength(ATTEMPTS_MAX)
  })
})

test('each bound in the repository has a side, and leaves room for noise', () => {
  const all = Object.values(expected as Expectations).flatMap((figures) => Object.values(figures))
  expect(all.length).toBeGreaterThan(5)
  for (const { atLeast, atMost, measured } of all) {
    expect([atLeast, atMost].filter((bound) => bound !== undefined)).toHaveLength(1)
    if (atLeast !== undefined) expect(atLeast).toBeLessThanOrEqual(measured * 0.6)
    if (atMost !== undefined) expect(atMost).toBeGreaterThanOrEqual(measured * 1.6)
  }
})
