/**
 * Runs a script: a phase with faults, and then one in which everything heals and everything is checked.
 *
 * Invariants: steps do not wait for each other's writes, so that writes, faults and arrivals meet in every order; the
 * same script runs the same way every time.
 */
import { Key } from 'interface-datastore'
import { Bounds } from '../checkers/bounded.ts'
import { CheckError } from '../checkers/check-error.ts'
import { type CheckedWorld, checkWorld } from '../checkers/check-world.ts'
import { readTogether, TOGETHER_KEYS } from '../checkers/together.ts'
import { SimulatedDisk } from '../disk/simulated-disk.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { World } from '../world.ts'
import { HARMS } from './generate-harm.ts'
import { harm } from './hostile-steps.ts'
import { versionsOf, WriteRecord } from './record.ts'
import { printScript, type Script, type Step } from './script.ts'

/** What a run was about, in numbers. */
export interface RunReport {
  seed: number
  profile: string
  operations: number
  acknowledged: number
  faults: number
  /** Deeds of peers that are not honest. */
  harms: number
  crashes: number
  messages: number
  bytes: number
  nodes: number
  virtualMs: number
  /** Equal for two runs that did the same. */
  trace: string
}

/** A run that went wrong: which check failed, with the script and the trace. */
export class SimulationError extends Error {
  static override readonly name = 'SimulationError'
  override name = 'SimulationError'
  readonly script: Script
  /** The newest lines of the trace. */
  readonly trace: readonly string[]
  /** The DAG of the first replica, as text. */
  readonly dag: readonly string[]

  constructor(script: Script, trace: readonly string[], dag: readonly string[], cause: unknown) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    super(`Seed ${script.seed} (${script.profile}) fails: ${why}`, { cause })
    this.script = script
    this.trace = trace
    this.dag = dag
  }

  /** Everything that there is to know, for a person. */
  report(): string {
    const parts = [this.message, '', 'Script:', printScript(this.script), '', 'DAG:', ...this.dag]
    return [...parts, '', 'Trace, newest lines:', ...this.trace.slice(-200)].join('\n')
  }
}

/** The slowest message of any script arrives within this time, in virtual milliseconds. */
const LAST_WORDS_MS = 5000

const FAULTS: ReadonlySet<Step['do']> = new Set([
  ...(['partition', 'cut', 'link', 'close', 'crash', 'lose power', 'crash at write'] as const),
  ...(['fail writes', 'slow disk', 'lose disk', 'restore'] as const)
])

/**
 * Runs a script to its end.
 *
 * @throws SimulationError if anything is not as it must be.
 */
export async function runScript(script: Script): Promise<RunReport> {
  const run = new Run(script)
  try {
    await run.live()
    await run.heal()
    await checkWorld(run.checked())
    await run.bounds.end()
    return await run.report()
  } catch (error) {
    throw new SimulationError(script, run.world.trace.lines(), await run.drawing(), error)
  }
}

class Run {
  readonly world: World
  readonly bounds: Bounds
  readonly #script: Script
  readonly #writes = new WriteRecord()
  readonly #names: string[] = []
  readonly #backups = new Map<string, SimulatedDisk>()
  /** For each replica the life with which its newest disk began. */
  readonly #firstLives = new Map<string, number>()
  #faults = 0
  #harms = 0
  #crashes = 0

  constructor(script: Script) {
    this.#script = script
    this.world = new World({ seed: script.seed, link: script.link })
    this.bounds = new Bounds(this.world, script.replicas.limits)
  }

