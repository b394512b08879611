// What scripts are made of: a seed makes one script, every kind of life writes, and every kind of step stands in some.
import { expect, test } from 'vitest'
import { generateScript } from '../../src/testkit/simulation/generate.ts'
import { PROFILES, type ProfileName } from '../../src/testkit/simulation/profiles.ts'
import { printScript, type Step } from '../../src/testkit/simulation/script.ts'

const profiles = Object.keys(PROFILES) as ProfileName[]

test('a seed makes one script, another seed another one, and so does another profile', () => {
  for (let seed = 1; seed <= 30; seed++) {
    expect(printScript(generateScript(seed))).toBe(printScript(generateScript(seed)))
    expect(printScript(generateScript(seed))).not.toBe(printScript(generateScript(seed + 1)))
  }
  const scripts = profiles.map((profile) => printScript(generateScript(3, profile)))
  expect(new Set(scripts).size).toBe(profiles.length)
})

/** Every kind, complete by type. */
const KINDS: Record<Step['do'], true> = {
  ...{ wait: true, join: true, put: true, delete: true, batch: true, together: true, burst: true },
  ...{ abort: true, check: true, purge: true, resume: true, partition: true, cut: true, link: true },
  ...{ heal: true, close: true, start: true, crash: true, 'lose power': true, 'crash at write': true },
  ...{ 'fail writes': true, 'slow disk': true, 'lose disk': true, 'back up': true, restore: true },
  ...{ 'hostile joins': true, 'hostile leaves': true, 'odd block': true, 'forged heads': true },
  ...{ flood: true, noise: true, 'misused streams': true, answers: true, asks: true }
}

test('every kind of life writes, and every kind of step stands in some life', () => {
  const kinds = new Set<string>()
  for (const profile of profiles) {
    for (let seed = 1; seed <= 20; seed++) {
      const { steps } = generateScript(seed, profile)
      expect(steps.some((step) => step.do === 'put')).toBe(true)
      for (const step of steps) kinds.add(step.do)
    }
  }
  expect([...kinds].sort()).toEqual(Object.keys(KINDS).sort())
})
