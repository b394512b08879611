// The table of limits: its own consistency, and that every value that cannot be is refused by name.
import { MemoryDatastore } from 'datastore-core'
import { describe, expect, test } from 'vitest'
import { createCrdtDatastore, defaultLimits, LIMITS, type LimitName } from '../src/index.ts'
import { resolveLimits } from '../src/options.ts'

const names = Object.keys(LIMITS) as LimitName[]

describe.each(names)('%s', (name) => {
  const { default: byDefault, min, max, unit } = LIMITS[name]

  test('has bounds that hold its default', () => {
    expect(Number.isInteger(byDefault)).toBe(true)
    expect(min).toBeLessThanOrEqual(byDefault)
    expect(max).toBeGreaterThanOrEqual(byDefault)
    expect(max).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER)
  })

  test('says its unit in its name', () => {
    const unitOfName = /Ms(Max)?$/.test(name)
      ? 'ms'
      : /BytesPerSecond/.test(name)
        ? 'bytes/s'
        : /Bytes/.test(name)
          ? 'bytes'
          : 'count'
    expect(unit).toBe(unitOfName)
  })

  test('takes its bounds', () => {
    expect(resolveLimits({ [name]: min })[name]).toBe(min)
    expect(resolveLimits({ [name]: Math.floor(max) })[name]).toBe(Math.floor(max))
  })

  test.each([
    ['below its least', min - 1],
    ['above its greatest', max + 1],
    ['a fraction', byDefault + 0.5],
    ['NaN', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['a text', `${byDefault}`],
    ['null', null],
    ['a bigint', BigInt(byDefault)]
  ])('refuses what is %s', async (_name, value) => {
    const creating = createCrdtDatastore({ datastore: new MemoryDatastore(), start: false, [name]: value })
    await expect(creating).rejects.toMatchObject({ name: 'InvalidOptionError', option: name })
    await expect(creating).rejects.toThrow(`Option ${name} is `)
    await expect(creating).rejects.toThrow(`from ${min} to ${max} (${unit})`)
  })
})

test('the defaults are those of the table, and cannot be changed', () => {
  for (const name of names) expect(defaultLimits[name]).toBe(LIMITS[name].default)
  expect(Object.isFrozen(defaultLimits)).toBe(true)
  expect(resolveLimits({})).toEqual(defaultLimits)
  expect(resolveLimits({ linksMax: undefined })).toEqual(defaultLimits)
})

test('one limit that is given leaves the others alone', () => {
  expect(resolveLimits({ linksMax: 3 })).toEqual({ ...defaultLimits, linksMax: 3 })
})
