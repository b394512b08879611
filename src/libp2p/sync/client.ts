/**
 * The opener's side of one stream: hello, and then any number of requests, one after the other.
 *
 * Invariants: nothing that the answerer says is believed but by whoever hashes the blocks; every wait is bounded by
 * the channel's pace, and the time without a block in an answer by `syncScanTimeoutMs`.
 */
import { create } from '@bufbuild/protobuf'
import { digestFromBlockId } from '../../codec/block-id.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { Limits } from '../../options.ts'
import type { Clock, PeerClaim, PeerName, ReplicaView } from '../../replica/ports.ts'
import { Channel } from './channel.ts'
import type { SyncCounters } from './counters.ts'
import {
  type Batch,
  BlocksSchema,
  CursorSchema,
  type End,
  RequestSchema,
  type Response,
  ResponseSchema,
  WantSchema
} from './messages_pb.ts'
import { Negotiation, type Offer } from './negotiation.ts'
import { claimOf, errorOfRefusal, helloOf, request, sequenceOfWire } from './protocol.ts'
import { SyncError } from './sync-error.ts'

/** What a frame holds besides its blocks. */
const FRAME_OVERHEAD_BYTES = 64 * 1024

/** Where an interrupted answer of one generation of one peer can go on. */
export interface PullCursor {
  generation: string
  sequence: number
}

/** Blocks of one frame, and where to go on after them; the end of an answer comes as one without blocks. */
export interface PulledBatch {
  blocks: Uint8Array[]
  /** Absent if going on there would bring what this answer left out. */
  cursor?: PullCursor
}

/** Whether a peer that says this of itself can go on there. */
export function isGood({ generation, sequence }: PullCursor, claim: PeerClaim): boolean {
  return generation === claim.generation && sequence > 0
}

/** What a session is opened with. */
export interface SessionInit {
  stream: object
  topic: string
  peer: PeerName
  replica: ReplicaView
  limits: Limits
  clock: Clock
  counters: SyncCounters
}

/** How long an answerer may still be busy. */
interface Patience {
  leftMs: number
}

export class SyncSession {
  readonly #init: SessionInit
  readonly #channel: Channel<typeof ResponseSchema, typeof RequestSchema>
  #claim: PeerClaim | undefined

