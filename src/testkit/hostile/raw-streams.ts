/**
 * What a hostile peer does with a stream that the real sync protocol would never do: stalls, dawdles, noise, answers
 * without end.
 *
 * Invariants: nothing here throws, whatever the other side does with the stream; each manner that has no end waits
 * between two chunks, so that virtual time goes on, and ends when the peer rests.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import {
  BatchSchema,
  KnownSchema,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema,
  WantSchema,
  WorkingSchema
} from '../../libp2p/sync/messages_pb.ts'
import { helloOf, request, response } from '../../libp2p/sync/protocol.ts'
import { defaultLimits } from '../../options.ts'
import type { Random, ReplicaSnapshot } from '../../replica/ports.ts'
import type { SimulatedStream } from '../network/simulated-stream.ts'
import { below } from '../seeded-random.ts'
import { varint } from './forged.ts'

/** What it may do with a stream, whoever opened it. */
export const MANNERS = [
  'silence',
  'noise',
  'a stall in a frame',
  'byte by byte',
  'a frame without end',
  'the same without end',
  'words out of turn'
] as const

export type Manner = (typeof MANNERS)[number]

export interface RawStreamInit {
  topic: string
  manner: Manner
  /** Whether the hostile peer opened the stream, and so asks. */
  asks: boolean
  random: Random
  snapshot(): ReplicaSnapshot
  pause(ms: number): Promise<void>
  /** Whether it is to end. */
  rests(): boolean
}

const BYTE_PAUSE_MS = 100
const REPEAT_PAUSE_MS = 20

/** Misuses a stream to its end, whoever ends it. */
export async function misuse(stream: SimulatedStream, init: RawStreamInit): Promise<void> {
  const reads = drain(stream, init)
  await stream.sink(chunks(init)).catch(() => {})
  await reads
}

/** Whoever repeats itself without end does not read, so that the other side is held back. */
async function drain(stream: SimulatedStream, { manner }: RawStreamInit): Promise<void> {
  if (manner === 'the same without end') return
  try {
    for await (const _ of stream.source);
  } catch {
    // The other side broke the stream off, as it should.
  }
}

async function* chunks(init: RawStreamInit): AsyncGenerator<Uint8Array> {
  const { manner, random, pause, rests } = init
  const hello = helloFrame(init)
  switch (manner) {
    case 'silence':
      while (!rests()) await pause(1000)
      return
    case 'noise':
      for (let left = 20; left > 0; left--) yield Uint8Array.from({ length: 50 }, () => below(random, 256))
      return
    case 'a stall in a frame':
      yield hello.subarray(0, hello.length >> 1)
      while (!rests()) await pause(1000)
      return
    case 'byte by byte':
      for (let at = 0; at < hello.length && !rests(); at++) {
        yield hello.subarray(at, at + 1)
        await pause(BYTE_PAUSE_MS)
      }
      return
    case 'a frame without end':
      yield hello
      // It says that 900 KB will follow, which is within the limit.
      yield Uint8Array.from(varint(900_000))
      while (!rests()) {
        yield Uint8Array.of(below(random, 256))
        await pause(BYTE_PAUSE_MS)
      }
      return
    case 'the same without end':
      yield hello
      while (!rests()) {
        yield againFrame(init)
        await pause(REPEAT_PAUSE_MS)
      }
      return
    case 'words out of turn':
      yield hello
      yield outOfTurnFrame(init)
      yield hello
  }
}

function helloFrame({ topic, asks, snapshot }: RawStreamInit): Uint8Array {
  const value = helloOf(topic, snapshot(), defaultLimits)
  return asks ? asked({ case: 'hello', value }) : answered({ case: 'hello', value })
}

function againFrame({ asks }: RawStreamInit): Uint8Array {
  if (asks) return asked({ case: 'want', value: create(WantSchema, { final: true }) })
  return answered({ case: 'working', value: create(WorkingSchema, {}) })
}

function outOfTurnFrame({ asks, random }: RawStreamInit): Uint8Array {
  if (asks) return answered({ case: 'working', value: create(WorkingSchema, {}) })
  return random() < 0.5
    ? answered({ case: 'batch', value: create(BatchSchema, { blocks: [] }) })
    : answered({ case: 'known', value: create(KnownSchema, { indexes: [0, 4_000_000_000] }) })
}

function asked(body: Request['body']): Uint8Array {
  return framed(toBinary(RequestSchema, request(body)))
}

function answered(body: Response['body']): Uint8Array {
  return framed(toBinary(ResponseSchema, response(body)))
}

function framed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...varint(bytes.length), ...bytes])
}
