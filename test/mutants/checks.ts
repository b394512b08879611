// Runs test files on a copy of the repository, up to the first failure, within bounded time.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What came of a run: `by` says which test failed, or in which other way it did not pass. */
export type Outcome = { passed: true } | { passed: false; by: string; file?: string }

/** The parts of vitest's JSON report that are read. */
interface Report {
  testResults: Array<{
    name: string
    status: string
    message: string
    assertionResults: Array<{ status: string; fullName: string }>
  }>
}

/** The process groups that run: nobody else ends them, because each is a group of its own. */
const running = new Set<number>()

/** Ends every run at once. */
export function stopChecks(): void {
  for (const pid of running) process.kill(-pid, 'SIGKILL')
}

const OUTPUT_CHARACTERS_MAX = 2000

/** @param files - relative to `root`. Each process of vitest uses one worker, since several copies are at work. */
export async function runChecks(root: string, files: readonly string[], timeoutMs: number): Promise<Outcome> {
  const reportFile = join(root, 'report.json')
  rmSync(reportFile, { force: true })
  const options = ['run', '--bail=1', '--maxWorkers=1', '--reporter=json', `--outputFile=${reportFile}`]
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const { exit, output } = await runToEnd(
    [vitest, ...options, ...files.map((file) => join(root, file))],
    root,
    timeoutMs
  )
  if (exit === 'timeout') return { passed: false, by: `by hanging: no end within ${timeoutMs / 1000} s` }
  if (exit === 0) return { passed: true }
  const failure = failureOf(reportFile, root) ?? { by: `by an error outside of any test: ${output}` }
  return { passed: false, ...failure }
}

function failureOf(reportFile: string, root: string): { by: string; file: string } | undefined {
  let report: Report
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report
  } catch {
    return undefined
  }
  const fileOf = (name: string): string => name.slice(root.length + 1)
  for (const { name, assertionResults } of report.testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')
    if (failed !== undefined) return { by: `${fileOf(name)} > ${failed.fullName}`, file: fileOf(name) }
  }
  // Files that had not begun when another one failed are said to have failed too, without a message.
  const broken = report.testResults.find(({ status, message }) => status === 'failed' && message !== '')
  if (broken === undefined) return undefined
  const file = fileOf(broken.name)
  return { by: `${file}, outside of any test: ${broken.message}`, file }
}

async function runToEnd(
  args: readonly string[],
  cwd: string,
  timeoutMs: number
): Promise<{ exit: number | 'timeout'; output: string }> {
  // A process group of its own: a worker that loops would outlive the process that started it.
  const child = spawn(process.execPath, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const { pid } = child
  if (pid !== undefined) running.add(pid)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  const { promise, resolve, reject } = Promise.withResolvers<number | 'timeout'>()
  const timer = setTimeout(() => {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    resolve('timeout')
  }, timeoutMs)
  child.on('error', reject)
  child.on('close', (code) => resolve(code ?? 1))
  try {
    return { exit: await promise, output }
  } finally {
    clearTimeout(timer)
    if (pid !== undefined) running.delete(pid)
  }
}
