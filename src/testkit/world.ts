/**
 * A simulated world: replicas, each with a disk of its own, on one network, in one virtual time, all from one seed.
 *
 * The replicas are real: the engine, the storage, the broadcaster and the sync protocol run as they do in an app, and
 * reach disk, network, time and chance through their ports. A world only decides what those do.
 *
 * Invariants: whatever happens follows from the seed and from what a test does; real time plays no part.
 */
import type { Random } from '../replica/ports.ts'
import { dagOf } from './checkers/replica-dag.ts'
import { HostilePeer, type HostilePeerInit } from './hostile/hostile-peer.ts'
import type { LinkConditions } from './network/link.ts'
import { SimulatedNetwork } from './network/simulated-network.ts'
import { streamOf } from './seeded-random.ts'
import { SimulatedReplica, type SimulatedReplicaInit, type Surroundings } from './simulated-replica.ts'
import { Trace } from './trace.ts'
import { Traffic } from './traffic.ts'
import { VirtualClock, VirtualTimeoutError } from './virtual-clock.ts'
import { reportOf } from './world-report.ts'

/** How a world is made. */
export interface WorldInit {
  /** A whole number. All chance of the world comes from it. */
  seed: number
  /**
   * How its links are: latency, loss, duplication, bandwidth.
   *
   * @default GOOD_LINK
   */
  link?: Partial<LinkConditions>
  /**
   * The topic of its replicas.
   *
   * @default 'world'
   */
  topic?: string
}

/** Something happened in a world that must not happen. The message has the seed. */
export class WorldError extends Error {
  static override readonly name = 'WorldError'
  override name = 'WorldError'
}

/** How long something may take that is waited for, in virtual milliseconds. */
const WAITING_MS_MAX = 60_000
/** How long replicas may take to become level once nothing is wrong any more, in virtual milliseconds. */
const CONVERGENCE_MS_MAX = 30 * 60_000

/**
 * A world. A test makes one of a seed, puts replicas into it, and closes it in the end. Nothing happens in it but while
 * somebody waits for it: by `run`, `until`, `advance` and `converge`.
 */