  constructor(init: SessionInit) {
    const { stream, limits, clock, counters } = init
    this.#init = init
    this.#channel = new Channel({
      stream,
      input: ResponseSchema,
      output: RequestSchema,
      frameBytesMax: Math.max(limits.blockBytesMax, limits.syncFrameBytes) + FRAME_OVERHEAD_BYTES,
      pace: { windowMs: limits.syncIdleTimeoutMs, bytesPerSecondMin: limits.syncBytesPerSecondMin },
      clock,
      counters
    })
  }

  /** What the peer said of itself in its hello. */
  get claim(): PeerClaim {
    if (this.#claim === undefined) throw new TypeError('The hello comes first')
    return this.#claim
  }

  /** Says hello, and hears the peer's. */
  async greet(): Promise<PeerClaim> {
    const { topic, replica, limits } = this.#init
    await this.#send({ case: 'hello', value: helloOf(topic, replica.snapshot(), limits) })
    const { body } = await this.#read()
    if (body.case !== 'hello') throw this.#unexpected(body.case)
    if (body.value.topic !== topic) throw this.#channel.invalid('The hello names another topic')
    try {
      this.#claim = claimOf(body.value, limits)
    } catch (error) {
      throw this.#channel.fail(error)
    }
    return this.#claim
  }

  /**
   * The nodes that the peer has and this replica lacks, ancestors first.
   *
   * @param until - the last row of the peer's log that is asked for, where nothing is left out; 0 for all of it.
   */
  async *pull(want: readonly BlockId[], resume?: PullCursor, until = 0): AsyncGenerator<PulledBatch> {
    const { replica: view, limits, clock } = this.#init
    const throwIfAborted = (): void => this.#channel.throwIfAborted()
    const negotiation = new Negotiation({ view, claim: this.claim, limits, clock, throwIfAborted })
    const heads = want.slice(0, limits.helloHeadsMax).map(digestFromBlockId)
    let offer = await negotiation.first()
    // Only where nothing is left out does a place in the answerer's log say what has been received.
    const resumable = resume !== undefined && isGood(resume, this.claim)
    const everything = resumable || offer.final
    const after = resumable ? resume.sequence : 0
    await this.#want(offer, heads, {
      after,
      // A row to end at is one of the log that the asker knows of, which another generation need not have.
      until: everything && resumable === (resume !== undefined) ? until : 0
    })
    yield* this.#answer(everything ? after : undefined, async (known) => {
      if (offer.final) throw this.#unexpected('known')
      offer = await negotiation.next(known)
      this.#init.counters.rounds++
      await this.#want(offer, heads)
    })
  }

  /** Rows of the peer's log, whatever this replica has: those after one number, up to another; 0 for the last there is. */
  async *rows(after: number, until: number): AsyncGenerator<PulledBatch> {
    await this.#want({ have: [], samples: [], final: true }, [], { after, until })
    yield* this.#answer(after)
  }

  /** Blocks by id, those that the peer has. */
  async *blocks(ids: readonly BlockId[]): AsyncGenerator<Uint8Array[]> {
    const { fetchTimeoutMs, syncBytesPerSecondMin } = this.#init.limits
    const value = create(BlocksSchema, { ids: ids.map(digestFromBlockId) })
    await this.#send({ case: 'blocks', value })
    this.#channel.expect({ windowMs: fetchTimeoutMs, bytesPerSecondMin: syncBytesPerSecondMin })
    const patience = this.#newPatience()
    let left = ids.length
    for (;;) {
      const { body } = await this.#readAnswer(patience)
      if (body.case === 'batch') {
        const { blocks } = this.#batch(body.value)
        left -= blocks.length
        // Blocks that nobody wants would keep an answer alive for ever, and with it the wait for those that are wanted.
        if (left < 0) throw this.#channel.invalid('The peer sends more blocks than it was asked for')
        yield blocks
      } else if (body.case === 'end') return
      else throw this.#unexpected(body.case)
    }
  }

  /** Ends the stream in peace. */
  finish(): Promise<void> {
    return this.#channel.finish()
  }

  /** Ends the stream, and every wait on it, at once. */
  abort(error: Error): void {
    this.#channel.abort(error)
  }

  /**
   * The batches of an answer, and its end.
   *
   * @param after - the row after which it begins; undefined where it may leave some out.
   * @param negotiate - what to do with what the peer says of an offer, if one was made.
   */
  async *#answer(
    after: number | undefined,
    negotiate?: (known: readonly number[]) => Promise<void>
  ): AsyncGenerator<PulledBatch> {
    const patience = this.#newPatience()
    for (let row = after; ; ) {
      const { body } = await this.#readAnswer(patience)
      if (body.case === 'batch') {
        const batch = this.#batch(body.value, row)
        row = batch.cursor?.sequence
        yield batch
      } else if (body.case === 'known' && negotiate !== undefined) await negotiate(body.value.indexes)
      else if (body.case === 'end') {
        yield this.#end(body.value, after !== undefined)
        return
      } else throw this.#unexpected(body.case)
    }
  }

  async #want(
    { have, samples, final }: Offer,
    heads: Uint8Array[],
    { after, until } = { after: 0, until: 0 }
  ): Promise<void> {
    const value = create(WantSchema, {
      heads,
      have: have.map(digestFromBlockId),
      samples: samples.map(digestFromBlockId),
      final,
      until: BigInt(until)
    })
    if (after > 0) {
      const { generation } = this.claim
      value.cursor = create(CursorSchema, { generation, sequence: BigInt(after) })
    }
    await this.#send({ case: 'want', value })
  }

  /** @param row - the last row of the peer's log that it sent, where its answer leaves nothing out. */
  #batch({ blocks, sequence }: Batch, row?: number): PulledBatch {
    const { limits, counters } = this.#init
    const { generation } = this.claim
    // An answer of empty frames would never end and never be too slow.
    if (blocks.length === 0) throw this.#channel.invalid('A batch is empty')
    for (const block of blocks) {
      if (block.length > limits.blockBytesMax) throw this.#channel.invalid('A block is larger than the limit')
    }
    counters.blocksIn += blocks.length
    // A copy, so that one small block that is kept does not keep a whole frame (`slice` of a Buffer copies nothing).
    const batch = { blocks: blocks.map((block) => new Uint8Array(block)) }
    if (row === undefined) return batch
    const cursor = { generation, sequence: this.#sequence(sequence) }
    // What an answer may bring is bounded by the rows that were asked for.
    if (cursor.sequence < row + blocks.length) throw this.#channel.invalid('There are more blocks than rows')
    return { ...batch, cursor }
  }

  #end({ sequence }: End, everything: boolean): PulledBatch {
    const { generation } = this.claim
    return everything
      ? { blocks: [], cursor: { generation, sequence: this.#sequence(sequence) } }
      : { blocks: [] }
  }

  async #send(body: Parameters<typeof request>[0]): Promise<void> {
    await this.#channel.write(request(body))
    const { syncIdleTimeoutMs, syncBytesPerSecondMin } = this.#init.limits
    this.#channel.expect({ windowMs: syncIdleTimeoutMs, bytesPerSecondMin: syncBytesPerSecondMin })
  }

  /** For one answer, so that an answerer cannot dawdle by being busy between any two blocks. */
  #newPatience(): Patience {
    return { leftMs: this.#init.limits.syncScanTimeoutMs }
  }

  /** The next response that tells something: an answerer may be busy looking, but not for ever. */
  async #readAnswer(patience: Patience): Promise<Response> {
    const { clock } = this.#init
    for (;;) {
      const since = clock.now()
      const message = await this.#read()
      if (message.body.case !== 'working') return message
      patience.leftMs -= clock.now() - since
      if (patience.leftMs < 0)
        throw this.#channel.fail(new SyncError('timeout', 'The peer works and sends nothing'))
      this.#channel.expect()
    }
  }

  async #read(): Promise<Response> {
    const message = await this.#channel.read()
    if (message === undefined) throw this.#channel.fail(new SyncError('closed', 'The peer ended the stream'))
    if (message.body.case === 'refusal') throw this.#channel.fail(errorOfRefusal(message.body.value))
    return message
  }

  #sequence(sequence: bigint): number {
    try {
      return sequenceOfWire(sequence)
    } catch (error) {
      throw this.#channel.fail(error)
    }
  }

  #unexpected(found: string | undefined): Error {
    return this.#channel.invalid(`The peer answered out of turn with ${found ?? 'something unknown'}`)
  }
}
