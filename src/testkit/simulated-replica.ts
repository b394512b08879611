/**
 * One replica of a world: a disk that stays, and the processes that come and go over it.
 *
 * Each process is a real store, made by `createCrdtDatastore`, over a handle on the disk, a node of the simulated
 * network, and a clock and a chance of its own.
 *
 * Invariants: at most one process at a time; one that crashed says, writes and does nothing any more, though its code is
 * still in memory; what the store told its user, by events and by acknowledgements, is kept here over all its lives.
 */
import { type CrdtDatastoreInit, createCrdtDatastore } from '../create.ts'
import type { CrdtDatastore } from '../datastore.ts'
import type { Change, GapChange } from '../events.ts'
import type { LimitName } from '../options.ts'
import type { Clock, ComponentLogger, Random } from '../replica/ports.ts'
import { type DatastoreKind, SimulatedDatastore } from './disk/simulated-datastore.ts'
import { SimulatedDisk } from './disk/simulated-disk.ts'
import type { SimulatedNetwork } from './network/simulated-network.ts'
import type { SimulatedNode } from './network/simulated-node.ts'
import { streamOf } from './seeded-random.ts'
import type { Trace } from './trace.ts'
import type { ClockScope, VirtualClock } from './virtual-clock.ts'

/** Lines of a replica's log that are kept. */
const LOG_LINES_KEPT = 1000

/** How a replica is made. Limits and options of the store can be given under their own names. */
export interface SimulatedReplicaInit
  extends Partial<Record<LimitName, number>>,
    Pick<
      CrdtDatastoreInit,
      'coalesce' | 'durability' | 'namespace' | 'allowPeer' | 'deltaCodec' | 'putHook' | 'deleteHook'
    > {
  /**
   * What its disk holds at first.
   *
   * @default nothing
   */
  disk?: SimulatedDisk
  /**
   * How its datastore writes batches.
   *
   * @default 'level'
   */
  kind?: DatastoreKind
}

/** What a process told its user, from its start to its end. */
export interface Life {
  /** Which process of the replica it was, counted from 1. */
  number: number
  /** Whether its disk was empty when it began, so that its changes are all there is. */
  startedEmpty: boolean
  changes: Change[]
  gaps: GapChange[]
}

/** What a replica uses of the world it is in. */
export interface Surroundings {
  readonly seed: number
  readonly topic: string
  readonly clock: VirtualClock
  readonly network: SimulatedNetwork
  readonly trace: Trace
  /** The stream of chance of an actor. */
  random(actor: string): Random
  /** Notes that something happened which must not. */
  fail(message: string): void
}

/** What a process has while it runs. */
interface Process {
  store: CrdtDatastore
  datastore: SimulatedDatastore
  node: SimulatedNode
  clock: ClockScope
  /** Apart from the store's, so that what the store left behind can be told from what the app did. */
  appClock: ClockScope
}

/** A replica: its disk, and the processes that run over it one after the other. */
export class SimulatedReplica {
  /** By which the network and the world know it. */
  readonly name: string
  /** What it is in. */
  readonly world: Surroundings
  /** Its disk, on which faults are set: `replica.disk.faults.writeMs = () => 20`. */
  disk: SimulatedDisk
  /** What each of its processes told, the last one's at the end. */
  readonly lives: Life[] = []
  /** How many of its processes were killed. */
  deaths = 0
  /** What it logged, the newest lines. */
  readonly logged: string[] = []
  readonly #init: SimulatedReplicaInit
  #process: Process | undefined

  /** Made by `World.replica`. */
  constructor(world: Surroundings, name: string, init: SimulatedReplicaInit) {
    this.world = world
    this.name = name
    this.disk = init.disk ?? new SimulatedDisk()
    this.#init = init
  }

