// Faults in what is remembered of rows to answer reads.
import { type Mutant, mutant } from '../mutant.ts'

const TESTS = ['storage/read-cache.test.ts']

const CACHE = 'storage/read-cache.ts'
const ARENA = 'storage/value-arena.ts'

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
    ['if (!this.#layout.isCurrent(row) ||', 'if (bytes === null || !this.#layout.isCurrent(row) ||'],
    TESTS
  ),
  mutant(
    'cache-keeps-overtaken-read',
    'A read that a commit of its row overtook is not remembered.',
    CACHE,
    ['for (const row of rows.keys()) this.#reads.delete(row)', ''],
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
    ['cache.abandonCommit(changes)', 'cache.adoptCommit(changes)'],
    TESTS
  ),
  mutant(
    'cache-unbounded',
    'What is remembered for reads is bounded in bytes.',
    CACHE,
    ['this.#old = this.#young this.#young = fresh', ''],
    TESTS
  ),
  mutant(
    'cache-hands-out-its-bytes',
    'A caller that changes the bytes it was given changes them for nobody else.',
    ARENA,
    ['return chunk.slice(start,', 'return chunk.subarray(start,'],
    ['storage/value-arena.test.ts']
  ),
  mutant(
    'cache-writes-over-neighbour',
    'What is remembered of a key stays what it is when others are written.',
    ARENA,
    ['return value.length <= lengthAt(chunk, start)', 'return lengthAt(chunk, start) >= 0'],
    ['storage/value-arena.test.ts']
  )
]
