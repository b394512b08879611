/**
 * Starts peers, each in a process of its own, and calls them.
 *
 * Invariant: a peer ends with its scope; a call to a peer whose process ended rejects.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../scope.ts'
import type { PeerMethod, PeerMethods, PeerRequest, PeerResponse } from './messages.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

interface Call {
  resolve(result: unknown): void
  reject(error: Error): void
}

let profiles = 0

export class PeerProcess {
  readonly #role: string
  readonly #child: ChildProcess
  readonly #profileFolder: string | undefined
  readonly #calls = new Map<number, Call>()
  #nextId = 0

  private constructor(role: string, child: ChildProcess, profileFolder: string | undefined) {
    this.#role = role
    this.#child = child
    this.#profileFolder = profileFolder
    child.on('message', (response: PeerResponse) => this.#answered(response))
    child.on('exit', () => {
      for (const { reject } of this.#calls.values()) reject(new Error(`The ${role} has ended`))
    })
  }

  /**
   * Starts a process.
   *
   * @param role - what the peer is called in errors, and its profile on disk.
   * @param execArgv - what Node is told.
   */
  static start(scope: Scope, role: string, execArgv: string[] = []): PeerProcess {
    const child = fork(MAIN, [], { serialization: 'advanced', execArgv })
    const peer = new PeerProcess(role, child, scope.options.profileFolder)
    scope.defer(() => peer.end())
    return peer
  }

  async call<Method extends PeerMethod>(
    method: Method,
    ...args: Parameters<PeerMethods[Method]>
  ): Promise<Awaited<ReturnType<PeerMethods[Method]>>> {
    const id = this.#nextId++
    const request: PeerRequest = { id, method, args }
    const { promise, ...call } = Promise.withResolvers<unknown>()
    this.#calls.set(id, call)
    this.#child.send(request)
    return (await promise) as Awaited<ReturnType<PeerMethods[Method]>>
  }

  /** Begins to watch the process, and to profile it where that was asked for. */
  async watch(): Promise<void> {
    const name = `${++profiles}-${this.#role}.cpuprofile`
    await this.call(
      'watch',
      this.#profileFolder === undefined ? undefined : resolve(this.#profileFolder, name)
    )
  }

  /** Ends the peer and its process. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    await this.call('close').catch(() => {})
    if (this.#child.connected) this.#child.disconnect()
    await exited
  }

  #answered({ id, result, error }: PeerResponse): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(`The ${this.#role} failed: ${error}`))
  }
}

/** How a peer is made. */
export interface PeerInit {
  role: string
  folder: string
  topic: string
  /** Whether it shares its blocks by bitswap too. */
  isHelia?: boolean
  /** What Node is told. */
  execArgv?: string[]
}

/** Starts a peer and opens its store. */
export async function startPeer(
  scope: Scope,
  { role, execArgv, ...init }: PeerInit
): Promise<{ peer: PeerProcess; address: string }> {
  const peer = PeerProcess.start(scope, role, execArgv)
  return { peer, address: await peer.call('open', init) }
}
