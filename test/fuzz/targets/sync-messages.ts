// The messages of the sync protocol: what is believed of one is within its limits, and in proportion to its bytes.
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { BLOCK_ID_LENGTH } from '../../../src/codec/block-id.ts'
import { type Hello, RequestSchema, ResponseSchema } from '../../../src/libp2p/sync/messages_pb.ts'
import { blockIdOfWire, blockIdsOfWire, claimOf, sequenceOfWire } from '../../../src/libp2p/sync/protocol.ts'
import { SyncError } from '../../../src/libp2p/sync/sync-error.ts'
import { DAG_NAME_BYTES_MAX, defaultLimits, LIMITS } from '../../../src/options.ts'
import { utf8 } from '../../codec/wire-bytes.ts'
import { anyRequest, anyResponse, goodRequests, goodResponses } from '../sync-wire.ts'
import { demand, demandBounded, demandSame, few, type Target } from '../target.ts'

export const syncRequestTarget: Target = {
  name: 'sync-request',
  weight: 8,
  seeds: () => goodRequests,
  generate: (chance) => anyRequest(chance),
  run(input) {
    const message = decode(RequestSchema, input)
    if (typeof message === 'string') return message
    const { body } = message
    return believe(() => {
      if (body.case === 'hello') return claim(body.value, input)
      if (body.case === 'blocks') return ids(body.value.ids, LIMITS.fetchIdsMax.max)
      if (body.case !== 'want') return 'nothing'
      const { have, samples, cursor, final } = body.value
      const offered = [ids(have, LIMITS.helloHeadsMax.max), ids(samples, LIMITS.syncSamplesMax.max)]
      if (cursor !== undefined)
        demand(Number.isSafeInteger(sequenceOfWire(cursor.sequence)), 'A cursor is no number')
      return `want ${offered.join(' ')} ${final} ${cursor !== undefined}`
    })
  }
}

export const syncResponseTarget: Target = {
  name: 'sync-response',
  weight: 8,
  seeds: () => goodResponses,
  generate: (chance) => anyResponse(chance),
  run(input) {
    const message = decode(ResponseSchema, input)
    if (typeof message === 'string') return message
    const { body } = message
    return believe(() => {
      if (body.case === 'hello') return claim(body.value, input)
      if (body.case === 'batch')
        return `batch ${few(body.value.blocks.length)} ${sequenceOfWire(body.value.sequence) > 0}`
      if (body.case === 'known') return `known ${few(body.value.indexes.length)}`
      return body.case ?? 'nothing'
    })
  }
}

/** The message, or why it is none. Whatever this throws, the channel takes for an invalid frame. */
function decode<T extends DescMessage>(schema: T, input: Uint8Array): MessageShape<T> | string {
  let message: MessageShape<T>
  try {
    message = fromBinary(schema, input, { readUnknownFields: false })
  } catch (error) {
    return `invalid: ${error instanceof Error ? error.message.replace(/\d+/g, 'N').slice(0, 60) : error}`
  }
  const again = fromBinary(schema, toBinary(schema, message), { readUnknownFields: false })
  demandSame(again, message, 'The message and the message written again')
  return message
}

function believe(read: () => string): string {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return error.message
  }
}

function claim(hello: Hello, input: Uint8Array): string {
  const said = claimOf(hello, defaultLimits)
  demand(said.heads.length <= defaultLimits.helloHeadsMax, 'A claim has more heads than the limit')
  demand(Number.isSafeInteger(said.sequence), 'A claim has a sequence that is no number')
  demand(said.digest === undefined || said.digest.length === 32, 'A digest has another length')
  for (const { id, dagName } of said.heads) {
    demandSame(blockIdOfWire(Buffer.from(hello.heads[0]!.id)).length, id.length, 'The lengths of ids')
    demand(utf8(dagName).length <= DAG_NAME_BYTES_MAX, 'A DAG name is too long')
  }
  demandBounded(said, input, 32)
  return `hello ${few(said.heads.length)} ${few(said.ignoredDags.length)} ${said.digest === undefined}`
}

function ids(digests: readonly Uint8Array[], countMax: number): string {
  const found = blockIdsOfWire(digests, countMax)
  demand(found.length <= countMax, 'There are more ids than the limit')
  demand(
    found.every((id) => id.length === BLOCK_ID_LENGTH),
    'An id has another length'
  )
  return few(found.length)
}
