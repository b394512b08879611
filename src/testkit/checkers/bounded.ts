/**
 * Replicas stay within their limits, whatever peers send: what waits in memory and on disk, what is looked for, streams,
 * messages, and lines of the log. And whatever is bad is counted.
 *
 * Invariant: it is looked at while everything happens and not only at the end, because what a peer floods a replica
 * with is gone once it was handled.
 */
import { type LimitName, type Limits, resolveLimits } from '../../options.ts'
import type { Stats } from '../../stats.ts'
import { Layout } from '../../storage/keys.ts'
import { decodePending } from '../../storage/rows.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import type { World } from '../world.ts'
import { ensure } from './check-error.ts'
import { dagOf } from './replica-dag.ts'

const CHECK = 'replicas stay within their limits'
/** Links of one block that are looked for at once, which one block that waits alone may use in full. */
const LINKS_AT_ONCE = 1024
/** Every so manieth time the rows of all disks are looked at. */
const DISKS_EVERY = 8
/** Faults of one peer that are told in the log, each once in the life of a process. */
const FAULTS_LOGGED_MAX = 10
/** Timers that a process may have once nothing happens. */
const TIMERS_MAX = 64

export class Bounds {
  readonly #world: World
  readonly #limits: Limits
  readonly #layout = new Layout('/crdt')
  /** Names that may stand as the peer which led to a block: everybody who ever spoke. */
  readonly #peers = new Set<string>([''])
  #samples = 0

  /** @param limits - those that the replicas of the world were given; the others have their defaults. */
  constructor(world: World, limits: Partial<Record<LimitName, number>>) {
    this.#world = world
    this.#limits = resolveLimits(limits)
  }

  /**
   * Looks at every process that runs.
   *
   * @throws CheckError
   */
  async sample(): Promise<void> {
    const world = this.#world
    for (const { name } of [...world.running(), ...world.hostiles()]) this.#peers.add(name)
    const looksAtDisks = this.#samples++ % DISKS_EVERY === 0
    for (const replica of world.running()) {
      const stats = await statsOf(replica)
      if (stats === undefined || !replica.isRunning) continue
      this.#memory(replica, stats)
      this.#streams(replica, stats)
      this.#messages(replica)
      this.#counted(replica, stats)
      if (looksAtDisks) this.#disk(replica)
    }
  }

