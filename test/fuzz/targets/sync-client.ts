// A sync client, given the bytes that a peer answers: each request ends, with blocks or with a `SyncError`, and nothing
// stays. The first two bytes of an input are those of a server's.
import { SYNC_PROTOCOL, type SyncExchange, syncExchange } from '../../../src/libp2p/index.ts'
import { SyncError } from '../../../src/libp2p/sync/sync-error.ts'
import { defaultLimits } from '../../../src/options.ts'
import type { ReceivedBlock } from '../../../src/replica/ports.ts'
import { join } from '../../codec/wire-bytes.ts'
import { FakeLibp2p, type FakeStream } from '../../libp2p/fake-libp2p.ts'
import { ManualClock } from '../../libp2p/manual-clock.ts'
import { anyFrame, anyResponse, asking, frame, goodResponses, serving, TOPIC } from '../sync-wire.ts'
import { demand, few, type Target } from '../target.ts'
import { header, write } from './sync-server.ts'

const PEER = 'attacker'
const signal = new AbortController().signal
/** A request has many windows of waiting at most, and each of them an end. */
const WINDOWS_MAX = 40
const [hello, known, batch, working, end, refusal] = goodResponses.map(frame) as Uint8Array[]

export const syncClientTarget: Target = {
  name: 'sync-client',
  weight: 6,
  seeds: () =>
    [
      [hello, batch, end],
      [hello, known, working, batch, batch, end],
      [refusal],
      [hello, hello],
      [batch]
    ].flatMap((frames, index) => {
      const bytes = join(...(frames as Uint8Array[]))
      return [join(Uint8Array.of(0, 0), bytes), join(Uint8Array.of(index + 1, index), bytes)]
    }),
  generate(chance) {
    const start = chance.percent(60) ? (hello as Uint8Array) : anyFrame(chance, anyResponse(chance, true))
    return join(header(chance), start, ...chance.some(5, () => anyFrame(chance, anyResponse(chance))))
  },
  async run(input) {
    const victim = new FakeLibp2p('victim')
    const attacker = new FakeLibp2p(PEER)
    const clock = new ManualClock()
    const exchange = syncExchange({ libp2p: victim, clock, random: () => 0.5 }, { topic: TOPIC })
    let streams = 0
    attacker.handlers.set(SYNC_PROTOCOL, ({ stream }) => {
      streams++
      void answer(stream, input)
    })
    asking.claims.length = 0
    await exchange.start(asking)
    victim.connect(attacker)
    const outcomes: string[] = []
    let bytes = 0
    const take = async (blocks: AsyncIterable<ReceivedBlock>): Promise<void> => {
      let count = 0
      try {
        for await (const block of blocks) {
          demand(block.from === PEER, 'A block is from somebody else')
          bytes += block.bytes.length
          count++
        }
        outcomes.push(few(count))
      } catch (error) {
        if (!(error instanceof SyncError)) throw error
        // Any error becomes one of the stream; those of this code itself are told by their class.
        if (/^(Type|Range|Reference|Syntax)Error$/.test((error.cause as Error | undefined)?.name ?? '')) {
          if (error.reason !== 'invalid') throw error.cause
        }
        outcomes.push(`${few(count)} ${error.reason}`)
      }
    }
    await during({ victim, clock, exchange }, [
      () => take(exchange.pull({ peer: PEER, want: [serving.ids()[0]!], signal })),
      () => take(exchange.fetch(serving.ids().slice(0, 3), { peers: [PEER], signal })),
      () => take(exchange.pull({ peer: PEER, want: [], signal }))
    ])
    demand(bytes <= streams * input.length, 'More came out than came in')
    demand(victim.openStreams().length === 0 && exchange.counters.streamsOpen === 0, 'A stream stays open')
    demand(clock.timers === 0, 'A timer is left')
    const { invalidFrames, droppedStreams } = exchange.counters
    return [few(asking.claims.length), ...outcomes, few(invalidFrames), few(droppedStreams)].join(' | ')
  }
}

/** Answers the first words of the client with everything, and ends as the input says. */
async function answer(stream: FakeStream, input: Uint8Array): Promise<void> {
  const ending = (input[1] ?? 0) % 4
  try {
    if (ending !== 3) await stream.source.next()
    await write(stream, input)
    if (ending === 0) stream.endRaw()
    if (ending === 1) stream.abort(new Error('reset'))
    for await (const _ of stream.source);
  } catch {
    // The client dropped it.
  }
}

/** Makes requests one after the other while time passes, and stops the exchange after them. */
async function during(
  { victim, clock, exchange }: { victim: FakeLibp2p; clock: ManualClock; exchange: SyncExchange },
  requests: Array<() => Promise<void>>
): Promise<void> {
  for (const request of requests) {
    let settled = false
    const running = request().finally(() => {
      settled = true
    })
    running.catch(() => {})
    for (let window = 0; !settled; window++) {
      demand(window < WINDOWS_MAX, 'A request has no end')
      await clock.pass(window === 0 ? 0 : defaultLimits.syncIdleTimeoutMs)
    }
    await running
  }
  // A stream that the peer resets while it is kept for the next request is noticed when it is closed or used.
  await clock.pass(defaultLimits.syncIdleTimeoutMs)
  const { streamsOpen } = exchange.counters
  demand(
    streamsOpen === victim.openStreams().length,
    'The streams that are open are not those that are counted'
  )
  const stopping = exchange.stop()
  for (let window = 0; window < 4; window++) await clock.pass(defaultLimits.syncIdleTimeoutMs)
  await stopping
}
