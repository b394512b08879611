// Ends the process when one input never ends, and says which. It watches from a thread of its own, since the one that
// hangs can say nothing; it counts time of the processor, which a busy machine does not make longer.
import { writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const CPU_SECONDS_MAX = 30
/** For a wait that never ends and takes no time of the processor. */
const SECONDS_MAX = 300

interface Shared {
  /** Target and index of the input under way. */
  at: Float64Array
  names: string[]
  seed: string
}

/** Begins to watch. */
export function startWatchdog(names: string[], seed: string) {
  const at = new Float64Array(new SharedArrayBuffer(16))
  const worker = new Worker(new URL(import.meta.url), { workerData: { at, names, seed } satisfies Shared })
  worker.unref()
  return {
    onInput(target: number, index: number): void {
      at[0] = target
      at[1] = index
    },
    async stop(): Promise<void> {
      await worker.terminate()
    }
  }
}

function watch({ at, names, seed }: Shared): void {
  let current = ''
  let since = { cpu: process.cpuUsage(), at: Date.now() }
  setInterval(() => {
    const name = `${names[at[0] as number]}:${seed}:${at[1]}`
    const { user } = process.cpuUsage(since.cpu)
    if (name !== current) {
      current = name
      since = { cpu: process.cpuUsage(), at: Date.now() }
    } else if (user / 1e6 > CPU_SECONDS_MAX || Date.now() - since.at > SECONDS_MAX * 1000) {
      writeSync(2, `\nHANGS: ${name}\n`)
      process.kill(process.pid, 'SIGKILL')
    }
  }, 1000)
}

if (!isMainThread && parentPort !== null) watch(workerData as Shared)
