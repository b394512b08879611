// Lives many histories through, with a crash at every write of each.
import { crashAt } from '../../src/testkit/crash/crash-at-every-write.ts'
import { historyOf, MEDIA } from '../../src/testkit/crash/history.ts'
import { crashPoints } from '../../src/testkit/crash/points.ts'

export interface CrashReport {
  histories: number
  points: number
  seconds: number
}

/** One history a seed, over one kind of disk after the other. The error of a failure says how to repeat it. */
export async function crashHistories(
  from: number,
  count: number,
  onProgress: (histories: number) => void = () => {}
): Promise<CrashReport> {
  const startedAt = Date.now()
  let points = 0
  for (let seed = from; seed < from + count; seed++) {
    const medium = seed % MEDIA.length
    const history = historyOf(seed, MEDIA[medium] as (typeof MEDIA)[number])
    for await (const point of crashPoints(history)) {
      points++
      try {
        await crashAt(history, point)
      } catch (error) {
        const where = JSON.stringify({ seed, medium, ...point })
        if (error instanceof Error) error.message = `npm run crashes -- --point '${where}'\n${error.message}`
        throw error
      }
    }
    onProgress(seed - from + 1)
  }
  return { histories: count, points, seconds: (Date.now() - startedAt) / 1000 }
}
