/**
 * Crashes at every write of many histories, and tells what they were about.
 *
 *     npm run crashes -- [--histories 200] [--from S] [--point '{"seed":1,"medium":0,"write":2,"power":false,"again":0}']
 */
import { parseArgs } from 'node:util'
import { crashAt } from '../../src/testkit/crash/crash-at-every-write.ts'
import { historyOf, MEDIA } from '../../src/testkit/crash/history.ts'
import { SimulationError } from '../../src/testkit/simulation/simulation-error.ts'
import { crashHistories } from './histories.ts'

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    point: { type: 'string' }
  }
})

try {
  if (values.point === undefined) {
    const report = await crashHistories(Number(values.from), Number(values.histories), (done) => {
      process.stderr.write(`\r${done} histories `)
    })
    console.log(`\n${report.histories} histories, ${report.points} crashes, ${report.seconds.toFixed(1)} s`)
  } else {
    const { seed, medium, ...point } = JSON.parse(values.point)
    await crashAt(historyOf(seed, MEDIA[medium] as (typeof MEDIA)[number]), point)
    console.log('It holds.')
  }
} catch (error) {
  if (!(error instanceof SimulationError)) throw error
  console.error(`\n${error.report()}`)
  process.exitCode = 1
}