  /** Whether a process runs. */
  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /**
   * The store of the process that runs.
   *
   * @throws TypeError if none does.
   */
  get store(): CrdtDatastore {
    if (this.#process === undefined) throw new TypeError(`${this.name} is not running`)
    return this.#process.store
  }

  /** The node of the process that runs, if one does. */
  get node(): SimulatedNode | undefined {
    return this.#process?.node
  }

  /**
   * A clock for the app that runs in this process: its timers end with the process.
   *
   * @throws TypeError if none does.
   */
  get clock(): Clock {
    if (this.#process === undefined) throw new TypeError(`${this.name} is not running`)
    return this.#process.appClock
  }

  /** Timers that the store of its process has open. */
  get timers(): number {
    return this.#process?.clock.timers ?? 0
  }

  /** How its datastore writes batches. */
  get kind(): DatastoreKind {
    return this.#init.kind ?? 'level'
  }

  /** Whether what is acknowledged survives a loss of power. */
  get flushes(): boolean {
    return this.#init.durability === 'fsync'
  }

  /**
   * Starts a process over its disk, and returns when the store is open. Does nothing if one runs.
   *
   * @throws what `createCrdtDatastore` and `CrdtDatastore.start` throw. A process whose store could not be started is
   * there all the same, until it is closed or crashes.
   */
  async start(): Promise<void> {
    if (this.#process !== undefined) return
    const { disk: _disk, kind: _kind, ...options } = this.#init
    const { network, clock, seed, topic, trace } = this.world
    const life: Life = {
      number: this.lives.length + 1,
      startedEmpty: this.disk.size === 0,
      changes: [],
      gaps: []
    }
    this.lives.push(life)
    trace.add(this.name, 'starts', `#${life.number}`)
    const scope = clock.scope()
    const datastore = new SimulatedDatastore(this.disk, { clock: scope, kind: this.kind })
    const node = network.join(this.name)
    const store = await createCrdtDatastore({
      ...{ datastore, libp2p: node, topic, clock: scope },
      ...(this.kind === 'atomic' && { atomicBatch: true }),
      random: streamOf(seed, `${this.name} #${life.number}`),
      logger: this.#logger(),
      ...options,
      start: false
    })
    this.#process = { store, datastore, node, clock: scope, appClock: clock.scope() }
    this.disk.onStop = () => this.crash()
    store.addEventListener('change', ({ detail }) => {
      life.changes.push(detail)
      const value = detail.value === undefined ? 'gone' : `${detail.value.length} bytes`
      trace.add(this.name, 'changed', `${detail.key} ${detail.origin} ${detail.sequence} ${value}`)
    })
    store.addEventListener('gap', ({ detail }) => {
      life.gaps.push(detail)
      trace.add(this.name, 'gap', `${detail.state} ${detail.missing}`)
    })
    await store.start()
  }

  /**
   * Closes the store as an app would, and ends the process. If the store leaves anything running or registered, the
   * next call of the world throws.
   */
  async close(): Promise<void> {
    const process = this.#process
    if (process === undefined) return
    this.world.trace.add(this.name, 'closes')
    try {
      await process.store.close()
    } finally {
      if (this.#process === process) this.#process = undefined
      // Whoever crashed while it closed has left the network already, and left everything behind.
      if (!process.clock.isDead) {
        const left = process.node.leftBehind()
        if (process.clock.timers > 0) left.push(`${process.clock.timers} timers`)
        this.world.network.leave(this.name)
        process.datastore.kill()
        process.clock.kill()
        process.appClock.kill()
        if (left.length > 0) this.world.fail(`${this.name} left behind: ${left.join(', ')}`)
      }
    }
  }

  /** The process is killed: from one moment to the next nothing of it goes on. What it wrote is on the disk. */
  crash(): void {
    const process = this.#process
    if (process === undefined) return
    this.world.trace.add(this.name, 'crashes')
    this.deaths++
    process.datastore.kill()
    process.clock.kill()
    process.appClock.kill()
    this.world.network.leave(this.name)
    this.#process = undefined
    this.disk.onStop = () => {}
  }

  /** The machine loses its power: the process is killed, and writes that were not flushed may be lost. */
  losePower(): void {
    this.crash()
    const lost = this.disk.losePower(this.world.random('power'))
    this.world.trace.add(this.name, 'lost power', `and ${lost} writes`)
  }

  /** The process is killed, and the next one finds another disk: an empty one, or an older copy. */
  replaceDisk(disk = new SimulatedDisk()): void {
    this.crash()
    this.world.trace.add(this.name, 'has another disk', `of ${disk.size} rows`)
    this.disk = disk
  }

  #logger(): ComponentLogger {
    const write = (...args: unknown[]): void => {
      this.logged.push(args.map(String).join(' '))
      if (this.logged.length >= 2 * LOG_LINES_KEPT) this.logged.splice(0, LOG_LINES_KEPT)
    }
    return { forComponent: () => Object.assign(() => {}, { error: write, trace: () => {} }) }
  }
}
