// The peers that send one history: what becomes of one that had to wait for room.
import { expect, test } from 'vitest'
import type { PulledBatch } from '../../src/libp2p/sync/client.ts'
import { Crew } from '../../src/libp2p/sync/crew.ts'
import type { Span } from '../../src/libp2p/sync/span.ts'
import { Spans } from '../../src/libp2p/sync/spans.ts'
import { defaultLimits } from '../../src/options.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

const AHEAD_BYTES = 4000
/** Of two blocks, as long as nobody knows how large they are. */
const SHARE_BYTES = 2048

test('a peer that had to wait for room and then sends nothing is asked for nothing more', async () => {
  const clock = new VirtualClock()
  const limits = { ...defaultLimits, syncAheadBytesMax: AHEAD_BYTES }
  const spans = new Spans(0, 1000, SHARE_BYTES)
  const asked: string[] = []
  async function* rows(
    peer: string,
    after: number,
    _until: number,
    signal: AbortSignal
  ): AsyncGenerator<PulledBatch> {
    asked.push(peer)
    if (peer === 'mute') throw new Error('nothing to say')
    // More than may wait, though it is one row.
    yield { blocks: [new Uint8Array(2 * AHEAD_BYTES)], cursor: { generation: peer, sequence: after + 1 } }
    await ended(signal)
  }
  const crew = new Crew({ spans, limits, clock, rows })
  crew.add('slow', 1000)
  crew.begin('slow', spans.cut(10), async function* (_until, signal) {
    await ended(signal)
    yield* []
  })
  crew.add('full', 1000)
  crew.assign()
  await clock.settle()
  crew.add('mute', 1000)
  crew.assign()
  await clock.settle()
  expect(spans.bytesWaiting).toBeGreaterThan(AHEAD_BYTES)
  expect([asked, crew.size]).toEqual([['full'], 3])

  const isOfFull = ({ bytes }: Span): boolean => bytes > 0
  spans.find(isOfFull)?.take()
  crew.changed()
  await clock.settle()
  crew.assign()
  await clock.settle()
  expect(asked).toEqual(['full', 'mute'])
  expect([crew.size, crew.knows('mute')]).toEqual([2, true])
  crew.end(new Error('over'))
  await crew.ended()
})

async function ended(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
}
