/**
 * Answers one inbound stream, from its hello on, for one store.
 *
 * Invariants: only nodes applied for this store are sent, up to a sequence number fixed when the answer begins; an
 * answer that streams from the start needs constant memory; no reader of the log is held while the other side takes
 * its time, and one that takes too much of it is dropped.
 */
import { create } from '@bufbuild/protobuf'
import { breather } from '../../breather.ts'
import type { BlockId } from '../../crdt/delta.ts'
import { LIMITS, type Limits } from '../../options.ts'
import type {
  Clock,
  LogEntry,
  PeerClaim,
  PeerName,
  ReplicaSnapshot,
  ReplicaView
} from '../../replica/ports.ts'
import type { Channel } from './channel.ts'
import { isIgnored, rowsNotBelow } from './common-ground.ts'
import {
  type Batch,
  BatchSchema,
  type Blocks,
  EndSchema,
  KnownSchema,
  type RequestSchema,
  type Response,
  type ResponseSchema,
  type Want,
  WorkingSchema
} from './messages_pb.ts'
import { blockIdsOfWire, helloOf, response, sequenceOfWire } from './protocol.ts'
import type { RowSet } from './row-set.ts'

/** The answerer's end of a stream. */
export type ServerChannel = Channel<typeof RequestSchema, typeof ResponseSchema>

/** Whom to answer, and with what. */
export interface ServerInit {
  channel: ServerChannel
  topic: string
  peer: PeerName
  /** What the peer said of itself. */
  claim: PeerClaim
  replica: ReplicaView
  limits: Limits
  clock: Clock
  /** Called once the peer has been told what is here. */
  greeted(): void
}

/** Rows that are read though they are not sent, because reading on is cheaper than beginning anew. */
const ROWS_BETWEEN_MAX = 256

/** Of nodes of a few bytes each, a frame could hold more than its receiver takes. */
const BATCH_BLOCKS_MAX = 64 * 1024

/** Common ground as far as it was found for one answer. */
interface Ground {
  snapshot: ReplicaSnapshot
  common: Map<BlockId, number>
  rounds: number
}

export class SyncServer {
  readonly #init: ServerInit
  readonly #ignoredDags: ReadonlySet<string>
  #ground: Ground | undefined
  /** When the peer last heard of us. */
  #saidAt = 0

  constructor(init: ServerInit) {
    this.#init = init
    this.#ignoredDags = new Set(init.claim.ignoredDags)
  }

  /** Says hello, and answers requests until there are no more. Rejects if the stream broke or was broken off. */
  async serve(): Promise<void> {
    try {
      await this.#serve()
    } catch (error) {
      throw this.#init.channel.fail(error)
    }
  }

