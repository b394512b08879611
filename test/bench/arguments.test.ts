// The command line of the benchmarks.
import { describe, expect, test } from 'vitest'
import { ArgumentError, choose, HELP, parseArguments } from '../../bench/arguments.ts'

describe('arguments', () => {
  test('none mean a full run of everything, rivals included', () => {
    expect(parseArguments([])).toEqual({
      ...{ quick: false, only: [], json: undefined, rivals: true, curves: false },
      ...{ profile: undefined, list: false, help: false }
    })
  })

  test('are read', () => {
    const args = [
      '--quick',
      '--only',
      'put',
      '--only',
      'get',
      '--json',
      'a.json',
      '--skip-rivals',
      '--curves'
    ]
    expect(parseArguments(args)).toMatchObject({
      ...{ quick: true, only: ['put', 'get'], json: 'a.json', rivals: false, curves: true }
    })
  })

  test('that nobody knows, or that lack a value, are refused by name', () => {
    expect(() => parseArguments(['--fast'])).toThrow(/--fast/)
    expect(() => parseArguments(['--only'])).toThrow(ArgumentError)
    expect(() => parseArguments(['put'])).toThrow(/put/)
  })

  test('are all in the help', () => {
    for (const name of ['quick', 'only', 'json', 'skip-rivals', 'curves', 'profile', 'list', 'help']) {
      expect(HELP).toContain(`--${name}`)
    }
  })
})

describe('what is chosen', () => {
  const all = [{ name: 'put' }, { name: 'get' }, { name: 'memory', isLong: true }]
  const names = (only: string[], quick: boolean) => choose(all, only, quick).map(({ name }) => name)

  test('is everything in a full run, and nothing long in a quick one', () => {
    expect(names([], false)).toEqual(['put', 'get', 'memory'])
    expect(names([], true)).toEqual(['put', 'get'])
  })

  test('is what was named, long or not, in the order of the list', () => {
    expect(names(['memory', 'put'], true)).toEqual(['put', 'memory'])
  })

  test('cannot be what there is not', () => {
    expect(() => names(['put', 'pot'], false)).toThrow(/There is no pot/)
  })
})
