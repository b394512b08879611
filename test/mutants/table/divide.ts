// Faults in how one history is taken from several peers.
import { type Mutant, mutant } from '../mutant.ts'

const DIVIDED = ['libp2p/divided-pull.test.ts', 'libp2p/divided-history.test.ts']

export const DIVIDE_MUTANTS: readonly Mutant[] = [
  mutant(
    'misfit-handed-on',
    'A span that does not go on where the one before it ended is not taken.',
    'libp2p/sync/tail.ts',
    ['if (!this.#isSeen && (matches === 0 || matches * 4 < first.length)) return undefined', ''],
    DIVIDED
  ),
  mutant(
    'span-without-overlap',
    'Spans overlap, so that a node which is a little out of place in another log is not lost between two of them.',
    'libp2p/sync/span.ts',
    ['this.#row = this.start - 1 - this.overlap', 'this.#row = this.start - 1'],
    DIVIDED
  ),
  mutant(
    'read-ahead-without-bound',
    'What waits for what another peer is to send is bounded.',
    'libp2p/sync/crew.ts',
    ['return spans.bytesWaiting < limits.syncAheadBytesMax', 'return true'],
    DIVIDED
  ),
  mutant(
    'rest-of-span-lost',
    'What a peer that broke off did not send is sent by another.',
    'libp2p/sync/spans.ts',
    ['this.#list.splice(index + 1, 0, rest)', 'this.#rest += 0'],
    DIVIDED
  ),
  mutant(
    'slow-lane-kept',
    'A peer that holds up the others has its span taken over.',
    'libp2p/sync/crew.ts',
    ['} while (this.#relieve())', '} while (false)'],
    DIVIDED
  ),
  mutant(
    'mute-lane-excused',
    'A peer that waited for room and then sends nothing is not asked again and again.',
    'libp2p/sync/crew.ts',
    ['if (!lane.wasHeld || !isOfUse)', 'if (!lane.wasHeld)'],
    ['libp2p/crew.test.ts']
  ),
  mutant(
    'divided-while-busy',
    'A history is not divided while this replica, and not the network, is what is slow.',
    'libp2p/sync/demand.ts',
    ['this.#waitedMs > this.#tookMs && unmerged() <= this.#blocks', 'unmerged() < Infinity'],
    DIVIDED
  ),
  mutant(
    'cursor-of-another-peer',
    'What others sent is not taken for what the asked peer would have sent, when its stream is resumed.',
    'libp2p/sync/divided-pull.ts',
    ['if (from !== this.#init.peer) this.#isShared = true', 'if (from === undefined) this.#isShared = true'],
    DIVIDED
  ),
  mutant(
    'until-is-ignored',
    'An answer ends at the sequence number that was asked for.',
    'libp2p/sync/server.ts',
    ['if (until > 0n) last = Math.min(last, sequenceOfWire(until))', ''],
    DIVIDED
  )
]
