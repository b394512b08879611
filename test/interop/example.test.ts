// examples/go-swarm with a Go peer on the topic of go-ds-crdt's own example, `globaldb`.
import { afterEach, beforeAll, expect, test } from 'vitest'
import { ensureBuilt } from '../e2e/build.ts'
import { deleteFolders, temporaryFolder } from '../e2e/folders.ts'
import { killLineProcesses, LineProcess } from '../e2e/line-process.ts'
import { describeEachBuild } from './builds.ts'
import { base64, GoPeer } from './go-peer.ts'
import { bytes } from './ts-calls.ts'

const TOPIC = 'globaldb-example'
const ENDS_WITHIN_MS = 30_000

beforeAll(ensureBuilt)
afterEach(async () => {
  await killLineProcesses()
  await deleteFolders()
})

describeEachBuild('the example of a peer among Go peers', (program) => {
  test('shares puts and deletes with one, also those of before it came and before a restart', async () => {
    const folder = await temporaryFolder()
    // What Go says before its mesh has formed nobody hears, until it says it again.
    const flags = { rebroadcast: '1s' }
    const go = await GoPeer.start({ program, name: 'example', topic: TOPIC, flags })
    try {
      const start = async (): Promise<LineProcess> => {
        const example = new LineProcess('examples/go-swarm/main.ts', [folder])
        await example.untilMatch(/^Others can connect to /)
        example.type(`connect ${go.address}`)
        return example
      }
      const first = await start()
      first.type('put /from/ts hello Go')
      await go.until({ key: '/from/ts', value: base64('hello Go') })
      await go.put('/from/go', 'hello TypeScript')
      await first.until('Added: [/from/go] -> hello TypeScript')
      await go.delete('/from/ts')
      await first.until('Removed: [/from/ts]')
      first.type('quit')
      expect(await first.end(ENDS_WITHIN_MS)).toEqual({ end: 0, errors: [] })

      await go.put('/meanwhile', 'x')
      const second = await start()
      second.type('put /after y', 'list')
      await second.until('ok', '[/from/go] -> hello TypeScript')
      await go.until({ key: '/after', value: base64('y') })
      expect(await go.get('/meanwhile')).toEqual(bytes('x'))
      second.type('quit')
      expect(await second.end(ENDS_WITHIN_MS)).toEqual({ end: 0, errors: [] })
    } finally {
      await go.close()
    }
  })
})
