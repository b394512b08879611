/**
 * Runs simulations, and tells what they were about. A failing one is cut down and printed.
 *
 *     npm run simulate -- [--seeds 1000] [--from S] [--seed S] [--profile NAME] [--keep-going]
 */
import { parseArgs } from 'node:util'
import { generateScript } from '../../src/testkit/simulation/generate.ts'
import { PROFILES, type ProfileName } from '../../src/testkit/simulation/profiles.ts'
import { runScript } from '../../src/testkit/simulation/run.ts'
import { shrink } from '../../src/testkit/simulation/shrink.ts'
import { SimulationError } from '../../src/testkit/simulation/simulation-error.ts'
import { Totals } from './totals.ts'

const USAGE = `npm run simulate -- [options]

  --seeds N        how many lives (1000)
  --from S         the first seed (1)
  --seed S         one life alone
  --profile NAME   ${Object.keys(PROFILES).join(', ')}; without it each seed chooses one
  --keep-going     tell of what fails and go on, without cutting it down`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    profile: { type: 'string' },
    'keep-going': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

if (values.profile !== undefined && !(values.profile in PROFILES)) {
  console.error(`There is no profile ${values.profile}; there are: ${Object.keys(PROFILES).join(', ')}.`)
  process.exit(2)
}
const profile = values.profile as ProfileName | undefined
const first = wholeNumber('seed', values.seed) ?? wholeNumber('from', values.from) ?? 1
const count = values.seed === undefined ? (wholeNumber('seeds', values.seeds) ?? 1000) : 1

const totals = new Totals()
for (let seed = first; seed < first + count; seed++) {
  try {
    totals.add(await runScript(generateScript(seed, profile)))
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    totals.failed++
    console.error(`\n${error.message}`)
    if (!values['keep-going']) {
      const shortest = await shrink(error, (steps) => process.stderr.write(`\r${steps} steps left `))
      console.error(`\n\n${shortest.report()}`)
      break
    }
  }
  if (seed % 50 === 0) process.stderr.write(`\r${seed - first + 1} of ${count} seeds `)
}
console.log(`\n${totals.table()}`)
process.exitCode = totals.failed > 0 ? 1 : 0

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  console.error(`--${name} takes a whole number, not ${text}.`)
  process.exit(2)
}
