/**
 * How busy a process is: the delay of its event loop, its memory, its processor time, and what it spends it on.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { startProfile } from '../profile/record.ts'
import type { MemorySample, PeerLoad } from './messages.ts'
import { residentMemory } from './resident.ts'

/** How often the loop is looked at. Node counts this interval into the delay, and it is taken off again. */
const RESOLUTION_MS = 5
const MEMORY_INTERVAL_MS = 20
/** How often what was seen is kept. */
const MEMORY_SAMPLE_S = 1

/**
 * Begins to watch this process.
 *
 * @param profileFile - where to write a CPU profile, if anywhere. It slows the process down.
 */
export async function watchLoad(profileFile?: string): Promise<() => Promise<PeerLoad>> {
  const stopProfile = profileFile === undefined ? undefined : await startProfile(profileFile)
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const before = residentMemory()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const memory: MemorySample[] = []
  const max = { ...before, heapMiB: 0 }
  const look = (): void => {
    const { ownMiB, mappedMiB } = residentMemory()
    const heapMiB = getHeapStatistics().used_heap_size / 2 ** 20
    max.ownMiB = Math.max(max.ownMiB, ownMiB)
    max.mappedMiB = Math.max(max.mappedMiB, mappedMiB)
    max.heapMiB = Math.max(max.heapMiB, heapMiB)
    const seconds = (performance.now() - start) / 1000
    if (seconds - (memory.at(-1)?.seconds ?? Number.NEGATIVE_INFINITY) < MEMORY_SAMPLE_S) return
    memory.push({ seconds, heapMiB, ownMiB, mappedMiB })
  }
  const timer = setInterval(look, MEMORY_INTERVAL_MS)
  histogram.enable()
  return async () => {
    histogram.disable()
    clearInterval(timer)
    look()
    const { user, system } = process.cpuUsage(cpuBefore)
    const delay = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    const load = {
      loopDelayP99: delay(histogram.percentile(99)),
      loopDelayMax: delay(histogram.max),
      memoryGrowth: max.ownMiB - before.ownMiB,
      mappedGrowth: max.mappedMiB - before.mappedMiB,
      heapMax: max.heapMiB,
      memory,
      cpuMs: (user + system) / 1000
    }
    await stopProfile?.()
    return load
  }
}
