/**
 * A running rival.
 *
 * Invariant: it ends with its scope; a call to a process that ended rejects.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Scope } from '../scope.ts'
import { commandOf, type RivalName } from './rival.ts'

/** What a rival may be told; each method uses what it needs. See bench/go/work.go. */
export interface RivalArguments {
  folder?: string
  topic?: string
  address?: string
  prefix?: string
  from?: number
  count?: number
  indexes?: readonly number[]
  pauseMs?: number
  withinMs?: number
}

interface Answer {
  id: number
  result?: unknown
  error?: string
}

interface Call {
  resolve(result: unknown): void
  reject(error: Error): void
}

/** How long a rival may take to end before it is killed. */
const ENDING_MS = 5000

export class RivalProcess {
  readonly name: RivalName
  readonly #child: ChildProcess
  readonly #calls = new Map<number, Call>()
  #complaints = ''
  #nextId = 0

  private constructor(name: RivalName, child: ChildProcess) {
    this.name = name
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.#answered(line))
    child.stderr!.on('data', (text) => {
      this.#complaints = (this.#complaints + text).slice(-2000)
    })
    child.on('exit', () => this.#ended())
    child.on('error', () => this.#ended())
    child.stdin!.on('error', () => {})
  }

  static async start(scope: Scope, name: RivalName): Promise<RivalProcess> {
    const { command, args } = await commandOf(name)
    const rival = new RivalProcess(name, spawn(command, args, { stdio: 'pipe' }))
    scope.defer(() => rival.end())
    return rival
  }

  async call(method: string, args: RivalArguments = {}): Promise<unknown> {
    if (this.#hasEnded) throw new Error(`${this.name} has ended. ${this.#complaints}`)
    const id = this.#nextId++
    const { promise, ...call } = Promise.withResolvers<unknown>()
    this.#calls.set(id, call)
    this.#child.stdin!.write(`${JSON.stringify({ id, method, args })}\n`)
    return await promise
  }

  /** Calls a method that tells how many milliseconds its work took. */
  async time(method: string, args: RivalArguments): Promise<number> {
    const { ms } = (await this.call(method, args)) as { ms: number }
    return ms
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ENDING_MS)
    await exited
    clearTimeout(timer)
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined
  }

  #ended(): void {
    for (const { reject } of this.#calls.values())
      reject(new Error(`${this.name} has ended. ${this.#complaints}`))
    this.#calls.clear()
  }

  #answered(line: string): void {
    // A library may print what is no answer.
    if (!line.startsWith('{"id":')) return
    const { id, result, error } = JSON.parse(line) as Answer
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(`${this.name}: ${error}`))
  }
}
