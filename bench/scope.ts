/**
 * What a benchmark leaves behind is cleaned up by its scope: folders, stores, processes.
 *
 * Invariant: everything is ended in the reverse order of its making, also after a failure.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How a run was asked for. */
export interface RunOptions {
  /** Smaller and fewer. */
  quick: boolean
  /** Where peers that are watched write CPU profiles, if anywhere. */
  profileFolder?: string | undefined
  /** Whether rivals take part. */
  rivals: boolean
  /** Rivals that did not take part, or not in something, and why. Filled as the run goes on. */
  absent: Map<string, string>
}

export class Scope {
  readonly options: RunOptions
  readonly #cleanUps: Array<() => Promise<unknown>> = []

  constructor(options: RunOptions) {
    this.options = options
  }

  /** Something to do when the scope ends. */
  defer(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.push(cleanUp)
  }

  /** An empty folder that is deleted when the scope ends. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'datastore-crdt-bench-'))
    this.defer(() => rm(folder, { recursive: true, force: true }))
    return folder
  }

  async end(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp()
  }

  /** Runs something in a scope of its own. */
  static async run<T>(options: RunOptions, work: (scope: Scope) => Promise<T>): Promise<T> {
    const scope = new Scope(options)
    try {
      return await work(scope)
    } finally {
      await scope.end()
    }
  }
}
