// A sync server and its router, given the bytes of one stream: whatever they are, the stream is answered or dropped, and
// nothing stays.
//
// The first byte of an input says how the bytes are cut into chunks, the second how they end.

import { fromBinary } from '@bufbuild/protobuf'
import { decode } from 'it-length-prefixed'
import { SYNC_PROTOCOL, syncExchange } from '../../../src/libp2p/index.ts'
import { ResponseSchema } from '../../../src/libp2p/sync/messages_pb.ts'
import { SyncError } from '../../../src/libp2p/sync/sync-error.ts'
import { defaultLimits } from '../../../src/options.ts'
import { join } from '../../codec/wire-bytes.ts'
import { FakeLibp2p, type FakeStream } from '../../libp2p/fake-libp2p.ts'
import { ManualClock, settle } from '../../libp2p/manual-clock.ts'
import type { Chance } from '../chance.ts'
import { anyFrame, anyRequest, frame, goodRequests, serving, TOPIC } from '../sync-wire.ts'
import { demand, few, hexOf, type Target } from '../target.ts'

const CHUNK_LENGTHS = [Number.POSITIVE_INFINITY, 1, 2, 3, 7, 64]
const ENDINGS = ['end', 'abort', 'silence', 'deaf'] as const

const served = new Set(serving.log.map(({ bytes }) => hexOf(bytes)))
const [hello, want, all, cursor, blocks] = goodRequests.map(frame) as [
  Uint8Array,
  ...Uint8Array[]
] as Uint8Array[]

export const syncServerTarget: Target = {
  name: 'sync-server',
  weight: 7,
  seeds: () =>
    [[hello], [hello, want, all], [hello, cursor, blocks], [want], [hello, hello]].flatMap(
      (frames, index) => {
        const bytes = join(...(frames as Uint8Array[]))
        return [join(Uint8Array.of(0, 0), bytes), join(Uint8Array.of(index + 1, index), bytes)]
      }
    ),
  generate: (chance) => join(header(chance), stream(chance)),
  async run(input) {
    const victim = new FakeLibp2p('victim')
    const attacker = new FakeLibp2p('attacker')
    const clock = new ManualClock()
    const exchange = syncExchange({ libp2p: victim, clock, random: () => 0.5 }, { topic: TOPIC })
    serving.claims.length = 0
    await exchange.start(serving)
    attacker.connect(victim)
    const stream = await attacker.connections[0]!.newStream(SYNC_PROTOCOL)
    const ending = ENDINGS[(input[1] ?? 0) % ENDINGS.length]!
    const answer: Uint8Array[] = []
    const reading = ending === 'deaf' ? Promise.resolve('deaf') : read(stream, answer)
    await write(stream, input)
    if (ending === 'end') stream.endRaw()
    if (ending === 'abort') stream.abort(new Error('reset'))
    await settle()
    // What is over takes no time to end, and a timer that is left would be seen by nobody once it has passed.
    demand(stream.isOpen || clock.timers === 0, 'A timer is left of a stream that is over')
    for (let turn = 0; turn < 4; turn++) await clock.pass(defaultLimits.syncIdleTimeoutMs)
    demand(!stream.isOpen && victim.openStreams().length === 0, 'A stream stays open')
    const { counters } = exchange
    demand(counters.streamsOpen === 0, 'A stream is counted as open')
    demand(
      counters.invalidFrames <= counters.droppedStreams,
      'An invalid frame is counted and its stream is not'
    )
    demand(serving.claims.length === counters.hellos, 'The claims are not the hellos')
    await exchange.stop()
    demand(clock.timers === 0, 'A timer is left')
    const end = await Promise.race([reading, settle().then(() => 'hangs')])
    demand(end !== 'hangs', 'The answer has no end')
    const { invalidFrames, droppedStreams, blocksOut, hellos } = counters
    const cases = await casesOf(answer)
    return [ending, ...cases, invalidFrames, droppedStreams, hellos, few(blocksOut), end].join(' ')
  }
}

export function header(chance: Chance): Uint8Array {
  return Uint8Array.of(
    chance.percent(60) ? 0 : chance.below(CHUNK_LENGTHS.length),
    chance.percent(60) ? 0 : chance.below(ENDINGS.length)
  )
}

function stream(chance: Chance): Uint8Array {
  const start = chance.percent(50) ? (hello as Uint8Array) : anyFrame(chance, anyRequest(chance, true))
  return join(start, ...chance.some(4, () => anyFrame(chance, anyRequest(chance))))
}

/** Writes what follows the first two bytes, in chunks. */
export async function write(stream: FakeStream, input: Uint8Array): Promise<void> {
  const length = CHUNK_LENGTHS[(input[0] ?? 0) % CHUNK_LENGTHS.length]!
  for (let from = 2; from < input.length; from += length) {
    // The other side may have dropped the stream by now.
    await stream.writeRaw(input.subarray(from, from + length)).catch(() => {})
  }
}

async function read(stream: FakeStream, answer: Uint8Array[]): Promise<string> {
  try {
    for await (const chunk of stream.source) answer.push(chunk)
    return 'ended'
  } catch (error) {
    if (error instanceof SyncError) return `reset ${error.reason}`
    // The router takes any error for one of the stream, so an error of its own would be seen by nobody.
    if (!(error instanceof Error && error.message === 'reset')) throw error
    return 'reset by us'
  }
}

/** What was answered: only messages that can be read, and only blocks that may be served. */
async function casesOf(answer: Uint8Array[]): Promise<string[]> {
  const cases: string[] = []
  try {
    for await (const bytes of decode(answer)) {
      const { body } = fromBinary(ResponseSchema, bytes.subarray())
      demand(body.case !== undefined, 'An answer says nothing')
      if (cases.at(-1) !== body.case) cases.push(body.case)
      if (body.case !== 'batch') continue
      demand(
        body.value.blocks.every((block) => served.has(hexOf(block))),
        'A block is served that is not applied'
      )
    }
  } catch (error) {
    // A stream that is dropped may end in the middle of a frame.
    if (!(error instanceof Error && error.name === 'UnexpectedEOFError')) throw error
  }
  return cases.slice(0, 6)
}
