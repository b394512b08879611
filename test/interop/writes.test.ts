// What one side writes the other shows: puts, deletes, batches, versions, of either side's making.
import { Key } from 'interface-datastore'
import { afterEach, expect, test } from 'vitest'
import { describeEachBuild } from './builds.ts'
import type { GoPeer } from './go-peer.ts'
import { Swarm } from './swarm.ts'
import type { TsPeer } from './ts-peer.ts'

let swarm: Swarm
let go: GoPeer
let ts: TsPeer

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function pair(program: string): Promise<void> {
  swarm = new Swarm(program)
  go = await swarm.go('go')
  ts = await swarm.ts('ts')
  await swarm.connect(go, ts)
}

afterEach(() => swarm.end())

describeEachBuild('a put', (program) => {
  test('of either side is shown by the other', async () => {
    await pair(program)
    await go.put('/from/go', 'hello')
    await ts.store.put(new Key('/from/ts'), bytes('hi'))
    const { blocks } = await swarm.levelExactly()
    expect(blocks).toHaveLength(2)
    expect(await ts.store.get(new Key('/from/go'))).toEqual(bytes('hello'))
    expect(await go.get('/from/ts')).toEqual(bytes('hi'))
  })
})
