// Messages of the sync protocol by hand and at random, and frames around them.

import { create, toBinary } from '@bufbuild/protobuf'
import { encode } from 'it-length-prefixed'
import {
  BatchSchema,
  BlocksSchema,
  CursorSchema,
  EndSchema,
  KnownSchema,
  RefusalSchema,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema,
  WantSchema,
  WorkingSchema
} from '../../src/libp2p/sync/messages_pb.ts'
import { helloOf, request, response } from '../../src/libp2p/sync/protocol.ts'
import { defaultLimits } from '../../src/options.ts'
import { linkTargets } from '../codec/hostile-bytes.ts'
import { cidV0, join, sha256, utf8, varint, varintField } from '../codec/wire-bytes.ts'
import { FakeReplica } from '../libp2p/fake-replica.ts'
import type { Chance } from './chance.ts'
import { block, field, message, numberField, oddField, text } from './structured.ts'

export const TOPIC = 'topic'

/** A log of a few nodes in two DAGs, the same in every run. */
export async function smallReplica(prefix: string, count: number): Promise<FakeReplica> {
  const replica = new FakeReplica()
  replica.generation = `generation of ${prefix}`
  await replica.writeMany(prefix, count)
  await replica.write('red', { dagName: 'red' })
  return replica
}

export const serving: FakeReplica = await smallReplica('serving', 20)
export const asking: FakeReplica = await smallReplica('asking', 10)

/** Digests that mean something to one of the two. */
const digests: Uint8Array[] = [
  ...linkTargets.map((target) => cidV0(target).subarray(2)),
  ...[serving, asking].flatMap(({ log }) => log.map(({ bytes }) => sha256(bytes)))
]

export const frame = (bytes: Uint8Array): Uint8Array =>
  encode.single(bytes, { maxDataLength: Number.POSITIVE_INFINITY }).subarray()

export const requestBytes = (body: Request['body']): Uint8Array => toBinary(RequestSchema, request(body))
export const responseBytes = (body: Response['body']): Uint8Array => toBinary(ResponseSchema, response(body))

const hello = (replica: FakeReplica) => helloOf(TOPIC, replica.snapshot(), defaultLimits)

/** One of each request, as an honest peer makes them. */
export const goodRequests: Uint8Array[] = [
  requestBytes({ case: 'hello', value: hello(asking) }),
  requestBytes({
    case: 'want',
    value: create(WantSchema, { have: digests.slice(3, 6), samples: digests.slice(6, 9) })
  }),
  requestBytes({ case: 'want', value: create(WantSchema, { final: true }) }),
  requestBytes({
    case: 'want',
    value: create(WantSchema, {
      cursor: create(CursorSchema, { generation: serving.generation, sequence: 4n })
    })
  }),
  requestBytes({ case: 'blocks', value: create(BlocksSchema, { ids: digests.slice(0, 5) }) })
]

/** One of each response. */
export const goodResponses: Uint8Array[] = [
  responseBytes({ case: 'hello', value: hello(serving) }),
  responseBytes({ case: 'known', value: create(KnownSchema, { indexes: [0, 2] }) }),
  responseBytes({
    case: 'batch',
    value: create(BatchSchema, { blocks: serving.log.slice(0, 3).map(({ bytes }) => bytes), sequence: 3n })
  }),
  responseBytes({ case: 'working', value: create(WorkingSchema) }),
  responseBytes({ case: 'end', value: create(EndSchema, { sequence: 20n }) }),
  responseBytes({ case: 'refusal', value: create(RefusalSchema, { reason: 3 }) })
]

const digest = (chance: Chance): Uint8Array =>
  chance.percent(92) ? chance.pick(digests) : chance.bytes(chance.pick([0, 1, 31, 33, 64]))

function helloFields(chance: Chance): Uint8Array {
  const odd = [
    () => numberField(chance, chance.pick([1, 2, 5, 6, 8, 10, 11])),
    () => field(chance, 3, text(chance)),
    () => field(chance, 4, join(field(chance, 1, digest(chance)), field(chance, 2, text(chance)))),
    () => field(chance, 7, chance.percent(70) ? chance.bytes(32) : text(chance)),
    () => field(chance, 9, text(chance)),
    () => field(chance, 12, text(chance))
  ]
  const start = chance.percent(85)
    ? join(varintField(1, 1), field(chance, 3, utf8(TOPIC)))
    : new Uint8Array(0)
  return join(start, message(chance, odd, chance.percent(50) ? 2 : 8))
}

function wantFields(chance: Chance): Uint8Array {
  return message(
    chance,
    [
      () => field(chance, chance.pick([1, 2, 3]), digest(chance)),
      () => field(chance, 2, digest(chance)),
      () => field(chance, 3, digest(chance)),
      () => varintField(4, chance.below(2)),
      () =>
        field(
          chance,
          5,
          join(
            field(chance, 1, chance.percent(80) ? utf8(serving.generation) : text(chance)),
            chance.percent(60) ? varintField(2, chance.below(30)) : numberField(chance, 2)
          )
        )
    ],
    8
  )
}

/** The bytes of a request, almost. */
export function anyRequest(chance: Chance, first = false): Uint8Array {
  switch (chance.below(first ? 20 : 8)) {
    case 0:
      return field(chance, 3, message(chance, [() => field(chance, 1, digest(chance))], 70))
    case 1:
      return chance.pick(goodRequests)
    case 2:
      return message(chance, [() => oddField(chance), () => field(chance, 2, wantFields(chance))], 3)
    case 3:
    case 4:
    case 5:
      return field(chance, 2, wantFields(chance))
    default:
      return field(chance, 1, helloFields(chance))
  }
}

function knownFields(chance: Chance): Uint8Array {
  const packed = (): Uint8Array => join(...chance.some(9, () => varint(chance.number(), chance.small(3))))
  return message(chance, [() => numberField(chance, 1), () => field(chance, 1, packed())], 3)
}

/** The bytes of a response, almost. */
export function anyResponse(chance: Chance, first = false): Uint8Array {
  const body = [
    () =>
      field(
        chance,
        4,
        message(chance, [() => field(chance, 1, anyBlock(chance)), () => numberField(chance, 2)], 6)
      ),
    () => field(chance, 3, knownFields(chance)),
    () => field(chance, 5, message(chance, [], 1)),
    () => field(chance, 6, message(chance, [() => numberField(chance, 1)], 2)),
    () => field(chance, 2, message(chance, [() => numberField(chance, 1)], 2)),
    () => chance.pick(goodResponses)
  ]
  if (first && chance.percent(85)) return field(chance, 1, helloFields(chance))
  return chance.percent(85) ? chance.pick(body)() : message(chance, [...body, () => oddField(chance)], 3)
}

const anyBlock = (chance: Chance): Uint8Array =>
  chance.percent(50) ? chance.pick(serving.log).bytes : block(chance)

/** A message as a frame, whose length now and then is another. */
export function anyFrame(chance: Chance, bytes: Uint8Array): Uint8Array {
  if (chance.percent(94)) return frame(bytes)
  switch (chance.below(4)) {
    case 0:
      return join(varint(chance.number()), bytes)
    case 1:
      return join(varint(bytes.length, chance.below(10)), bytes)
    case 2:
      return new Uint8Array(1 + chance.below(20)).fill(255)
    default:
      return join(varint(bytes.length + 1 - chance.below(3)), bytes)
  }
}
