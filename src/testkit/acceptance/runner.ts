/**
 * What the acceptance suites need of whoever runs them: a way to name tests, and a way to wait.
 *
 * Invariant: no test waits for a time to pass; each waits for a condition.
 */

/** The parts of a test runner that are used: those of vitest, `node:test`, mocha and others fit. */
export interface TestRunner {
  /** Names a group of tests. */
  describe(name: string, define: () => void): unknown
  /** Names a test, which fails if the promise rejects. */
  it(name: string, run: () => Promise<void>): unknown
}

/**
 * Waits until a condition holds, and rejects if that takes too long. In a simulated world it is
 * `(condition) => world.until(condition)`.
 */
export type Until = (condition: () => boolean | Promise<boolean>) => Promise<void>

/** How long a condition may take in real time, in milliseconds. */
const PATIENCE_MS = 10_000
const POLL_MS = 2

/** Looks again and again, in real time. */
export const untilInRealTime: Until = async (condition) => {
  const end = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not within ${PATIENCE_MS} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Waits for a promise while time goes on. */
export async function settled<T>(until: Until, work: Promise<T>): Promise<T> {
  let isSettled = false
  const done = (): void => {
    isSettled = true
  }
  work.then(done, done)
  await until(() => isSettled)
  return await work
}
