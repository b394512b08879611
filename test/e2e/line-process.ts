/**
 * A program in a process of its own: lines in, lines out.
 *
 * Invariants: whoever waits is told of every line, and is rejected when the process ends first; no process outlives
 * the test's own, or `killLineProcesses`.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { projectFolder } from './build.ts'

const running = new Set<ChildProcessWithoutNullStreams>()

const killAllNow = (): void => {
  for (const child of running) child.kill('SIGKILL')
}
process.once('exit', killAllNow)

/** For `afterEach`: a test that failed may have left processes. */
export async function killLineProcesses(): Promise<void> {
  const exits = [...running].map((child) => once(child, 'close'))
  killAllNow()
  await Promise.all(exits)
}

/** The exit status, or the signal that ended it; and what came to stderr. */
export interface End {
  end: number | string
  errors: string[]
}

export class LineProcess {
  /** What came to stdout and stderr. */
  readonly lines: string[] = []
  readonly errors: string[] = []
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<number | string>
  /** Looked at again whenever a line comes. */
  readonly #waiting = new Set<() => void>()

  /** @param file - inside the project. */
  constructor(file: string, args: string[] = []) {
    const child = spawn(process.execPath, [file, ...args], { cwd: projectFolder })
    running.add(child)
    this.#child = child
    this.#ended = once(child, 'close').then(([code, signal]) => {
      running.delete(child)
      this.#told()
      return (code ?? signal) as number | string
    })
    // A pipe to a process that was killed breaks; its end is told by the exit.
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.#told()
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.errors.push(line)
      this.#told()
    })
  }

  type(...lines: string[]): void {
    this.#child.stdin.write(lines.map((line) => `${line}\n`).join(''))
  }

  endInput(): void {
    this.#child.stdin.end()
  }

  /** Resolves once each of some lines came to stdout or stderr, in whatever order. */
  async until(...lines: string[]): Promise<void> {
    await this.untilTrue(() => lines.every((line) => this.lines.includes(line) || this.errors.includes(line)))
  }

  /** The match of the first line on stdout that does. */
  async untilMatch(pattern: RegExp): Promise<RegExpExecArray> {
    const match = (): RegExpExecArray | undefined => {
      for (const line of this.lines) {
        const found = pattern.exec(line)
        if (found !== null) return found
      }
      return undefined
    }
    await this.untilTrue(() => match() !== undefined)
    return match()!
  }

  /** Resolves when the condition holds, which is looked at whenever a line comes. */
  async untilTrue(condition: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const look = (): void => {
      if (condition()) resolve()
      else if (!running.has(this.#child)) reject(new Error(`It ended: ${[...this.lines, ...this.errors]}`))
    }
    this.#waiting.add(look)
    try {
      look()
      await promise
    } finally {
      this.#waiting.delete(look)
    }
  }

  /** Its end, for which nothing is done. @throws if it does not come in time. */
  async end(withinMs: number): Promise<End> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const printed = () => [...this.lines, ...this.errors].join('\n')
    const timer = setTimeout(
      () => reject(new Error(`It has not ended in ${withinMs} ms:\n${printed()}`)),
      withinMs
    )
    try {
      return { end: await Promise.race([this.#ended, late]), errors: this.errors }
    } finally {
      clearTimeout(timer)
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #told(): void {
    for (const look of this.#waiting) look()
  }
}
