/**
 * A go-ds-crdt peer in a process of its own, called over stdin.
 *
 * Invariants: a call to a process that ended rejects; no process outlives the test's own.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { GoAnswers, GoCalls, GoCondition, GoDag, GoHead, GoOperation } from './go-messages.ts'

const running = new Set<ChildProcessWithoutNullStreams>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface GoPeerInit {
  /** The built program. */
  program: string
  name: string
  topic: string
  /** A folder of Pebble; in memory if left out. */
  folder?: string
  /** Flags of the program without their dash. */
  flags?: Record<string, string | number | boolean>
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/** What a long line of a log is good for ends here. */
const LOG_LINES_MAX = 200

export class GoPeer {
  readonly name: string
  id = ''
  address = ''
  namedDags = false
  /** What it logged, the last lines of it. */
  readonly log: string[] = []
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<number | string>
  readonly #answers = new Map<number, Waiting>()
  readonly #ready = Promise.withResolvers<void>()
  #nextId = 1

  private constructor({ program, name, topic, folder, flags = {} }: GoPeerInit) {
    this.name = name
    const args = Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`)
    args.push(`-topic=${topic}`, `-seed=${name}`)
    if (folder !== undefined) args.push(`-data=${folder}`)
    const child = spawn(program, args, { env: { ...process.env, GOLOG_LOG_LEVEL: 'error' } })
    running.add(child)
    this.#child = child
    this.#ended = once(child, 'close').then(([code, signal]) => {
      running.delete(child)
      const error = new Error(`${name} ended (${code ?? signal}): ${this.log.join('\n')}`)
      this.#ready.reject(error)
      for (const { reject } of this.#answers.values()) reject(error)
      this.#answers.clear()
      return (code ?? signal) as number | string
    })
    // A pipe to a process that was killed breaks; its end is told by the exit.
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => this.#onLine(line))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(line)
      if (this.log.length > LOG_LINES_MAX) this.log.shift()
    })
  }

  static async start(init: GoPeerInit): Promise<GoPeer> {
    const peer = new GoPeer(init)
    await peer.#ready.promise
    return peer
  }

  /** @throws what Go says went wrong. */
  async call<Name extends keyof GoCalls>(name: Name, args: GoCalls[Name]): Promise<GoAnswers[Name]> {
    if (!running.has(this.#child)) throw new Error(`${this.name} has ended`)
    const id = this.#nextId++
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#answers.set(id, { resolve, reject })
    this.#child.stdin.write(`${JSON.stringify({ id, do: name, ...args })}\n`)
    return (await promise) as GoAnswers[Name]
  }

  async put(key: string, value: string | Uint8Array): Promise<void> {
    await this.run([{ op: 'put', key, value: base64(value) }])
  }

  async delete(key: string): Promise<void> {
    await this.run([{ op: 'delete', key }])
  }

  async batch(batch: GoOperation[]): Promise<void> {
    await this.run([{ op: 'batch', batch }])
  }

  /** One after the other, or so many at a time. */
  async run(operations: GoOperation[], parallel = 1): Promise<void> {
    await this.call('run', { operations, parallel })
  }

  /** The value, or undefined if it has none. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const found = await this.call('get', { key })
    return found === null ? undefined : fromBase64(found.value ?? '')
  }

  async state(): Promise<Map<string, Uint8Array>> {
    const rows = Object.entries(await this.call('list', {}))
    return new Map(rows.map(([key, value]) => [key, fromBase64(value)]))
  }

  async heads(): Promise<GoHead[]> {
    return (await this.call('heads', {})) ?? []
  }

  /** Everything at and below its heads, or these CIDs. */
  async dag(
    cids: string[] = []
  ): Promise<{ blocks: Uint8Array[]; missing: string[]; unprocessed: string[] }> {
    const { blocks, missing, unprocessed }: GoDag = await this.call('dag', { cids })
    return { blocks: blocks.map(fromBase64), missing, unprocessed }
  }

  /** Resolves when the condition holds. @returns how long that took, by Go's clock. */
  async until(until: GoCondition, withinMs = 20_000): Promise<number> {
    return await this.call('until', { until: { ...until, withinMs } })
  }

  /** Whether it has merged a node. */
  async hasMerged(cid: string): Promise<boolean> {
    const { unprocessed, missing } = await this.call('dag', { cids: [cid], only: true })
    return unprocessed.length + missing.length === 0
  }

  async connect(address: string): Promise<void> {
    await this.call('connect', { address })
  }

  /** Ids of the peers that it is connected to. */
  async connected(): Promise<string[]> {
    return (await this.call('peers', {})).connected ?? []
  }

  async disconnect(peer: string): Promise<void> {
    await this.call('disconnect', { peer })
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** In order, as go-ds-crdt asks for it. */
  async close(): Promise<void> {
    this.#child.stdin.end(`${JSON.stringify({ id: 0, do: 'quit' })}\n`)
    const end = await this.#ended
    if (end !== 0) throw new Error(`${this.name} ended with ${end}: ${this.log.join('\n')}`)
  }

  #onLine(text: string): void {
    const line = parse(text)
    if (line === undefined) return
    if (line.ready !== undefined) {
      Object.assign(this, line.ready)
      this.#ready.resolve()
      return
    }
    const waiting = this.#answers.get(line.id ?? 0)
    this.#answers.delete(line.id ?? 0)
    if (line.error === undefined) waiting?.resolve(line.result)
    else waiting?.reject(new Error(`${this.name}: ${line.error}`))
  }
}

interface Line {
  id?: number
  result?: unknown
  error?: string
  ready?: { id: string; address: string; namedDags: boolean }
}

/** A line that a kill cut through tells of nothing. */
function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line
  } catch {
    return undefined
  }
}

export function base64(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64')
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