export class World implements Surroundings {
  readonly seed: number
  readonly topic: string
  readonly clock = new VirtualClock()
  readonly trace = new Trace(() => this.clock.now())
  /** For what the methods below do not offer: single links, and who is meant to be connected to whom. */
  readonly network: SimulatedNetwork
  /** What was said and heard over gossip. */
  readonly traffic = new Traffic((name) => this.#hostiles.has(name))
  readonly #hostiles = new Map<string, HostilePeer>()
  readonly #replicas = new Map<string, SimulatedReplica>()
  readonly #streams = new Map<string, Random>()
  readonly #failures: WorldError[] = []

  constructor({ seed, link = {}, topic = 'world' }: WorldInit) {
    this.seed = seed
    this.topic = topic
    this.network = new SimulatedNetwork({
      clock: this.clock,
      random: this.random('network'),
      conditions: link,
      onGossip: (message) => {
        this.trace.add(message.from, 'says', Buffer.from(message.bytes).toString('hex'))
        this.traffic.said(message)
      },
      onHeard: (message, by) => this.traffic.heard(message, by)
    })
  }

  /** The stream of chance of an actor; one and the same for one name. */
  random(actor: string): Random {
    let stream = this.#streams.get(actor)
    if (stream === undefined) {
      stream = streamOf(this.seed, actor)
      this.#streams.set(actor, stream)
    }
    return stream
  }

  /**
   * Makes a replica and starts it.
   *
   * @throws TypeError if there is one of that name.
   */
  async replica(name: string, init: SimulatedReplicaInit = {}): Promise<SimulatedReplica> {
    const replica = this.newReplica(name, init)
    await this.run(replica.start())
    return replica
  }

  /**
   * Makes a replica that is not started.
   *
   * @throws TypeError if there is one of that name.
   */
  newReplica(name: string, init: SimulatedReplicaInit = {}): SimulatedReplica {
    if (this.#replicas.has(name)) throw new TypeError(`There is a replica ${name} already`)
    const replica = new SimulatedReplica(this, name, init)
    this.#replicas.set(name, replica)
    return replica
  }

  /** Makes several. */
  async replicas(names: readonly string[], init: SimulatedReplicaInit = {}): Promise<SimulatedReplica[]> {
    const made: SimulatedReplica[] = []
    for (const name of names) made.push(await this.replica(name, init))
    return made
  }

  /**
   * Makes a peer that is not honest, and lets it join.
   *
   * @throws TypeError if there is a peer of that name.
   */
  async hostile(name: string, init: HostilePeerInit = {}): Promise<HostilePeer> {
    if (this.#replicas.has(name) || this.#hostiles.has(name))
      throw new TypeError(`There is a ${name} already`)
    const peer = new HostilePeer(this, name, init)
    this.#hostiles.set(name, peer)
    await peer.start()
    return peer
  }

  /** Every peer that is not honest, those that left included. */
  hostiles(): HostilePeer[] {
    return [...this.#hostiles.values()]
  }

  /** The replicas whose process runs. */
  running(): SimulatedReplica[] {
    return [...this.#replicas.values()].filter(({ isRunning }) => isRunning)
  }

  /**
   * The replica of that name.
   *
   * @throws TypeError if there is none.
   */
  get(name: string): SimulatedReplica {
    const replica = this.#replicas.get(name)
    if (replica === undefined) throw new TypeError(`There is no replica ${name}`)
    return replica
  }

  /**
   * Waits for something while virtual time goes on: `await world.run(alice.store.put(key, value))`. A function is
   * called; what it does must not wait for the world itself.
   *
   * @param withinMs - virtual milliseconds; 60,000 if they are not given.
   * @throws VirtualTimeoutError if it takes longer, as work does whose process was killed.
   * @throws WorldError if something happened meanwhile that must not, and whatever the work rejects with.
   */
  async run<T>(work: Promise<T> | (() => T | Promise<T>), withinMs = WAITING_MS_MAX): Promise<T> {
    const begun = typeof work === 'function' ? new Promise<T>((resolve) => resolve(work())) : work
    const result = await this.#withSeed(this.clock.during(begun, { withinMs }))
    this.#throwFailure()
    return result
  }

  /**
   * Lets time pass until a condition holds; it is looked at after every instant in which something happened.
   *
   * @param withinMs - virtual milliseconds; 60,000 if they are not given.
   * @throws VirtualTimeoutError if it does not hold by then.
   */
  async until(condition: () => boolean | Promise<boolean>, withinMs = WAITING_MS_MAX): Promise<void> {
    await this.#withSeed(this.clock.until(condition, { withinMs }))
    this.#throwFailure()
  }

  /** Lets so many milliseconds of virtual time pass. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.#throwFailure()
  }

  /** Only those in one group reach each other; whoever is in none is alone. */
  partition(...groups: ReadonlyArray<readonly string[]>): void {
    this.trace.add('world', 'partition', groups.map((group) => group.join('+')).join(' | '))
    this.network.partition(groups)
  }

  /**
   * From now on nothing goes from one replica to another, while the other direction works. After 15 seconds both take
   * their connection for lost.
   */
  cut(from: string, to: string): void {
    this.trace.add('world', 'cut', `${from} -> ${to}`)
    this.network.cut(from, to)
  }

  /** How all links are from now on: latency, loss, duplication, bandwidth. */
  setLinks(conditions: Partial<LinkConditions>): void {
    this.trace.add('world', 'links', JSON.stringify(conditions))
    this.network.setConditions(conditions)
  }

  /** Everybody reaches everybody again, over links that are good, or as given. */
  heal(
    link: Partial<LinkConditions> = { loss: 0, duplication: 0, bytesPerMs: Number.POSITIVE_INFINITY }
  ): void {
    this.trace.add('world', 'heals')
    this.network.heal(link)
  }

  /**
   * Waits until all running replicas have the same nodes and nothing under way.
   *
   * @param withinMs - virtual milliseconds; half an hour if they are not given.
   * @throws VirtualTimeoutError telling how they differ, if they do not within the time.
   */
  async converge(withinMs = CONVERGENCE_MS_MAX): Promise<void> {
    try {
      const what = 'the replicas are level'
      await this.#withSeed(this.clock.until(() => this.#areLevel(), { withinMs, everyMs: 1000, what }))
    } catch (error) {
      const states = await Promise.all(
        this.running().map(async (one) => `\n  ${one.name}: ${await stateOf(one)}`)
      )
      if (error instanceof Error) error.message += states.join('')
      throw error
    }
    this.#throwFailure()
  }

  /** Ends every process cleanly, and throws if one of them leaves anything behind. */
  async close(): Promise<void> {
    for (const replica of this.running()) await this.run(replica.close())
    await this.clock.settle()
    this.#throwFailure()
  }

  /** Notes that something happened which must not; the next call of the world throws it. */
  fail(message: string): void {
    this.trace.add('world', 'fails', message)
    this.#failures.push(new WorldError(`${message} (seed ${this.seed})`))
  }

  /** What a person needs who looks for a mistake: the seed, the DAG of every running replica, the end of the trace. */
  async report(): Promise<string> {
    return await reportOf(this)
  }

  /** Time that runs out is a failure of this seed. */
  async #withSeed<T>(waiting: Promise<T>): Promise<T> {
    try {
      return await waiting
    } catch (error) {
      if (error instanceof VirtualTimeoutError) error.message += ` (seed ${this.seed})`
      throw error
    }
  }

  #throwFailure(): void {
    const failure = this.#failures.shift()
    if (failure !== undefined) throw failure
  }

  async #areLevel(): Promise<boolean> {
    let first: string | undefined
    let hasGaps = false
    for (const replica of this.running()) {
      const { pending, wanted, gaps } = await replica.store.stats()
      if (pending > 0 || wanted > 0) return false
      hasGaps ||= gaps > 0
      const state = await levelOf(replica)
      first ??= state
      if (state !== first) return false
    }
    return !hasGaps || (await this.#haveSameNodes())
  }

  /** What one took for missing another may have, and give when it is asked again. Looked at only where there are gaps. */
  async #haveSameNodes(): Promise<boolean> {
    const all = new Set<string>()
    const dags = await Promise.all(this.running().map(dagOf))
    for (const { cid } of dags.flat()) all.add(cid)
    return dags.every(({ length }) => length === all.size)
  }
}

/**
 * What is equal for replicas that have the same nodes. The heads do not tell what lies below a gap, which one replica
 * may have closed and another not.
 */
async function levelOf({ store }: SimulatedReplica): Promise<string> {
  const heads = (await store.heads()).map(({ cid, dagName }) => `${dagName}:${cid}`)
  // Not the count of nodes: a replica that purged a DAG and took it up again has counted its nodes twice.
  return `${(await store.stats()).gaps} ${await store.digest()} ${heads.sort().join(' ')}`
}

async function stateOf(replica: SimulatedReplica): Promise<string> {
  const { nodes, pending, wanted, gaps } = await replica.store.stats()
  return `${nodes} nodes, ${pending} pending, ${wanted} wanted, ${gaps} gaps, ${await levelOf(replica)}`
}
