/**
 * Makes the corpus anew: inputs of real encoders, and the smallest input of each class that a search finds. Entries
 * that once failed are kept.
 *
 *     node test/fuzz/make-corpus.ts [TARGET]...
 */
import { type Entry, readCorpus, writeCorpus } from './corpus.ts'
import { execute } from './execute.ts'
import { Inputs } from './inputs.ts'
import type { Target } from './target.ts'
import { targets } from './targets/index.ts'

/** Inputs that are tried for one share of a run; a decoder has many shares and a store has few. */
const INPUTS_PER_WEIGHT = 800
const SEEDS_MAX = 16
const SEED_BYTES_MAX = 1200
const FOUND_MAX = 60
const FOUND_BYTES_MAX = 300

const names = process.argv.slice(2)
for (const target of targets) {
  if (names.length === 0 || names.includes(target.name)) await makeCorpus(target)
}

async function makeCorpus(target: Target): Promise<void> {
  const failed = readCorpus(target.name).filter(({ why }) => why.startsWith('failed'))
  const seeds = spread(target.seeds().filter(({ length }) => length <= SEED_BYTES_MAX))
  const classes = new Map<string, Uint8Array>()
  const seen = new Set<string>()
  for (const bytes of seeds) seen.add(`${await execute(target, bytes)}`)
  const inputs = new Inputs(target, 'corpus', seeds)
  for (let index = 0; index < INPUTS_PER_WEIGHT * target.weight; index++) {
    const bytes = inputs.at(index)
    if (bytes.length > FOUND_BYTES_MAX) continue
    const outcome = await execute(target, bytes)
    if (typeof outcome !== 'string' || seen.has(outcome)) continue
    const smallest = classes.get(outcome)
    if (smallest === undefined || bytes.length < smallest.length) classes.set(outcome, bytes)
  }
  const found = [...classes]
    .slice(0, FOUND_MAX)
    .map(([outcome, bytes]): Entry => ({ why: `found ${outcome}`, bytes }))
  const entries = [...failed, ...seeds.map((bytes): Entry => ({ why: 'seed', bytes })), ...found]
  writeCorpus(target.name, entries)
  console.log(
    `${target.name}: ${entries.length} entries, of ${classes.size} classes beside those of the seeds`
  )
}

/** Not only the first, which are much alike. */
function spread(seeds: readonly Uint8Array[]): Uint8Array[] {
  const step = Math.max(1, seeds.length / SEEDS_MAX)
  return Array.from(
    { length: Math.min(seeds.length, SEEDS_MAX) },
    (_, index) => seeds[Math.floor(index * step)]!
  )
}
