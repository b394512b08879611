// `npm run mutants`: breaks the source in every way that the tables name, and shows which check catches it. A mutant
// that survives is a hole in the tests.
import { parseArgs } from 'node:util'
import { type Outcome, runChecks, stopChecks } from './checks.ts'
import { filesOf, LAYERS, type Layer } from './layers.ts'
import type { Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { lineOf, type Result, writeJson, writePage } from './results.ts'
import { Scratch } from './scratch.ts'

const USAGE = `npm run mutants -- [options]

  --only NAME      this mutant alone; may be repeated
  --layer LAYER    ${LAYERS.map(({ name }) => name).join(', ')} or all (default): which checks are asked
  --json FILE      write the results there, too
  --docs           write the results of a whole run into docs/testing.md
  --list           name the mutants, and run nothing`

/** Copies at work at the same time. */
const CONCURRENCY = 2
/** The files that a mutant names take seconds; a whole layer takes minutes where the machine has other things to do. */
const LIKELY_TIMEOUT_MS = 120_000
const LAYER_TIMEOUT_MS = 900_000

interface PresentLayer extends Layer {
  files: readonly string[]
}

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    layer: { type: 'string', default: 'all' },
    json: { type: 'string' },
    docs: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' }
  }
})

async function main(): Promise<number> {
  const mutants = chosenMutants()
  if (options.help) console.log(USAGE)
  if (options.list) for (const { name, breaks } of mutants) console.log(`${name.padEnd(36)} ${breaks}`)
  if (options.help || options.list) return 0
  if (options.docs && options.only !== undefined) throw new Error('The page has the results of a whole run')
  const scratches = Array.from({ length: CONCURRENCY }, () => new Scratch())
  const remove = (): void => {
    for (const scratch of scratches) scratch.remove()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopChecks()
      remove()
      process.exit(1)
    })
  }
  try {
    const layers = chosenLayers((scratches[0] as Scratch).root)
    if (!(await passUnmutated(scratches[0] as Scratch, layers, mutants))) return 1
    const results = await tryAll(mutants, layers, scratches)
    return report(results)
  } finally {
    remove()
  }
}

function chosenMutants(): Mutant[] {
  const { only } = options
  for (const name of only ?? []) {
    if (!MUTANTS.some((mutant) => mutant.name === name)) throw new Error(`There is no mutant ${name}`)
  }
  return MUTANTS.filter(({ name }) => only?.includes(name) ?? true)
}

function chosenLayers(root: string): PresentLayer[] {
  const named = LAYERS.filter(({ name }) => options.layer === 'all' || options.layer === name)
  if (named.length === 0) throw new Error(`There is no layer ${options.layer}`)
  const layers = named.map((layer) => ({ ...layer, files: filesOf(layer, root) }))
  for (const { name, files } of layers)
    if (files.length === 0) console.log(`layer ${name}: no tests yet, passed over`)
  return layers.filter(({ files }) => files.length > 0)
}

/** Tests that fail by themselves would catch everything. For few mutants those are tried that may be asked first. */
async function passUnmutated(
  scratch: Scratch,
  layers: readonly PresentLayer[],
  mutants: readonly Mutant[]
): Promise<boolean> {
  const likely = new Set(mutants.flatMap((mutant) => mutant.likely.map((file) => `test/${file}`)))
  for (const { name, files, usesLikely } of layers) {
    const asked = options.only !== undefined && usesLikely ? files.filter((file) => likely.has(file)) : files
    const outcome = await runChecks(scratch.root, asked, LAYER_TIMEOUT_MS)
    console.log(`${outcome.passed ? 'passes' : 'FAILS'}    ${name}, unmutated${byOf(outcome)}`)
    if (!outcome.passed) return false
  }
  return true
}

async function tryAll(
  mutants: readonly Mutant[],
  layers: readonly PresentLayer[],
  scratches: readonly Scratch[]
): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...mutants.entries()]
  const work = async (scratch: Scratch): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, mutant] = next
      const result = await tryOne(mutant, layers, scratch)
      results[index] = result
      console.log(lineOf(result))
    }
  }
  await Promise.all(scratches.map(work))
  return results
}

async function tryOne(mutant: Mutant, layers: readonly PresentLayer[], scratch: Scratch): Promise<Result> {
  const begun = performance.now()
  const seconds = (): number => Math.round((performance.now() - begun) / 100) / 10
  try {
    const caught = await scratch.with(mutant, async () => {
      for (const layer of layers) {
        const outcome = await askLayer(mutant, layer, scratch)
        if (!outcome.passed) return { layer: layer.name, by: outcome.by }
      }
      return undefined
    })
    return { mutant, ...(caught === undefined ? {} : { caught }), seconds: seconds() }
  } catch (error) {
    return { mutant, error: String(error), seconds: seconds() }
  }
}

/** What is likely to see it goes first, the rest after. */
async function askLayer(
  mutant: Mutant,
  { files, usesLikely }: PresentLayer,
  scratch: Scratch
): Promise<Outcome> {
  const likely = usesLikely ? mutant.likely.map((file) => `test/${file}`) : []
  for (const file of likely) {
    const outcome = await runChecks(scratch.root, [file], LIKELY_TIMEOUT_MS)
    if (!outcome.passed) return outcome
  }
  let rest = files.filter((file) => !likely.includes(file))
  for (;;) {
    const outcome = await runChecks(scratch.root, rest, LAYER_TIMEOUT_MS)
    if (outcome.passed || outcome.file === undefined) return outcome
    // What fails among many others and not by itself was starved by them, and has seen nothing.
    const alone = await runChecks(scratch.root, [outcome.file], LIKELY_TIMEOUT_MS)
    if (!alone.passed) return alone
    rest = rest.filter((file) => file !== outcome.file)
  }
}

function byOf(outcome: Outcome): string {
  return outcome.passed ? '' : `: ${outcome.by}`
}

function report(results: readonly Result[]): number {
  const bad = results.filter(({ caught }) => caught === undefined)
  console.log(`\n${results.length - bad.length} of ${results.length} mutants were caught`)
  for (const result of bad) console.log(lineOf(result))
  if (options.json !== undefined) writeJson(options.json, results)
  if (options.docs) writePage(results)
  return bad.length === 0 ? 0 : 1
}

process.exitCode = await main()
