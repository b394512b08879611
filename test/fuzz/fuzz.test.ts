// Everything that takes bytes from a peer or from a disk, on the kept corpus and on fresh inputs of a fixed seed.
//
// `npm run fuzz` runs the same with as many inputs as one likes; what an input of a failure is called there and here,
// `target:seed:index`, makes it again.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { campaign, type FailedInput } from './campaign.ts'
import { Chance } from './chance.ts'
import { readCorpus } from './corpus.ts'
import { execute, watchRejections } from './execute.ts'
import { Inputs } from './inputs.ts'
import { shrink } from './shrink.ts'
import { demand, hexOf, type Target } from './target.ts'
import { targets } from './targets/index.ts'

const SEED = '1'
/** Of all targets together, so that they take a few seconds. */
const INPUTS = 10_000

const weights = targets.reduce((sum, { weight }) => sum + weight, 0)

let endWatching: () => void
beforeAll(() => {
  endWatching = watchRejections()
})
afterAll(() => endWatching())

const tell = ({ name, kind, shrunk, error }: FailedInput): string =>
  `${name}: ${kind}\n${error instanceof Error ? error.stack : error}\nmade smaller: ${hexOf(shrunk)}`

test.each(targets.map((target) => [target.name, target] as const))(
  `the corpus and fresh inputs of seed ${SEED}: %s`,
  { timeout: 120_000 },
  async (name, target) => {
    expect(readCorpus(name).length).toBeGreaterThan(0)
    const inputs = Math.ceil((INPUTS * target.weight) / weights)
    const { failures, outcomes } = await campaign(target, { inputs, seed: SEED })
    expect(failures.map(tell)).toEqual([])
    // A generator that made nothing but rubbish would prove nothing.
    expect(outcomes.size).toBeGreaterThan(2)
  }
)

test('the corpus is small', () => {
  const bytes = targets.flatMap(({ name }) => readCorpus(name).map((entry) => entry.bytes.length))
  expect(bytes.reduce((sum, length) => sum + length, 0)).toBeLessThan(150_000)
})

// Without these a fuzzer that sees nothing would let everything above pass.

/** A decoder that fails on inputs with two bytes in this order, in the way that is asked for. */
function broken(run: (input: Uint8Array) => string | Promise<string>): Target {
  return {
    name: 'broken',
    weight: 1,
    seeds: () => [Uint8Array.of(1)],
    generate: (chance) => chance.bytes(40),
    run
  }
}

const hasPair = (input: Uint8Array): boolean =>
  [...input].some((byte, index) => byte === 7 && (input[index + 1] ?? 0) > 200)

test('the same name gives the same input, and another name another', () => {
  for (const target of targets) {
    const [one, other] = [new Inputs(target, 'a'), new Inputs(target, 'a')]
    for (let index = 0; index < 20; index++) expect(one.at(index)).toEqual(other.at(index))
    expect(new Inputs(target, 'b').at(0)).not.toEqual(one.at(0))
  }
  expect(new Chance('a').uint32()).not.toBe(new Chance('b').uint32())
})

test('a failing input is found, named, and made as small as can be', async () => {
  const target = broken((input) => {
    demand(!hasPair(input), 'There is a pair')
    return 'none'
  })
  const input = Uint8Array.from([...new Array(500).fill(3), 7, 201, ...new Array(300).fill(9)])
  const failure = await execute(target, input)
  if (typeof failure === 'string') throw new Error('It should fail')
  expect(failure.kind).toBe('Violation: There is a pair')
  expect(await shrink(target, input, failure)).toEqual(Uint8Array.of(7, 201))
})

test('a changed input, a rejection that nobody handles and any error are failures', async () => {
  const changed = broken((input) => {
    input[0] = 99
    return ''
  })
  expect(await execute(changed, Uint8Array.of(1))).toMatchObject({ kind: 'Error: The input was changed' })
  const throwing = broken(() => (null as unknown as string).trim())
  expect(await execute(throwing, Uint8Array.of(1))).toMatchObject({
    kind: expect.stringContaining('TypeError')
  })
  const rejecting = broken(async () => {
    void Promise.reject(new Error('nobody'))
    await new Promise((resolve) => setImmediate(resolve))
    return ''
  })
  expect(await execute(rejecting, Uint8Array.of(1))).toMatchObject({ kind: 'unhandled rejection' })
})
