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
    ['this.#commits += 1', ''],
    TESTS
  ),
  mutant(
    'cache-keeps-read-during-commit',
    'Nothing is remembered of rows whose commit is under way.',
    CACHE,
    ['return this.#committing?.has(row) ? undefined : this.#commits', 'return this.#commits'],
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
    ARENA,
    ['if (this.#bytes + entryBytes + this.#chunkBytesFor(value) > this.#bytesMax) return false', ''],
    ['storage/value-arena.test.ts']
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
