/**
 * Starts a peer of the lab in a process of its own, calls it, and kills it.
 *
 * Invariants: every line that the process wrote before its end is taken up, also after a SIGKILL; a call to a process
 * that ended rejects.
 */
import { LineProcess } from '../e2e/line-process.ts'
import type { LabLine, LabMethod, LabMethods } from './lab-messages.ts'

const PROGRAM = 'test/processes/lab-peer.ts'

export class LabProcess {
  /** Where it listens. */
  address = ''
  readonly #process: LineProcess
  readonly #onLine: (line: LabLine) => void
  readonly #answers = new Map<number, { result?: unknown; error?: string }>()
  #linesRead = 0
  #nextId = 0

  private constructor(args: string[], onLine: (line: LabLine) => void) {
    this.#process = new LineProcess(PROGRAM, args)
    this.#onLine = onLine
  }

  /**
   * Starts a process, without waiting for it.
   *
   * @param onLine - told of every line in order, by the time of the next call or wait at the latest.
   */
  static spawn(data: string, args: string[] = [], onLine: (line: LabLine) => void = () => {}): LabProcess {
    return new LabProcess(['--data', data, ...args], onLine)
  }

  /** Starts a process whose store is open. */
  static async start(...args: Parameters<typeof LabProcess.spawn>): Promise<LabProcess> {
    const lab = LabProcess.spawn(...args)
    await lab.until(() => lab.address !== '')
    return lab
  }

  async call<Method extends LabMethod>(
    method: Method,
    ...args: Parameters<LabMethods[Method]>
  ): Promise<Awaited<ReturnType<LabMethods[Method]>>> {
    const id = this.#nextId++
    this.#process.type(JSON.stringify({ id, method, args }))
    await this.until(() => this.#answers.has(id))
    const { result, error } = this.#answers.get(id)!
    this.#answers.delete(id)
    if (error !== undefined) throw new Error(`${method} failed: ${error}`)
    return result as Awaited<ReturnType<LabMethods[Method]>>
  }

  /** Begins what never ends by itself. */
  begin<Method extends LabMethod>(method: Method, ...args: Parameters<LabMethods[Method]>): void {
    this.#process.type(JSON.stringify({ id: this.#nextId++, method, args }))
  }

  /** Resolves when the condition holds, which is looked at whenever a line comes. */
  async until(condition: () => boolean): Promise<void> {
    await this.#process.untilTrue(() => {
      this.#read()
      return condition()
    })
  }

  /** SIGKILL; what it wrote before is read to the end. */
  async kill(): Promise<void> {
    await this.#process.kill()
    this.#read()
  }

  async close(): Promise<void> {
    this.begin('close')
    await this.#process.end(30_000)
  }

  #read(): void {
    for (; this.#linesRead < this.#process.lines.length; this.#linesRead++) {
      const line = parse(this.#process.lines[this.#linesRead]!)
      if (line === undefined) continue
      if ('id' in line) this.#answers.set(line.id, line)
      else if ('ready' in line) this.address = line.ready.address
      this.#onLine(line)
    }
  }
}

/** A line that a kill cut through tells of nothing. */
function parse(text: string): LabLine | undefined {
  try {
    return JSON.parse(text) as LabLine
  } catch {
    return undefined
  }
}
