/**
 * A process with a heap of 256 MB catches up with a million keys in 200,000 deltas, and then reads all of them. A process
 * that needed more would be ended by V8, and the benchmark would fail.
 *
 * The limit is that of the whole heap. `--max-old-space-size` alone leaves V8 a young generation beside it that grows to
 * 128 MB under any steady work, and is not given back: what a reader without any limit takes is told as well.
 */
import { type Benchmark, checkEqual } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import type { PeerLoad } from '../peer/messages.ts'
import { startPeer } from '../peer/process.ts'
import type { Scope } from '../scope.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = 200_000
const KEYS_EACH = 5
const HEAP_MB = 256
/** What Node is told for a whole heap of that. */
const LIMITED = [`--max-heap-size=${HEAP_MB}`]
const TOPIC = 'memory'
const WITHIN_MS = 600_000

/** What one run gave. */
export interface MemoryRun {
  seconds: number
  load: PeerLoad
  writerLoad: PeerLoad
}

export const memory: Benchmark = {
  name: 'memory',
  about: `catching up with 1,000,000 keys in 200,000 deltas, both processes with a heap of ${HEAP_MB} MB`,
  figures: {
    memory: { unit: 'MiB more', better: 'less', target: 150 },
    'mapped files': { unit: 'MiB more', better: 'less' },
    'without a limit': { unit: 'MiB more', better: 'less' },
    heap: { unit: 'MiB', better: 'less', target: HEAP_MB },
    rate: { unit: 'deltas/s', better: 'more' },
    'loop delay p99': { unit: 'ms', better: 'less', target: 50 },
    'loop delay max': { unit: 'ms', better: 'less' },
    "writer's memory": { unit: 'MiB more', better: 'less' },
    "writer's p99": { unit: 'ms', better: 'less', target: 50 }
  },
  runs: { full: 2, quick: 1 },
  warmUps: 0,
  isLong: true,
  async prepare(scope) {
    const catchUp = await prepareMemoryRun(scope)
    return async (run) => {
      const { seconds, load, writerLoad } = await catchUp(run)
      const unlimited = await catchUp(run, [])
      return {
        memory: load.memoryGrowth,
        'mapped files': load.mappedGrowth,
        'without a limit': unlimited.load.memoryGrowth,
        heap: load.heapMax,
        rate: DELTAS / seconds,
        'loop delay p99': load.loopDelayP99,
        'loop delay max': load.loopDelayMax,
        "writer's memory": writerLoad.memoryGrowth,
        "writer's p99": writerLoad.loopDelayP99
      }
    }
  }
}

/** Makes ready a writer with all of it; what is returned lets a fresh reader with these options of Node catch up. */
export async function prepareMemoryRun(
  scope: Scope
): Promise<(run: Scope, execArgv?: string[]) => Promise<MemoryRun>> {
  const folder = await scope.folder()
  await writeHistory({ folder, topic: TOPIC, prefix: TOPIC, count: DELTAS, keysEach: KEYS_EACH })
  const { peer: writer, address } = await startPeer(scope, {
    role: 'writer',
    folder,
    topic: TOPIC,
    execArgv: LIMITED
  })
  const { digest } = await writer.call('state')
  return async (run, execArgv = LIMITED) => {
    const readerInit = { role: 'reader', folder: await run.folder(), topic: TOPIC, execArgv }
    const { peer: reader } = await startPeer(run, readerInit)
    await Promise.all([reader.watch(), writer.watch()])
    const startedAt = await reader.call('dial', address)
    const endedAt = await reader.call('reached', { digest, withinMs: WITHIN_MS })
    const [load, writerLoad] = await Promise.all([reader.call('load'), writer.call('load')])
    await checkAgreement(writer, reader, { nodes: DELTAS, keys: DELTAS * KEYS_EACH })
    checkEqual(await reader.call('readAll'), DELTAS * KEYS_EACH, 'rows')
    return { seconds: millisecondsBetween(startedAt, endedAt) / 1000, load, writerLoad }
  }
}
