/**
 * What the messages of the sync protocol say, in this package's own terms, and what of them is believed.
 *
 * Invariant: whatever leaves this file was checked: ids are of 32 bytes, names and numbers within their limits. What
 * breaks a limit is an error; heads and ignored DAGs beyond the limit are only left out, because peers may have other
 * options.
 */
import { create } from '@bufbuild/protobuf'
import { blockIdFromDigest, DIGEST_LENGTH, digestFromBlockId } from '../../codec/block-id.ts'
import { dagNameHint, isTellable } from '../../codec/dag-name-hint.ts'
import type { BlockId } from '../../crdt/delta.ts'
import { DAG_NAME_BYTES_MAX, type Limits, TOPIC_BYTES_MAX } from '../../options.ts'
import type { HeadClaim, PeerClaim, ReplicaSnapshot } from '../../replica/ports.ts'
import {
  HeadSchema,
  type Hello,
  HelloSchema,
  type Refusal,
  Refusal_Reason,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema
} from './messages_pb.ts'
import { SyncError, type SyncFailure } from './sync-error.ts'

/** The name of the protocol; its first number changes when old and new cannot talk. */
export const SYNC_PROTOCOL = '/datastore-crdt/sync/1.0.0'

/** The version of its messages: what is added within 1.x is known from here or from the features. */
export const SYNC_VERSION = 1

/** No feature is needed yet. */
export const SYNC_FEATURES = 0n

/** The digest is a sum of hashes of the alive elements. */
export const DIGEST_SUM_OF_HASHES = 1

const GENERATION_BYTES_MAX = 64
/** What a field other than its content takes in a message, at most. */
const FIELD_OVERHEAD_BYTES = 16

/** However large a request may be, a claim is kept for every peer. */
const IGNORED_DAGS_BYTES_MAX = 1024 * 1024

const utf8 = new TextEncoder()
const bytesOf = (text: string): number => utf8.encode(text).length

/** A request, ready to be sent. */
export function request(body: Request['body']): Request {
  const message = create(RequestSchema)
  message.body = body
  return message
}

/** A response, ready to be sent. */
export function response(body: Response['body']): Response {
  const message = create(ResponseSchema)
  message.body = body
  return message
}

/** What a replica says of itself. Heads and then ignored DAGs are left out where there is no room. */
export function helloOf(topic: string, snapshot: ReplicaSnapshot, limits: Limits): Hello {
  const told = snapshot.heads
    .slice(0, limits.helloHeadsMax)
    .map(({ id, dagName }) => ({ id, dagName: dagNameHint(dagName) }))
  const room = limits.syncRequestBytesMax / 2
  const heads = firstThatFit(told, room, ({ dagName }) => DIGEST_LENGTH + bytesOf(dagName)).map(
    ({ id, dagName }) => create(HeadSchema, { id: digestFromBlockId(id), dagName })
  )
  const ignoredDags = firstThatFit(snapshot.ignoredDags.filter(isTellable), roomForDags(limits), bytesOf)
  return create(HelloSchema, {
    version: SYNC_VERSION,
    features: SYNC_FEATURES,
    topic,
    heads,
    headsLeftOut: snapshot.heads.length - heads.length,
    digestAlgorithm: DIGEST_SUM_OF_HASHES,
    digest: snapshot.digest,
    sequence: BigInt(snapshot.sequence),
    generation: snapshot.generation,
    gaps: snapshot.gaps,
    deferred: snapshot.deferred,
    ignoredDags
  })
}

/**
 * What a peer says of itself.
 *
 * @throws SyncError if it says what cannot be.
 */
export function claimOf(hello: Hello, limits: Limits): PeerClaim {
  if (bytesOf(hello.topic) > TOPIC_BYTES_MAX) throw invalid('The topic is too long')
  if (bytesOf(hello.generation) > GENERATION_BYTES_MAX) throw invalid('The generation is too long')
  // All are checked, those that are left out too: what is too short to be a head takes more memory than bytes.
  for (const { id } of hello.heads) checkDigest(id)
  const heads = hello.heads
    .slice(0, limits.helloHeadsMax)
    .map((head): HeadClaim => ({ id: blockIdOfWire(head.id), dagName: dagNameOfWire(head.dagName) }))
  const ignoredDags = [...new Set(hello.ignoredDags.map(dagNameOfWire))]
  const claim: PeerClaim = {
    heads,
    headsLeftOut: hello.headsLeftOut + hello.heads.length - heads.length,
    sequence: sequenceOfWire(hello.sequence),
    generation: hello.generation,
    gaps: hello.gaps,
    deferred: hello.deferred,
    ignoredDags: firstThatFit(ignoredDags, roomForDags(limits), bytesOf)
  }
  if (hello.digestAlgorithm !== DIGEST_SUM_OF_HASHES) return claim
  if (hello.digest.length !== DIGEST_LENGTH) throw invalid('The digest has another length')
  return { ...claim, digest: new Uint8Array(hello.digest) }
}

/** @throws SyncError if it is no digest. */
export function blockIdOfWire(digest: Uint8Array): BlockId {
  checkDigest(digest)
  return blockIdFromDigest(digest)
}

/**
 * So many of the ids, at most.
 *
 * @throws SyncError if one is no digest, be it one of those that are left out.
 */
export function blockIdsOfWire(digests: readonly Uint8Array[], countMax: number): BlockId[] {
  for (const digest of digests) checkDigest(digest)
  return digests.slice(0, countMax).map(blockIdOfWire)
}

/** @throws SyncError if it is beyond what a number holds exactly. */
export function sequenceOfWire(sequence: bigint): number {
  if (sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('A sequence number is too large')
  return Number(sequence)
}

const REASONS: Partial<Record<number, SyncFailure>> = {
  [Refusal_Reason.UNKNOWN_TOPIC]: 'unknown-topic',
  [Refusal_Reason.NOT_ALLOWED]: 'not-allowed',
  [Refusal_Reason.BUSY]: 'busy',
  [Refusal_Reason.VERSION]: 'version'
}

/** A peer's refusal as an error. */
export function errorOfRefusal({ reason }: Refusal): SyncError {
  const failure = REASONS[reason] ?? 'not-allowed'
  return new SyncError(failure, `The peer refused: ${failure}`)
}

/** What ignored DAGs may take in a hello of ours, and of a peer's claim in memory. */
function roomForDags({ syncRequestBytesMax }: Limits): number {
  return Math.min(syncRequestBytesMax / 4, IGNORED_DAGS_BYTES_MAX)
}

function firstThatFit<T>(items: readonly T[], room: number, bytes: (item: T) => number): T[] {
  let left = room
  const tooMuch = items.findIndex((item) => {
    left -= bytes(item) + FIELD_OVERHEAD_BYTES
    return left < 0
  })
  return items.slice(0, tooMuch === -1 ? items.length : tooMuch)
}

function checkDigest(digest: Uint8Array): void {
  if (digest.length !== DIGEST_LENGTH) throw invalid('An id has another length')
}

function dagNameOfWire(name: string): string {
  if (bytesOf(name) > DAG_NAME_BYTES_MAX) throw invalid('A DAG name is too long')
  return name
}

function invalid(message: string): SyncError {
  return new SyncError('invalid', message)
}
