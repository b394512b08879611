// Go peers that reach the swarm through one of ours: gossip is passed on to them before the blocks are here, and what one
// of ours is asked for too early it serves once it has it.
import { expect, test } from 'vitest'
import { describeEachBuild } from './builds.ts'
import { base64 } from './go-peer.ts'
import { Swarm } from './swarm.ts'
import { bytes, textOf, write } from './ts-calls.ts'

/** Too large to ride inside its announcement, and so large that Go asks whether it is there before it asks for it. */
const LARGE = 'x'.repeat(20_000)

describeEachBuild('behind a TypeScript peer', (program) => {
  test('a Go peer gets, one after the other, what others write there, and they get what it writes', async () => {
    const swarm = new Swarm(program)
    try {
      const go = await swarm.go('go')
      const [between, writer] = [await swarm.ts('between'), await swarm.ts('writer')]
      await swarm.connect(go, between)
      await swarm.connect(writer, between)
      for (let index = 0; index < 20; index++) {
        await write(writer, `/writer/${index}`, LARGE)
        await go.until({ key: `/writer/${index}`, value: base64(LARGE) }, 10_000)
      }
      await go.put('/go', LARGE)
      await swarm.levelExactly()
      expect(await textOf(writer, '/go')).toBe(LARGE)
      expect(await go.get('/writer/19')).toEqual(bytes(LARGE))
    } finally {
      await swarm.end()
    }
  })
})
