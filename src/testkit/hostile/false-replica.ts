/**
 * What a peer that lies shows to the sync protocol in place of a replica: blocks that it has, and claims that are not
 * so.
 *
 * Invariants: it lies in one way, the one that it was given, so that a failure tells which; what it makes up on the way
 * follows from its chance, and comes at a pace, so that virtual time goes on.
 */
import type { BlockId } from '../../crdt/delta.ts'
import type {
  Clock,
  HeadClaim,
  LogEntry,
  PeerClaim,
  PeerName,
  Random,
  ReplicaSnapshot,
  ReplicaView
} from '../../replica/ports.ts'
import { below } from '../seeded-random.ts'
import { type Forged, forgeNode, missingNode } from './forged.ts'

/** Ways to lie to the sync protocol. */
export const LIES = [
  'nothing but the truth',
  'heads that it has not',
  'sequence numbers that are not',
  'an endless log',
  'a log in the wrong order',
  'bytes that are others',
  'another digest',
  'common ground that is not',
  'nothing of what it has',
  'everything again and again'
] as const

export type Lie = (typeof LIES)[number]

/** The pause between two nodes of a log that never ends, in milliseconds. */
const ENDLESS_PAUSE_MS = 40
/** What such a node holds, so that its sender is never too slow. */
const ENDLESS_BYTES = 200
/** How often everything is sent in one answer. */
const ROUNDS_MAX = 50

export interface FalseReplicaInit {
  name: string
  lie: Lie
  clock: Clock
  random: Random
}

export class FalseReplica implements ReplicaView {
  readonly lie: Lie
  /** What honest peers told it that they have, the newest last. */
  heard: HeadClaim[] = []
  /** Heads that it claims besides those of its log. */
  readonly claimed: HeadClaim[] = []
  /** Whether it makes up nothing any more. */
  rests = false
  readonly #init: FalseReplicaInit
  readonly #log: LogEntry[] = []
  readonly #entries = new Map<BlockId, LogEntry>()
  /** What it says in a stream in place of a block. */
  readonly #damage = new Map<BlockId, Uint8Array>()
  #madeUp = 0

  constructor(init: FalseReplicaInit) {
    this.#init = init
    this.lie = init.lie
  }

  /** It has a block, and tells so. */
  add({ id, bytes }: Forged): void {
    if (this.#entries.has(id)) return
    const entry = { sequence: this.#log.length + 1, id, bytes }
    this.#log.push(entry)
    this.#entries.set(id, entry)
  }

  snapshot(): ReplicaSnapshot {
    const { random, name } = this.#init
    const own = this.#log.slice(-3).map(({ id }) => ({ id, dagName: '' }))
    const isOther = this.lie === 'another digest'
    const invented = this.lie === 'heads that it has not' ? [this.#invent()] : []
    const isNumbered = this.lie !== 'sequence numbers that are not'
    return {
      // Only whoever claims the very same heads can claim another state for them.
      heads: isOther ? this.heard : [...own, ...this.claimed, ...invented],
      digest: Uint8Array.from({ length: 32 }, () => below(random, 256)),
      sequence: isNumbered ? this.#log.length : Number.MAX_SAFE_INTEGER - below(random, 3),
      // A generation that stays while the log becomes another one is a lie of its own.
      generation: name,
      ...{ gaps: 0, deferred: 0, ignoredDags: [] }
    }
  }

  async appliedBlock(id: BlockId): Promise<Uint8Array | undefined> {
    const bytes = this.#entries.get(id)?.bytes
    if (bytes === undefined || this.lie === 'nothing of what it has') return undefined
    return this.lie === 'bytes that are others' ? this.#damaged(bytes) : bytes
  }

  async sequenceOf(id: BlockId): Promise<number | undefined> {
    const sequence = this.#entries.get(id)?.sequence
    return this.lie === 'common ground that is not' ? (sequence ?? 1 + id.charCodeAt(9)) : sequence
  }

  async *readLog(from: number, to: number): AsyncGenerator<LogEntry> {
    if (this.lie === 'nothing of what it has') return
    const wanted = this.#log.filter(({ sequence }) => sequence >= from && sequence <= to)
    if (this.lie === 'a log in the wrong order') wanted.reverse()
    for (const entry of wanted) yield this.#told(entry)
    if (this.lie === 'everything again and again') {
      for (let round = 0; round < ROUNDS_MAX && !this.rests; round++) {
        await this.#pause()
        yield* wanted
      }
    }
    while (this.lie === 'an endless log' && !this.rests) {
      await this.#pause()
      yield this.#next()
    }
  }

  async *readLogBackwards(from: number, to: number): AsyncGenerator<LogEntry> {
    for (const entry of this.#log.toReversed()) {
      if (entry.sequence >= from && entry.sequence <= to) yield this.#told(entry)
    }
  }

  commonGroundLimit(): number {
    return Number.POSITIVE_INFINITY
  }

  peerClaims(_peer: PeerName, { heads }: PeerClaim): void {
    this.heard = [...heads]
  }

  peerCame(): void {}

  peerLeft(): void {}

  /**
   * The same damage each time: whatever bytes a stream brings are a block of their own, so another damage each time would
   * be one more block each time, for as long as anybody asks.
   */
  #told(entry: LogEntry): LogEntry {
    if (this.lie !== 'bytes that are others') return entry
    const bytes = this.#damage.get(entry.id) ?? this.#damaged(entry.bytes)
    this.#damage.set(entry.id, bytes)
    return { ...entry, bytes }
  }

  /** The next node of a log that never ends, on top of the one before. */
  #next(): LogEntry {
    const parent = this.#log.at(-1)
    const value = `${this.#log.length}${'.'.repeat(ENDLESS_BYTES)}`
    const links = parent === undefined ? [] : [parent.id]
    this.add(forgeNode({ puts: [[`/hostile/${this.#init.name}`, value]], links, priority: 2n }))
    return this.#log.at(-1) as LogEntry
  }

  #invent(): HeadClaim {
    if (!this.rests) this.#madeUp++
    return { id: missingNode(`${this.#init.name} ${this.#madeUp}`), dagName: '' }
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const { random } = this.#init
    const damaged = bytes.slice(0, random() < 0.5 ? Math.max(1, below(random, bytes.length)) : undefined)
    const at = below(random, damaged.length)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << below(random, 8))
    return damaged
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#init.clock.setTimeout(resolve, ENDLESS_PAUSE_MS))
  }
}
