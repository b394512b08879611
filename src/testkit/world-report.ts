/**
 * What a failure of a world tells: its seed, the DAG of every running replica, and the newest lines of its trace.
 *
 * Invariants: a report stays short enough to be read, however much happened, and is made of whatever state the world is
 * in. Its trace is that of the failure: what happens while it is made is not in it.
 */
import type { SimulatedReplica } from './simulated-replica.ts'
import type { Trace } from './trace.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Lines of each drawing, and of the trace. */
const LINES_MAX = 100
/** Gossip stands in the trace with all its bytes. */
const LINE_CHARS_MAX = 160

/** What of a world a report is made of. */
export interface Reported {
  readonly seed: number
  readonly trace: Trace
  readonly clock: VirtualClock
  running(): SimulatedReplica[]
}

/** The report of a world as it is now. */
export async function reportOf(world: Reported): Promise<string> {
  const newest = world.trace.lines().slice(-LINES_MAX)
  const parts = [`Seed: ${world.seed}`]
  for (const replica of world.running()) {
    const lines = await drawingOf(replica, world.clock)
    parts.push('', `DAG of ${replica.name}:`, ...lines.slice(0, LINES_MAX))
    if (lines.length > LINES_MAX) parts.push(`... and ${lines.length - LINES_MAX} lines more`)
  }
  parts.push('', 'Trace, newest lines:', ...newest.map((line) => line.slice(0, LINE_CHARS_MAX)))
  return parts.join('\n')
}

async function drawingOf({ store }: SimulatedReplica, clock: VirtualClock): Promise<string[]> {
  const lines: string[] = []
  const draw = async (): Promise<void> => {
    for await (const line of store.dag.print()) lines.push(line)
  }
  try {
    // A read waits for the commit that is under way, and that for the disk.
    await clock.during(draw())
  } catch (error) {
    // A replica that failed cannot be drawn, and that it failed is worth knowing.
    lines.push(String(error))
  }
  return lines
}
