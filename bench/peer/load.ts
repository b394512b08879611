/**
 * How busy a process is: the delay of its event loop, its memory, its processor time, and what it spends it on.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { startProfile } from '../profile/record.ts'
import type { MemorySample, PeerLoad } from './messages.ts'

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
  const memoryBefore = process.memoryUsage.rss()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const memory: MemorySample[] = []
  let memoryMax = memoryBefore
  let heapMax = 0
  const look = (): void => {
    const resident = process.memoryUsage.rss()
    const { used_heap_size: heap } = getHeapStatistics()
    memoryMax = Math.max(memoryMax, resident)
    heapMax = Math.max(heapMax, heap)
    const seconds = (performance.now() - start) / 1000
    if (seconds - (memory.at(-1)?.seconds ?? Number.NEGATIVE_INFINITY) < MEMORY_SAMPLE_S) return
    memory.push({ seconds, heapMiB: heap / 2 ** 20, residentMiB: resident / 2 ** 20 })
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
      memoryGrowth: (memoryMax - memoryBefore) / 2 ** 20,
      heapMax: heapMax / 2 ** 20,
      memory,
      cpuMs: (user + system) / 1000
    }
    await stopProfile?.()
    return load
  }
}
