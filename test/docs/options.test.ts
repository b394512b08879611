// docs/options.md says every option and every limit as the code has them: names, defaults, bounds, units, meanings.
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/options.ts'
import { cell, type Member, membersOf, namesIn, read, sectionOf } from './tables.ts'

const page = read('docs/options.md')
const [KIB, MIB, GIB] = [1024, 1024 ** 2, 1024 ** 3]
const [SECOND, MINUTE, DAY] = [1000, 60_000, 86_400_000]

describe('options', () => {
  const options = membersOf('src/create.ts', 'CrdtDatastoreInit')

  test('every option has its row', () => {
    const lines = sectionOf(page, '## Options').split('\n')
    expect(options.map(optionRow).filter((row) => !lines.includes(row))).toEqual([])
  })

  test('no row is about an option that there is not', () => {
    expect(namesIn(sectionOf(page, '## Options'))).toEqual(options.map(({ name }) => name))
  })

  test('the source was read: some options are there, and all are explained', () => {
    expect(options.map(({ name }) => name)).toEqual(expect.arrayContaining(['datastore', 'libp2p', 'random']))
    expect(options.filter(({ doc }) => doc === '')).toEqual([])
  })
})

describe('limits', () => {
  const limits = membersOf('src/options.ts', 'LIMITS')

  test('every limit has its row', () => {
    const lines = sectionOf(page, '## Limits').split('\n')
    expect(limits.map(limitRow).filter((row) => !lines.includes(row))).toEqual([])
  })

  test('no row is about a limit that there is not', () => {
    expect(namesIn(sectionOf(page, '## Limits'))).toEqual(Object.keys(LIMITS))
  })

  test('the source was read: every limit is explained', () => {
    expect(limits.map(({ name }) => name)).toEqual(Object.keys(LIMITS))
    expect(limits.filter(({ doc }) => doc === '')).toEqual([])
  })
})

function optionRow({ name, doc, default: given }: Member): string {
  const required = name === 'datastore' ? 'none: it is needed' : 'none'
  return `| \`${name}\` | ${cell(given ?? required)} | ${cell(doc)} |`
}

function limitRow({ name, doc }: Member): string {
  const { default: value, min, max, unit } = LIMITS[name as keyof typeof LIMITS]
  const [inWords, least, most] = [value, min, max].map((number) => amount(number, unit))
  return `| \`${name}\` | ${inWords} | ${least} | ${most} | ${unit} | ${cell(doc)} |`
}

/** A number as a person reads it, exactly. */
function amount(value: number, unit: string): string {
  if (value === 0 || unit === 'count') return value.toLocaleString('en-US')
  const units: Array<[number, string]> =
    unit === 'ms'
      ? [
          [DAY, 'd'],
          [MINUTE, 'min'],
          [SECOND, 's'],
          [1, 'ms']
        ]
      : [
          [GIB, 'GiB'],
          [MIB, 'MiB'],
          [KIB, 'KiB'],
          [1, 'B']
        ]
  // A quarter is as much of a fraction as a reader can be asked to multiply.
  const [size, name] = units.find(([size]) => value >= size && Number.isInteger((4 * value) / size)) as [
    number,
    string
  ]
  return `${value / size} ${name}${unit === 'bytes/s' ? '/s' : ''}`
}
