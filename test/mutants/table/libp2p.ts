// Faults in what stands between the ports and libp2p: streams of both generations, and who is told what when.
import { type Mutant, mutant } from '../mutant.ts'

export const LIBP2P_MUTANTS: readonly Mutant[] = [
  mutant(
    'close-outlives-stream',
    'The wait for the close of a stream ends when the stream is aborted.',
    'libp2p/streams.ts',
    ['Promise.race([this.#aborted.promise, this.#chunks.closeWrite()])', 'this.#chunks.closeWrite()'],
    ['libp2p/streams.test.ts', 'libp2p/real-nodes.test.ts']
  ),
  mutant(
    'lost-before-mesh',
    'What was committed until gossip reaches a peer that subscribed is told by a hello.',
    'libp2p/sync/reminder.ts',
    ['this.#tell(peer) this.#settle(peer, later)', 'this.#settle(peer, later)'],
    ['libp2p/reminder.test.ts']
  ),
  mutant(
    'lost-while-merged',
    'What gossip brought here before it reached a peer, and took long to be merged, is told by a second hello.',
    'libp2p/sync/reminder.ts',
    ['const PAUSES = [1, 3]', 'const PAUSES = [1]'],
    ['libp2p/reminder.test.ts']
  ),
  mutant(
    'lost-before-subscription',
    'What was committed between a hello and a subscription is told at once.',
    'libp2p/sync/reminder.ts',
    ['this.#tell(peer) this.#settle(peer, PAUSES)', 'this.#settle(peer, PAUSES)'],
    ['libp2p/reminder.test.ts', 'libp2p/real-nodes.test.ts']
  ),
  mutant(
    'level-replicas-greeted',
    'A peer that was told of the newest commit is not greeted again.',
    'libp2p/sync/reminder.ts',
    ['&& this.#told.get(peer) !== sequence()', '&& sequence() >= 0'],
    ['libp2p/reminder.test.ts', 'libp2p/real-nodes.test.ts']
  ),
  mutant(
    'timer-of-reminder-left',
    'A stop leaves no timer running: hellos that are to tell what gossip did not.',
    'libp2p/sync/reminder.ts',
    [
      'for (const timer of this.#settling.values()) this.#init.clock.clearTimeout(timer)\nthis.#settling.clear()',
      ''
    ],
    ['libp2p/reminder.test.ts']
  )
]