  /** The steps of the script. */
  async live(): Promise<void> {
    for (const step of this.#script.steps) {
      this.world.trace.add('script', step.do, JSON.stringify(step))
      if (FAULTS.has(step.do)) this.#faults++
      if (HARMS.has(step.do)) this.#harms++
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
    for (const name of this.#names) {
      const replica = world.get(name)
      replica.disk.faults = {}
      if (replica.isRunning && !(await this.#isUsable(replica))) await world.run(replica.close())
      await this.#start(replica)
    }
    // What was said before may still be on its way, and name nodes that nobody here has heard of.
    for (let ms = 0; ms < LAST_WORDS_MS; ms += 500) {
      await world.advance(500)
      await this.bounds.sample()
    }
    for (const peer of world.hostiles()) peer.leave()
    await world.converge()
  }

  checked(): CheckedWorld {
    return {
      world: this.world,
      writes: this.#writes,
      firstLives: this.#firstLives,
      rebroadcastIntervalMs: this.#script.replicas.limits.rebroadcastIntervalMs ?? 60_000
    }
  }

  async report(): Promise<RunReport> {
    const { network, clock, trace } = this.world
    const [first] = this.world.running()
    const nodes = first === undefined ? 0 : (await first.store.stats()).nodes
    await this.world.close()
    return {
      ...{ seed: this.#script.seed, profile: this.#script.profile, nodes },
      ...{ operations: this.#writes.attempted, acknowledged: this.#writes.acknowledged.length },
      ...{
        faults: this.#faults,
        harms: this.#harms,
        crashes: this.#crashes,
        messages: network.messages,
        bytes: network.bytes
      },
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
        return await this.#read()
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
      default: {
        if ('peer' in step) return await harm(world, step)
        if (!this.#names.includes(step.replica)) return
        const replica = world.get(step.replica)
        if (step.do === 'put' || step.do === 'delete' || step.do === 'batch') await this.#write(replica, step)
        else if (step.do === 'together' || step.do === 'burst') this.#writeMany(replica, step)
        else await this.#disturb(replica, step)
      }
    }
  }

  async #join(name: string): Promise<void> {
    if (this.#names.includes(name)) return
    const { kind, durability, coalesce, limits } = this.#script.replicas
    this.#names.push(name)
    this.#firstLives.set(name, 1)
    await this.world.replica(name, { kind, durability, coalesce, ...limits })
  }

  async #write(
    replica: SimulatedReplica,
    step: Extract<Step, { do: 'put' | 'delete' | 'batch' }>
  ): Promise<void> {
    const operations =
      step.do === 'batch'
        ? step.operations
        : [step.do === 'put' ? { put: step.key, value: step.value } : { delete: step.key }]
    const values = new Map<string, string | undefined>()
    for (const one of operations) {
      if ('put' in one) values.set(one.put, one.value)
      else values.set(one.delete, undefined)
    }
    const seen = new Map<string, string[]>()
    for (const [key, value] of values) {
      if (value !== undefined) continue
      const versions = await this.#whileItRuns(replica, () => versionsOf(replica, key))
      if (versions !== undefined) seen.set(key, versions)
    }
    if (!replica.isRunning) return
    const options = step.dagName === undefined ? {} : { dagName: step.dagName }
    const { store } = replica
    const write = (): Promise<unknown> => {
      if (step.do === 'put') return store.put(new Key(step.key), bytes(step.value), options)
      if (step.do === 'delete') return store.delete(new Key(step.key), options)
      const batch = store.batch(options)
      for (const one of operations) {
        if ('put' in one) batch.put(new Key(one.put), bytes(one.value))
        else batch.delete(new Key(one.delete))
      }
      return Promise.resolve(batch.commit())
    }
    this.#writes.watch(replica, { values, seen }, begun(write))
  }

  #writeMany(replica: SimulatedReplica, step: Extract<Step, { do: 'together' | 'burst' }>): void {
    if (!replica.isRunning) return
    const { store } = replica
    if (step.do === 'together') {
      const write = (): Promise<void> => {
        const batch = store.batch()
        for (const key of TOGETHER_KEYS) batch.put(new Key(key), bytes(step.value))
        return Promise.resolve(batch.commit())
      }
      const values = new Map(TOGETHER_KEYS.map((key) => [key, step.value]))
      this.#writes.watch(replica, { values, seen: new Map() }, begun(write))
      return
    }
    for (let i = 0; i < step.count; i++) {
      const key = `${step.key}/${i % 3}`
      const value = `${replica.name}-${this.#writes.attempted}`
      const values = new Map([[key, value]])
      this.#writes.watch(
        replica,
        { values, seen: new Map() },
        begun(() => store.put(new Key(key), bytes(value)))
      )
    }
  }

  async #disturb(replica: SimulatedReplica, step: Step): Promise<void> {
    const { disk, name } = replica
    switch (step.do) {
      case 'start':
        return await this.#start(replica)
      case 'close':
        await this.#whileItRuns(replica, () => replica.close())
        return
      case 'crash':
        this.#crashes++
        return replica.crash()
      case 'lose power':
        this.#crashes++
        replica.losePower()
        if (!replica.flushes) this.#diskReplaced(replica)
        return
      case 'crash at write':
        if (replica.isRunning) disk.faults.stopAt = disk.writes + step.writes
        return
      case 'fail writes': {
        const last = disk.writes + step.count
        const isFailing = (write: number): boolean => write <= last
        if (step.after) disk.faults.failAfterWrite = isFailing
        else disk.faults.failWrite = isFailing
        return
      }
      case 'slow disk': {
        const random = this.world.random('disks')
        disk.faults.writeMs = step.ms === 0 ? undefined : () => random() * step.ms
        return
      }
      case 'back up':
        return void this.#backups.set(name, disk.copy())
      case 'lose disk':
      case 'restore': {
        const backup = step.do === 'restore' ? this.#backups.get(name)?.copy() : new SimulatedDisk()
        if (backup === undefined) return
        replica.replaceDisk(backup)
        this.#diskReplaced(replica)
      }
    }
  }

  async #start(replica: SimulatedReplica): Promise<void> {
    if (replica.isRunning) return
    replica.disk.faults.stopAt = undefined
    // It may crash or fail while it starts, as the script has it.
    const started = replica.start().then(
      () => true,
      () => false
    )
    const result = await this.#whileItRuns(replica, () => started)
    if (result === false) replica.crash()
  }

  #diskReplaced(replica: SimulatedReplica): void {
    this.#writes.diskLost(replica.name)
    this.#firstLives.set(replica.name, replica.lives.length + 1)
  }

  /** Every reader sees a batch whole or not at all, also in the middle of everything. */
  async #read(): Promise<void> {
    for (const replica of this.world.running()) {
      const values = await this.#whileItRuns(replica, () => readTogether(replica))
      if (values !== undefined && new Set(values).size > 1) {
        throw new CheckError('batches are seen whole', `${replica.name} shows ${values.join(', ')}`)
      }
    }
  }

  async #isUsable(replica: SimulatedReplica): Promise<boolean> {
    const answer = await this.#whileItRuns(replica, () => replica.store.has(new Key('/k')).then(() => true))
    return answer === true
  }

  /** The answer, or undefined if the process fails or dies before it comes. */
  async #whileItRuns<T>(replica: SimulatedReplica, work: () => Promise<T>): Promise<T | undefined> {
    const { deaths } = replica
    let answer: T | undefined
    let isDone = false
    const done = (result?: T): void => {
      answer = result
      isDone = true
    }
    begun(work).then(done, () => done())
    await this.world.clock.until(() => isDone || replica.deaths > deaths)
    return answer
  }
}

/** A call that throws in its own turn rejects like any other. */
function begun<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (error) {
    return Promise.reject(error)
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
