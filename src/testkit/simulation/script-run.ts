/**
 * A script that is being run: its world, its replicas, and what they were promised.
 *
 * Invariant: steps do not wait for each other's writes, so that writes, faults and arrivals meet in every order.
 */
import { Bounds } from '../checkers/bounded.ts'
import type { CheckedWorld } from '../checkers/check-world.ts'
import { SimulatedDisk } from '../disk/simulated-disk.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { World } from '../world.ts'
import { Faults } from './faults.ts'
import { HARMS } from './generate-harm.ts'
import { harm } from './hostile-steps.ts'
import { IndexingApp } from './indexing-app.ts'
import { isUsable, lookClosely, lookTogether } from './looking.ts'
import { Purges } from './purges.ts'
import { WriteRecord } from './record.ts'
import type { RunReport } from './report.ts'
import type { Script, Step } from './script.ts'
import { whileItRuns } from './while-it-runs.ts'
import { isWrite, write } from './writing.ts'

/** Whatever hostile peers were about is over within this time, in virtual milliseconds. */
const LAST_WORDS_MS = 5000

const FAULTS: ReadonlySet<Step['do']> = new Set([
  ...(['partition', 'cut', 'link', 'close', 'crash', 'lose power', 'crash at write'] as const),
  ...(['fail writes', 'slow disk', 'lose disk', 'restore'] as const)
])

export class ScriptRun {
  readonly world: World
  /** What replicas may have waiting, open and said, looked at after every step. */
  readonly bounds: Bounds
  /** What was promised so far. */
  readonly writes = new WriteRecord()
  readonly #script: Script
  readonly #names: string[] = []
  /** For each replica the life with which its newest disk began. */
  readonly #firstLives = new Map<string, number>()
  readonly #apps = new Map<string, IndexingApp>()
  readonly #purges = new Purges((name) => this.#numbersChanged(name))
  readonly #faults = new Faults(({ name }) => this.#numbersChanged(name))
  #stopAt: { replica: string; write: number } | undefined
  #faultCount = 0
  #harmCount = 0

  constructor(script: Script) {
    this.#script = script
    this.world = new World({ seed: script.seed, link: script.link })
    this.bounds = new Bounds(this.world, script.replicas.limits)
  }

  /** The process of a replica is to die at a write of its disk, counted from 1. To be said before `live`. */
  stopAt(replica: string, write: number): void {
    this.#stopAt = { replica, write }
  }

  /**
   * Starts a replica again that died, while it reaches nobody, as its disk is.
   *
   * @param power - the machine lost its power, and not the process alone.
   * @param again - it dies once more, at so manieth write of the start; 0 for not.
   * @returns whether it runs.
   */
  async reopenAlone(name: string, { power = false, again = 0 } = {}): Promise<boolean> {
    const replica = this.world.get(name)
    this.world.network.partition([])
    if (power) this.#faults.losePower(replica)
    else replica.crash()
    if (again > 0) {
      replica.disk.faults = { stopAt: replica.disk.writes + again }
      await this.#start(replica)
      replica.crash()
    }
    replica.disk.faults = {}
    await this.#start(replica)
    return replica.isRunning
  }

  /** The steps of the script. */
  async live(): Promise<void> {
    for (const step of this.#script.steps) {
      this.world.trace.add('script', step.do, JSON.stringify(step))
      if (FAULTS.has(step.do)) this.#faultCount++
      if (HARMS.has(step.do)) this.#harmCount++
      await this.#do(step)
      await this.world.advance(0)
      await this.bounds.sample()
    }
    await this.world.advance(100)
  }

  /** Everything works again from here on, and all replicas come to the same. */
  async heal(): Promise<void> {
    const { world } = this
    world.heal({ loss: 0, duplication: 0, bytesPerMs: Number.MAX_SAFE_INTEGER })
    // They stay for a while, and lie when they are asked, but there is an end to what they make up.
    for (const peer of world.hostiles()) peer.rest()
    await this.#bringBack()
    // What was said before may still be on its way, and name nodes that nobody here has heard of. A flood fills a slow
    // link for longer than anything else takes, and it keeps what it was given when it was slow.
    const end = Math.max(world.clock.now() + LAST_WORDS_MS, world.network.lastArrival)
    while (world.clock.now() < end) {
      await world.advance(500)
      await this.bounds.sample()
    }
    // A write that was under way on a slow disk when everything healed may have been the last one of its process.
    await this.#bringBack()
    // Honest replicas become level while the others are still there, and lie to whoever asks.
    await world.converge()
    for (const peer of world.hostiles()) peer.leave()
    await world.converge()
  }

