// A runner that keeps the tests of an acceptance suite and runs them when it is told to: so that a test can see a suite
// fail.
import type { TestRunner } from '../../src/testkit/acceptance/runner.ts'

export class RecordingRunner implements TestRunner {
  readonly #tests: Array<{ name: string; run: () => Promise<void> }> = []

  readonly describe = (_name: string, define: () => void): void => define()

  readonly it = (name: string, run: () => Promise<void>): void => void this.#tests.push({ name, run })

  get count(): number {
    return this.#tests.length
  }

  /**
   * Runs them one after the other, and tells the names of those that fail, with their reasons.
   *
   * @param only - the names of those that are run, if not all are.
   */
  async failures(only?: readonly string[]): Promise<Map<string, unknown>> {
    const failures = new Map<string, unknown>()
    for (const { name, run } of this.#tests) {
      if (only?.includes(name) === false) continue
      try {
        await run()
      } catch (error) {
        failures.set(name, error)
      }
    }
    return failures
  }
}
