/**
 * What the tests of an exchange share: a group of exchanges, each with a replica that keeps count of what is asked of it.
 *
 * Invariant: whatever a test holds up is let go before its exchanges are stopped, because a replica always answers.
 */
import assert from 'node:assert/strict'
import type { BlockId } from '../../crdt/delta.ts'
import type { BlockExchange, LogEntry, PeerName, ReceivedBlock } from '../../replica/ports.ts'
import { LogReplica } from './log-replica.ts'
import { settled, type Until, untilInRealTime } from './runner.ts'

/** Exchanges of one topic, each at a node of its own. */
export interface ExchangeGroup {
  /** As many as were asked for, not started and not connected; the name is the one by which others know it. */
  members: ReadonlyArray<{ name: PeerName; exchange: BlockExchange }>
  /** Connects the nodes of two members, by their places. */
  connect(one: number, other: number): Promise<void>
  /** Ends their connection, on both sides. */
  disconnect(one: number, other: number): Promise<void>
  /** Ends the nodes. The suite has stopped the exchanges by then. */
  end(): Promise<void>
  /**
   * How to wait.
   *
   * @default in real time, for 10 seconds at most
   */
  until?: Until
  /** What the member of this place left running or registered, in words; for a check that `stop` ends all. */
  leftBehind?(place: number): string[]
}

/** What came of reading blocks to their end. */
export interface Reading {
  blocks: ReceivedBlock[]
  error: unknown
}

/** A replica that can be slow, that can lie, and that counts what it is asked. */
export class WatchedReplica extends LogReplica {
  /** Blocks and rows that it was asked for. */
  asked = 0
  /** Answers that are not the truth. */
  readonly lies = new Map<BlockId, Uint8Array>()
  #held: PromiseWithResolvers<void> | undefined

  /** Answers nothing from now on. */
  hold(): void {
    this.#held ??= Promise.withResolvers()
  }

  /** Answers again, also what it was asked meanwhile. */
  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  /** How often anything was told to it or asked of it. */
  get calls(): number {
    return this.asked + this.claims.length + this.left.length
  }

  override async appliedBlock(id: BlockId): Promise<Uint8Array | undefined> {
    this.asked++
    await this.#held?.promise
    return this.lies.get(id) ?? (await super.appliedBlock(id))
  }

  override async *readLog(from: number, to: number): AsyncGenerator<LogEntry> {
    for await (const entry of super.readLog(from, to)) {
      this.asked++
      await this.#held?.promise
      yield entry
    }
  }
}

/** A group under test. */
export class Group {
  readonly init: ExchangeGroup
  readonly until: Until
  readonly replicas: WatchedReplica[]

  constructor(init: ExchangeGroup) {
    this.init = init
    this.until = init.until ?? untilInRealTime
    this.replicas = init.members.map(() => new WatchedReplica())
  }

  name(place: number): PeerName {
    return this.#member(place).name
  }

  exchange(place: number): BlockExchange {
    return this.#member(place).exchange
  }

  replica(place: number): WatchedReplica {
    const replica = this.replicas[place]
    assert.ok(replica, `The setup made no member ${place}`)
    return replica
  }

  async run<T>(work: Promise<T>): Promise<T> {
    return await settled(this.until, work)
  }

  /** Starts all exchanges, connects the first one to all others, and waits until they know each other. */
  async meet(): Promise<void> {
    const others = this.init.members.map((_, place) => place).slice(1)
    for (const [place, { exchange }] of this.init.members.entries()) {
      await this.run(exchange.start(this.replica(place)))
    }
    for (const other of others) await this.run(this.init.connect(0, other))
    await this.until(() => others.every((other) => this.isAcquainted(0, other)))
  }

  /** Whether each of the two can ask the other. */
  isAcquainted(one: number, other: number): boolean {
    const knows = (a: number, b: number): boolean => this.exchange(a).peers().includes(this.name(b))
    return knows(one, other) && knows(other, one)
  }

  /** Begins to read blocks; what it returns is filled while time goes on. */
  begin(
    blocks: () => AsyncIterable<ReceivedBlock>,
    onBlock: (count: number) => void | Promise<void> = () => {}
  ): { reading: Reading; ended: Promise<void> } {
    const reading: Reading = { blocks: [], error: undefined }
    const read = async (): Promise<void> => {
      try {
        for await (const block of blocks()) {
          reading.blocks.push(block)
          await onBlock(reading.blocks.length)
        }
      } catch (error) {
        reading.error = error ?? new Error('It rejected with nothing')
      }
    }
    return { reading, ended: read() }
  }

  /** Reads blocks to their end. */
  async read(blocks: () => AsyncIterable<ReceivedBlock>): Promise<Reading> {
    const { reading, ended } = this.begin(blocks)
    await this.run(ended)
    return reading
  }

  /** Asks the first member's exchange for blocks. */
  fetch(
    ids: readonly BlockId[],
    peers: readonly PeerName[] = [],
    signal = new AbortController().signal,
    asked: (peer: PeerName) => void = () => {}
  ): () => AsyncIterable<ReceivedBlock> {
    return () => this.exchange(0).fetch(ids, { peers, signal, asked })
  }

  /** Asks the second member for all that the first one lacks. */
  pull(signal = new AbortController().signal): () => AsyncIterable<ReceivedBlock> {
    return () => {
      const exchange = this.exchange(0)
      assert.ok(exchange.pull, 'An exchange that has canPull has pull')
      const want = this.replica(1)
        .snapshot()
        .heads.map(({ id }) => id)
      return exchange.pull({ peer: this.name(1), want, signal })
    }
  }

  async end(): Promise<void> {
    for (const replica of this.replicas) replica.release()
    for (const { exchange } of this.init.members) await this.run(exchange.stop())
  }

  #member(place: number): ExchangeGroup['members'][number] {
    const member = this.init.members[place]
    assert.ok(member, `The setup made no member ${place}`)
    return member
  }
}

/** Defines a test with a group of so many members. */
export type InGroup = (name: string, count: number, run: (group: Group) => Promise<void>) => void