  async #serve(): Promise<void> {
    const { channel, topic, replica, limits } = this.#init
    await this.#say({ case: 'hello', value: helloOf(topic, replica.snapshot(), limits) })
    this.#init.greeted()
    for (;;) {
      channel.expect()
      const message = await channel.read()
      if (message === undefined) break
      const { body } = message
      if (body.case === 'want') await this.#want(body.value)
      else if (body.case === 'blocks') await this.#blocks(body.value)
      else throw channel.invalid(`A request was expected, and not ${body.case ?? 'something unknown'}`)
    }
    await channel.finish()
  }

  async #want(want: Want): Promise<void> {
    const { replica, limits } = this.#init
    // A hint, which is not looked at, but no place to keep bytes in.
    blockIdsOfWire(want.heads, 0)
    this.#ground ??= { snapshot: replica.snapshot(), common: new Map(), rounds: 0 }
    const ground = this.#ground
    ground.rounds++
    const resume = this.#resumeAt(want, ground)
    if (resume !== undefined) return await this.#stream(resume, ground, want)
    const have = blockIdsOfWire(want.have, LIMITS.helloHeadsMax.max)
    const samples = blockIdsOfWire(want.samples, LIMITS.syncSamplesMax.max)
    const indexes = await this.#addCommon(ground, [...have, ...samples])
    const all = have.length > 0 && have.every((id) => ground.common.has(id))
    const enough =
      want.final || all || ground.rounds >= limits.syncRoundsMax || ground.snapshot.sequence === 0
    if (enough) return await this.#stream(1, ground, want)
    await this.#say({ case: 'known', value: create(KnownSchema, { indexes }) })
  }

  /** The row after a cursor of this generation: the peer has all before it. */
  #resumeAt({ cursor }: Want, { snapshot }: Ground): number | undefined {
    if (cursor === undefined || cursor.generation !== snapshot.generation) return undefined
    const sequence = sequenceOfWire(cursor.sequence)
    return sequence <= snapshot.sequence ? sequence + 1 : undefined
  }

  /** Which of the offered nodes are here too. */
  async #addCommon({ common }: Ground, offered: readonly BlockId[]): Promise<number[]> {
    const breathe = this.#breather()
    const indexes: number[] = []
    for (const [index, id] of offered.entries()) {
      const sequence = common.get(id) ?? (await this.#init.replica.sequenceOf(id))
      await breathe()
      if (sequence === undefined) continue
      common.set(id, sequence)
      indexes.push(index)
    }
    return indexes
  }

  /** Sends every row from `start` to the snapshot's, or to the one asked for, that the peer is not known to have. */
  async #stream(start: number, { snapshot, common }: Ground, { until }: Want): Promise<void> {
    const { replica } = this.#init
    this.#ground = undefined
    let last = snapshot.sequence
    const packer = new Packer(this.#init.limits, (batch) => this.#sendBatch(batch))
    if (start > 1 || common.size === 0) {
      // Only where no row is left out does a number say how far the peer has everything.
      if (until > 0n) last = Math.min(last, sequenceOfWire(until))
      await this.#sendSpan(packer, start, last)
    } else {
      const rows = await rowsNotBelow({
        log: replica,
        top: last,
        heads: snapshot.heads.map(({ id }) => id),
        common,
        ignoredDags: this.#ignoredDags,
        breathe: this.#breather()
      })
      for (const { from, to } of rows.spans(ROWS_BETWEEN_MAX)) await this.#sendSpan(packer, from, to, rows)
    }
    await packer.flush()
    await this.#say({ case: 'end', value: create(EndSchema, { sequence: BigInt(last) }) })
  }

  async #sendSpan(packer: Packer, from: number, to: number, rows?: RowSet): Promise<void> {
    const { replica } = this.#init
    const breathe = this.#breather()
    for await (const entry of replica.readLog(from, to)) {
      const sent = rows === undefined ? !isIgnored(entry, this.#ignoredDags) : rows.has(entry.sequence)
      if (sent) await packer.add(entry)
      await breathe()
    }
  }

  async #blocks({ ids }: Blocks): Promise<void> {
    const { replica } = this.#init
    const packer = new Packer(this.#init.limits, (batch) => this.#sendBatch(batch))
    for (const id of blockIdsOfWire(ids, LIMITS.fetchIdsMax.max)) {
      const bytes = await replica.appliedBlock(id)
      if (bytes !== undefined) await packer.add({ sequence: 0, id, bytes })
    }
    await packer.flush()
    await this.#say({ case: 'end', value: create(EndSchema, {}) })
  }

  async #sendBatch(batch: Batch): Promise<void> {
    this.#init.channel.counters.blocksOut += batch.blocks.length
    await this.#say({ case: 'batch', value: batch })
  }

  async #say(body: Response['body']): Promise<void> {
    const { channel, clock } = this.#init
    await channel.write(response(body))
    this.#saidAt = clock.now()
  }

  /** Long work tells the peer now and then that it goes on, and ends when the peer is gone. */
  #breather(): () => Promise<void> | undefined {
    const { channel, clock, limits } = this.#init
    return breather(clock, async () => {
      channel.throwIfAborted()
      if (clock.now() - this.#saidAt < limits.syncIdleTimeoutMs / 4) return
      await this.#say({ case: 'working', value: create(WorkingSchema, {}) })
    })
  }
}

/** Packs blocks into frames: with one for each, serving a catch-up takes 3.8 times as much of the main thread. */
class Packer {
  readonly #limits: Limits
  readonly #send: (batch: Batch) => Promise<void>
  #blocks: Uint8Array[] = []
  #bytes = 0
  #sequence = 0

  constructor(limits: Limits, send: (batch: Batch) => Promise<void>) {
    this.#limits = limits
    this.#send = send
  }

  async add({ sequence, bytes }: LogEntry): Promise<void> {
    const { syncFrameBytes, blockBytesMax } = this.#limits
    // A peer with the same limit would drop the stream, and with it every block that comes after.
    if (bytes.length > blockBytesMax) return
    const isFull = this.#bytes + bytes.length > syncFrameBytes || this.#blocks.length === BATCH_BLOCKS_MAX
    if (this.#blocks.length > 0 && isFull) await this.flush()
    this.#blocks.push(bytes)
    this.#bytes += bytes.length
    this.#sequence = sequence
  }

  async flush(): Promise<void> {
    if (this.#blocks.length === 0) return
    const batch = create(BatchSchema, { blocks: this.#blocks, sequence: BigInt(this.#sequence) })
    this.#blocks = []
    this.#bytes = 0
    await this.#send(batch)
  }
}
