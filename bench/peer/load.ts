/**
 * How busy a process is: the delay of its event loop, its memory, its processor time, and what it spends it on.
 */
import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PeerLoad } from './messages.ts'

/** How often the loop is looked at. Node counts this interval into the delay, and it is taken off again. */
const RESOLUTION_MS = 5
const MEMORY_INTERVAL_MS = 20

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
  let memoryMax = memoryBefore
  const look = (): void => {
    memoryMax = Math.max(memoryMax, process.memoryUsage.rss())
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
      cpuMs: (user + system) / 1000
    }
    await stopProfile?.()
    return load
  }
}

async function startProfile(file: string): Promise<() => Promise<void>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    await writeFile(file, JSON.stringify(profile))
  }
}