  /** Starts whatever does not run, on disks that work, and lets it have again what it dropped. */
  async #bringBack(): Promise<void> {
    const replicas = this.#names.map((name) => this.world.get(name))
    for (const replica of replicas) {
      replica.disk.faults = {}
      if (replica.isRunning && !(await isUsable(replica))) await this.world.run(replica.close())
      await this.#start(replica)
    }
    for (const replica of replicas) await whileItRuns(replica, () => this.#purges.resumeAll(replica))
  }

  /** What there is to check, once it has healed. */
  checked(): CheckedWorld {
    return {
      ...{ world: this.world, writes: this.writes, firstLives: this.#firstLives },
      apps: [...this.#apps.values()],
      rebroadcastIntervalMs: this.#script.replicas.limits.rebroadcastIntervalMs ?? 60_000
    }
  }

  /** Closes everything, and says what it was about. */
  async report(): Promise<RunReport> {
    const { network, clock, trace } = this.world
    const [first] = this.world.running()
    const nodes = first === undefined ? 0 : (await first.store.stats()).nodes
    await this.world.close()
    return {
      ...{ seed: this.#script.seed, profile: this.#script.profile, nodes },
      ...{ operations: this.writes.attempted, acknowledged: this.writes.acknowledged.length },
      ...{ faults: this.#faultCount, harms: this.#harmCount, crashes: this.#faults.crashes },
      ...{ messages: network.messages, bytes: network.bytes },
      ...{ virtualMs: clock.now(), trace: trace.digest() }
    }
  }

  /** The DAG of the first replica that can be read. */
  async drawing(): Promise<string[]> {
    const [first] = this.world.running()
    const lines: string[] = []
    try {
      for await (const line of first?.store.dag.print() ?? []) lines.push(line)
    } catch {
      // A replica that failed cannot be drawn, and the failure is what matters.
    }
    return lines
  }

  async #do(step: Step): Promise<void> {
    const { world } = this
    switch (step.do) {
      case 'wait':
        await world.advance(step.ms)
        for (const replica of world.running()) await lookTogether(replica)
        return
      case 'partition':
        return world.partition(...step.groups)
      case 'cut':
        return world.cut(step.from, step.to)
      case 'link':
        return world.network.setConditions(step.conditions)
      case 'heal':
        // What the script said of loss and latency goes on.
        return world.heal({})
      case 'join':
        return await this.#join(step.replica)
      default:
        if ('peer' in step) return await harm(world, step)
        if (this.#names.includes(step.replica)) await this.#doTo(world.get(step.replica), step)
    }
  }

  async #doTo(replica: SimulatedReplica, step: Extract<Step, { replica: string }>): Promise<void> {
    if (isWrite(step)) return await write(this.writes, replica, step)
    switch (step.do) {
      case 'join':
        return
      case 'start':
        return await this.#start(replica)
      case 'check':
        return await lookClosely(replica, () => this.#purges.isBusy(replica.name))
      case 'purge':
      case 'resume':
        return this.#purges.begin(replica, step.do, step.dagName)
      default:
        await this.#faults.befall(replica, step)
    }
  }

  async #join(name: string): Promise<void> {
    if (this.#names.includes(name)) return
    const { kind, durability, coalesce, limits } = this.#script.replicas
    this.#names.push(name)
    this.#firstLives.set(name, 1)
    const disk = new SimulatedDisk()
    if (this.#stopAt?.replica === name) disk.faults.stopAt = this.#stopAt.write
    const replica = this.world.newReplica(name, { disk, kind, durability, coalesce, ...limits })
    this.#apps.set(name, new IndexingApp(replica, this.world.random(`app of ${name}`)))
    await this.#start(replica)
  }

  async #start(replica: SimulatedReplica): Promise<void> {
    if (replica.isRunning) return
    const { disk, name } = replica
    // One at which the process died is over; one that is still to come holds for the next process too.
    if (disk.writes >= (disk.faults.stopAt ?? 0)) disk.faults.stopAt = undefined
    // It may crash or fail while it starts, as the script has it.
    const hasStarted = await whileItRuns(replica, () =>
      replica.start().then(
        () => true,
        () => false
      )
    )
    if (hasStarted === false) replica.crash()
    if (!replica.isRunning) return
    this.#purges.started(name)
    this.#apps.get(name)?.follow()
  }

  /** Nodes of this replica are gone, and those that come back come in another order. */
  #numbersChanged(name: string): void {
    const replica = this.world.get(name)
    this.writes.diskLost(name)
    this.#firstLives.set(name, replica.lives.length + 1)
    this.#apps.get(name)?.beginAnew()
    if (replica.isRunning) this.#apps.get(name)?.follow()
  }
}
