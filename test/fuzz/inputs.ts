// Inputs by their names: `target:seed:index` always gives the same bytes, as long as the corpus is the same.
import { Chance } from './chance.ts'
import { readCorpus } from './corpus.ts'
import { mutate } from './mutator.ts'
import type { Target } from './target.ts'

export class Inputs {
  readonly #target: Target
  readonly #seed: string
  readonly #corpus: readonly Uint8Array[]

  /** @param corpus - what is mutated; by default the one that is kept. */
  constructor(target: Target, seed: string, corpus?: readonly Uint8Array[]) {
    this.#target = target
    this.#seed = seed
    const kept = readCorpus(target.name).map(({ bytes }) => bytes)
    // A new target has no corpus yet.
    this.#corpus = corpus ?? (kept.length > 0 ? kept : target.seeds())
  }

  at(index: number): Uint8Array {
    const chance = new Chance(`${this.#target.name}:${this.#seed}:${index}`)
    const kind = chance.below(100)
    if (kind < 4) return chance.bytes(chance.small(120))
    if (kind < 50) return mutate(chance.pick(this.#corpus), chance, this.#corpus)
    const made = this.#target.generate(chance)
    return kind < 85 ? made : mutate(made, chance, this.#corpus)
  }
}
