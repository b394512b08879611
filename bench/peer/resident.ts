/**
 * The resident memory of this process: what is its own, and pages of files that it has mapped.
 *
 * LevelDB maps its tables. Such pages are the system's cache of files: they are counted as resident, and the system takes
 * them back when somebody needs the memory, without writing anything.
 */
import { readFileSync } from 'node:fs'

export interface ResidentMemory {
  ownMiB: number
  mappedMiB: number
}

/** Outside of Linux all of it counts as the process's own. */
export function residentMemory(): ResidentMemory {
  const residentMiB = process.memoryUsage.rss() / 2 ** 20
  const mappedMiB = process.platform === 'linux' ? mappedPagesMiB() : 0
  return { ownMiB: residentMiB - mappedMiB, mappedMiB }
}

function mappedPagesMiB(): number {
  const [, kilobytes] = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kilobytes ?? 0) / 1024
}
