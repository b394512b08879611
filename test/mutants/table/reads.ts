// Faults in what is remembered of rows to answer reads.
import { type Mutant, mutant } from '../mutant.ts'

const TESTS = ['storage/read-cache.test.ts']

const CACHE = 'storage/read-cache.ts'

export const READ_MUTANTS: readonly Mutant[] = [
  mutant(
    'cache-outlives-commit',
    'A read after a commit sees what it wrote, also where the key was read before.',
    'replica/stores.ts',
    ['cache === undefined ? uncached : cachedCommitter(uncached, cache)', 'uncached'],
    TESTS
  ),
  mutant(
    'cache-outlives-deletion',
    'What a delete, a purge or a repair takes away is not read from memory.',
    CACHE,
    [
      'if (!this.#layout.isCurrent(row)) continue',
      'if (rows.get(row) === null || !this.#layout.isCurrent(row)) continue'
    ],
    TESTS
  ),
  mutant(
    'cache-keeps-overtaken-read',
    'A read that a commit of its row overtook is not remembered.',
    CACHE,
    ['this.#reads.delete(row) keys.push(row)', 'keys.push(row)'],
    TESTS
  ),
  mutant(
    'cache-keeps-read-during-commit',
    'Nothing is remembered of rows whose commit is under way.',
    CACHE,
    ['if (this.#committing?.has(row)) return undefined', ''],
    TESTS
  ),
  mutant(
    'cache-adopts-failed-commit',
    'What a failed commit was to write is not read from memory.',
    CACHE,
    ['abandon() throw error', 'adopt()\nthrow error'],
    TESTS
  ),
  mutant(
    'cache-unbounded',
    'What is remembered for reads is bounded in bytes.',
    CACHE,
    ['this.#old = this.#young this.#young = new Generation()', ''],
    TESTS
  ),
  mutant(
    'cache-hands-out-its-bytes',
    'A caller that changes the bytes it was given changes them for nobody else.',
    'storage/set-store.ts',
    ['known === null ? undefined : new Uint8Array(known)', 'known === null ? undefined : known'],
    TESTS
  ),
  mutant(
    'cache-keeps-callers-bytes',
    'Bytes that were handed out are not the ones that are remembered.',
    CACHE,
    ['value === undefined ? null : new Uint8Array(value)', 'value === undefined ? null : value'],
    TESTS
  )
]