  #memory({ name }: SimulatedReplica, { pending, wanted, heads }: Stats): void {
    const { pendingBlocksPerPeerMax, wantedHeadsMax } = this.#limits
    const blocksMax = this.#peers.size * pendingBlocksPerPeerMax
    within(pending, blocksMax, () => `${name} has blocks that wait`)
    const linksMax = this.#peers.size * Math.max(pendingBlocksPerPeerMax, 2 * LINKS_AT_ONCE)
    within(wanted, wantedHeadsMax + linksMax, () => `${name} looks for blocks (${heads} heads)`)
  }

  #streams({ name }: SimulatedReplica, { sync }: Stats): void {
    const { syncStreamsMax, syncStreamsPerPeerMax } = this.#limits
    const outbound = this.#peers.size * Math.max(1, syncStreamsPerPeerMax / 2)
    within(sync?.streamsOpen ?? 0, syncStreamsMax + outbound, () => `${name} has streams open`)
  }

  /** What a replica says grows with what it writes and with time, and not with what others say. */
  #messages({ name, lives }: SimulatedReplica): void {
    const { broadcastBytesMax, rebroadcastIntervalMs } = this.#limits
    const { messages, largest } = this.#world.traffic.saidBy(name)
    within(largest, broadcastBytesMax, () => `${name} said a message of so many bytes`)
    const now = this.#world.clock.now()
    const own = new Set<string>()
    for (const { changes } of lives) {
      for (const { origin, cid } of changes) if (origin === 'local') own.add(cid.toString())
    }
    // Deletes that change nothing which is shown are nodes too; each step writes a few nodes at most.
    const due = 200 + 4 * own.size + 4 * lives.length + now / 100 + (4 * now) / rebroadcastIntervalMs
    within(messages, due, () => `${name} said messages`)
  }

  /** What was heard and is bad was counted, each once. */
  #counted({ name, node }: SimulatedReplica, { counters, broadcast }: Stats): void {
    if (node === undefined || broadcast === undefined) return
    const { messages, invalid, invalidHeads } = this.#world.traffic.heardBy(node)
    const { invalidBroadcasts, broadcastsReceived } = counters
    const is = [broadcastsReceived + broadcast.oversized, invalidBroadcasts, counters.invalidHeads]
    const should = [messages, invalid, invalidHeads]
    ensure(
      `${is}` === `${should}`,
      CHECK,
      () => `${name} counted ${is} broadcasts, bad ones, bad heads: ${should}`
    )
    const hostiles = this.#world.hostiles().length
    const minutes = 1 + this.#world.clock.now() / this.#limits.divergenceIntervalMs
    within(counters.divergences, hostiles * minutes, () => `${name} reported states that differ`)
  }

  /** What waits on disk, by the peer that led to it. */
  #disk({ name, disk }: SimulatedReplica): void {
    const { pendingBlocksPerPeerMax, pendingBytesPerPeerMax, blockBytesMax, readyBytesMax } = this.#limits
    const waiting = new Map<string, { blocks: number; bytes: number }>()
    for (const [row, value] of disk.entries()) {
      if (!row.startsWith(this.#layout.pending)) continue
      const { from, bytes } = decodePending(row, value)
      const sum = waiting.get(from) ?? { blocks: 0, bytes: 0 }
      waiting.set(from, { blocks: sum.blocks + 1, bytes: sum.bytes + bytes.length })
    }
    for (const [peer, { blocks, bytes }] of waiting) {
      const where = `${name} keeps on disk what waits of ${peer}`
      // What may be applied keeps its row until it is, and what was dropped until the next commit.
      const { commitNodesMax } = this.#limits
      within(blocks, 4 * pendingBlocksPerPeerMax + commitNodesMax, () => `${where}, in blocks`)
      const bytesMax = 4 * pendingBytesPerPeerMax + blockBytesMax + readyBytesMax
      within(bytes, bytesMax, () => `${where}, in bytes`)
    }
  }

  /**
   * What is left once a world is level: no rows but those that its nodes and its state need, and a log that no peer
   * could fill.
   *
   * @throws CheckError
   */
  async end(): Promise<void> {
    await this.sample()
    for (const replica of this.#world.running()) {
      const { length: nodes } = await dagOf(replica)
      // A DAG that was purged and taken up again has been counted twice.
      checkRows(replica, { ...(await replica.store.stats()), nodes }, this.#layout)
      this.#logLines(replica)
      within(replica.timers, TIMERS_MAX, () => `${replica.name} has timers`)
    }
  }

  /** Each fault of a peer is told once by a process, however often it came. */
  #logLines({ name, logged, lives }: SimulatedReplica): void {
    const minutes = 1 + this.#world.clock.now() / this.#limits.divergenceIntervalMs
    for (const { name: peer } of this.#world.hostiles()) {
      const lines = logged.filter((line) => line.includes(peer)).length
      within(lines, lives.length * FAULTS_LOGGED_MAX + minutes, () => `${name} logged lines of ${peer}`)
    }
  }
}

/** Rows by their kind, against what the store says that it has. */
function checkRows({ name, disk }: SimulatedReplica, stats: Stats, layout: Layout): void {
  const counts: Record<string, number> = {}
  const start = layout.all.length
  for (const [row] of disk.entries()) {
    const kind = row.charAt(start)
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  const is = (kind: string): number => counts[kind] ?? 0
  const expect = (kind: string, what: string, count: number): void => {
    ensure(is(kind) === count, CHECK, () => `${name} has ${is(kind)} rows of ${what}, and needs ${count}`)
  }
  expect('k', 'keys', stats.keys)
  expect('e', 'other versions', stats.elements - stats.keys)
  expect('t', 'tombstones', stats.tombstones)
  expect('d', 'deferred nodes', stats.deferred)
  expect('a', 'applied nodes', stats.nodes)
  expect('b', 'the log', stats.nodes)
  expect('p', 'blocks that wait', stats.pending)
  expect('w', 'wanted heads', 0)
  for (const kind of ['j', 'x', 'i']) expect(kind, `the kind ${kind}`, 0)
  if (is('h') > 0) expect('h', 'heads', stats.heads)
}

function within(is: number, max: number, what: () => string): void {
  ensure(is <= max, CHECK, () => `${what()}: ${is}, of at most ${Math.floor(max)}`)
}

/** A store that fails or closes has no numbers. */
async function statsOf({ store }: SimulatedReplica): Promise<Stats | undefined> {
  try {
    return await store.stats()
  } catch {
    return undefined
  }
}
