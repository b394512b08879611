/**
 * The example peer in a process of its own, spoken to as a script would: lines in, lines out.
 *
 * Invariants: commands are sent one after the other, each when the one before it was answered; a process that ends
 * rejects whoever waits for it; no process outlives the test's own, or `killAll`.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { projectFolder } from './build.ts'

/** Commands that are answered by lines of which the last begins with `ok`; all others are by one. */
const MANY_LINES = new Set(['list', 'load', 'heads', 'stats', 'peers', 'help'])

const running = new Set<ChildProcessWithoutNullStreams>()

const killAllNow = (): void => {
  for (const child of running) child.kill('SIGKILL')
}
process.once('exit', killAllNow)

/** For `afterEach`: a test that failed may have left processes. */
export async function killAll(): Promise<void> {
  const exits = [...running].map((child) => once(child, 'close'))
  killAllNow()
  await Promise.all(exits)
}

interface Waiting {
  isMet(line: string): boolean
  met(): void
  failed(error: Error): void
}

export class PeerProcess {
  id = ''
  /** Ends in `/p2p/` and the id. */
  address = ''
  /** Lines that are about other peers' writes, `put KEY` or `delete KEY`. */
  readonly changes: string[] = []
  /** What came to stdout and stderr, everything. */
  readonly output: string[] = []
  readonly errors: string[] = []
  readonly #child: ChildProcessWithoutNullStreams
  readonly #exited: Promise<number | string>
  readonly #waiting = new Set<Waiting>()
  #replies: string[] | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(args: string[]) {
    const child = spawn(process.execPath, ['examples/peer/main.ts', ...args], { cwd: projectFolder })
    running.add(child)
    this.#child = child
    this.#exited = once(child, 'close').then(([code, signal]) => {
      running.delete(child)
      const end = (code ?? signal) as number | string
      for (const { failed } of this.#waiting) failed(new Error(`The peer ended (${end}): ${this.errors}`))
      return end
    })
    // A pipe to a process that was killed breaks; its end is told by the exit.
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => this.#onLine(line))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.errors.push(line)
      this.#told(`stderr ${line}`)
    })
  }

  /** A peer on a free port of this machine that answers. Multicast does not work everywhere, so it has no mDNS. */
  static async start(data: string, args: string[] = []): Promise<PeerProcess> {
    const peer = new PeerProcess(['--data', data, '--no-mdns', '--watch', ...args])
    await peer.until(() => peer.output.some((line) => line.startsWith('ready')))
    const word = (name: string) =>
      peer.output.find((line) => line.startsWith(`${name} `))!.slice(name.length + 1)
    peer.id = word('peer')
    peer.address = word('address')
    return peer
  }

  /**
   * The lines that answer a command.
   *
   * @throws an Error with the name and message that came to stderr.
   */
  async run(command: string): Promise<string[]> {
    const turn = this.#turn.then(() => this.#run(command))
    this.#turn = turn.catch(() => {})
    return await turn
  }

  /** One line, for commands that are answered by one. */
  async ask(command: string): Promise<string> {
    return (await this.run(command)).at(-1)!
  }

  async stats(): Promise<Record<string, number>> {
    const lines = (await this.run('stats')).slice(0, -1).map((line) => line.split('\t'))
    return Object.fromEntries(lines.map(([name, figure]) => [name, Number(figure)]))
  }

  /** Resolves when the condition holds, which is looked at whenever a line comes. */
  async until(condition: () => boolean): Promise<void> {
    if (!condition()) await this.#wait(condition)
  }

  /** Lines without waiting for their answers, and whether more will come. */
  pipe(lines: string[], options: { end?: boolean } = {}): void {
    this.#child.stdin.write(lines.map((line) => `${line}\n`).join(''))
    if (options.end === true) this.#child.stdin.end()
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<number | string> {
    this.#child.kill(signal)
    return await this.#exited
  }

  async quit(): Promise<number | string> {
    this.pipe(['quit'])
    return await this.#exited
  }

  /** The exit status, or the signal that ended it. */
  async exit(): Promise<number | string> {
    return await this.#exited
  }

  async #run(command: string): Promise<string[]> {
    const replies: string[] = []
    const isMany = MANY_LINES.has(command.split(' ', 1)[0]!)
    this.#replies = replies
    let failure: string | undefined
    const answered = this.#wait((line) => {
      if (/^stderr \w*Error: /.test(line)) failure = line.slice('stderr '.length)
      const last = replies.at(-1)
      return failure !== undefined || (last !== undefined && (!isMany || /^ok\b/.test(last)))
    })
    this.pipe([command])
    try {
      await answered
    } finally {
      this.#replies = undefined
    }
    if (failure !== undefined) throw new Error(failure)
    return replies
  }

  #onLine(line: string): void {
    this.output.push(line)
    if (line.startsWith('change\t')) this.changes.push(line.split('\t').slice(1).join(' '))
    else this.#replies?.push(line)
    this.#told(line)
  }

  #told(line: string): void {
    for (const waiting of this.#waiting) if (waiting.isMet(line)) waiting.met()
  }

  async #wait(isMet: (line: string) => boolean): Promise<void> {
    if (!running.has(this.#child)) throw new Error(`The peer has ended: ${this.errors}`)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { isMet, met: resolve, failed: reject }
    this.#waiting.add(waiting)
    try {
      await promise
    } finally {
      this.#waiting.delete(waiting)
    }
  }
}
