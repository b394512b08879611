// Peers that come late, are restarted or killed, and are parted from others: on disk, Pebble's and LevelDB's.
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { deleteFolders, temporaryFolder } from '../e2e/folders.ts'
import { killLineProcesses, LineProcess } from '../e2e/line-process.ts'
import { describeEachBuild, describeRelease } from './builds.ts'
import { base64, type GoPeer } from './go-peer.ts'
import { Swarm } from './swarm.ts'
import { bytes, key, remove, textOf, write } from './ts-calls.ts'
import type { TsPeer } from './ts-peer.ts'

/** Deltas of a history that a joiner gets one by one. */
const HISTORY = 30
/** Writes that a peer is to have acknowledged before it is killed. */
const BEFORE_KILL = 25

const fill = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    op: 'put' as const,
    key: `${prefix}/${index}`,
    value: base64(`${index}`)
  }))

async function fillTs(ts: TsPeer, prefix: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await write(ts, `${prefix}/${index}`, `${index}`)
}

let swarm: Swarm

afterEach(async () => {
  await swarm.end()
  await killLineProcesses()
  await deleteFolders()
})

describeEachBuild('peers that come late', (program) => {
  test('get everything from whichever side they meet, and may write before they have it', async () => {
    swarm = new Swarm(program)
    const go = await swarm.go('go')
    const ts = await swarm.ts('ts')
    await swarm.connect(go, ts)
    await go.run(fill('/go', HISTORY))
    await fillTs(ts, '/ts', HISTORY)
    await swarm.levelExactly()
    await remove(ts, '/go/3')
    await go.delete('/ts/4')
    await swarm.levelExactly()
    const lateGo = await swarm.go('late-go')
    const lateTs = await swarm.ts('late-ts')
    await lateGo.connect(ts.address)
    await lateTs.connect(go.address)
    // A write must not lose to what its writer had heard of only.
    await lateGo.put('/late/go', 'early')
    await write(lateTs, '/late/ts', 'early')
    await swarm.levelExactly()
    expect(await lateGo.get('/ts/5')).toEqual(bytes('5'))
    expect(await lateGo.get('/go/3')).toBeUndefined()
    expect(await textOf(lateTs, '/go/5')).toBe('5')
    expect(await lateTs.store.has(key('/ts/4'))).toBe(false)
    await lateGo.put('/late/both', 'go')
    await swarm.levelExactly()
    await write(lateTs, '/late/both', 'ts')
    await swarm.levelExactly()
    expect(await lateGo.get('/late/both')).toEqual(bytes('ts'))
  })
})

describeEachBuild('peers on disk', (program) => {
  /** Pebble writes to disk at once, which go-ds-pebble does not by default: a kill would lose all that was acknowledged. */
  async function diskSwarm(): Promise<{ folders: { go: string; ts: string }; go: GoPeer; ts: TsPeer }> {
    swarm = new Swarm(program)
    const folder = await temporaryFolder()
    const folders = { go: join(folder, 'go'), ts: join(folder, 'ts') }
    const go = await swarm.go('go', { folder: folders.go, flags: { fsync: true } })
    const ts = await swarm.ts('ts', { folder: folders.ts })
    await swarm.connect(go, ts)
    return { folders, go, ts }
  }

  test('that are stopped and started have all they had, and get what was written meanwhile', async () => {
    const { folders, go, ts } = await diskSwarm()
    await go.run(fill('/before/go', 5))
    await fillTs(ts, '/before/ts', 5)
    await swarm.levelExactly()
    await go.close()
    swarm.forget(go)
    await fillTs(ts, '/meanwhile/ts', 5)
    await remove(ts, '/before/go/1')
    const goAgain = await swarm.go('go', { folder: folders.go })
    expect((await goAgain.state()).size).toBe(10)
    await swarm.connect(goAgain, ts)
    await swarm.levelExactly()
    await ts.close()
    swarm.forget(ts)
    await goAgain.run(fill('/meanwhile/go', 5))
    await goAgain.delete('/before/ts/1')
    const tsAgain = await swarm.ts('ts', { folder: folders.ts })
    expect((await tsAgain.store.stats()).keys).toBe(14)
    await swarm.connect(goAgain, tsAgain)
    await swarm.levelExactly()
    expect((await tsAgain.store.stats()).keys).toBe(18)
    // What was written before is served after the restart, by either.
    const joiner = await swarm.go('joiner')
    await swarm.connect(tsAgain, joiner)
    await swarm.levelExactly()
  })

  test('of Go that are killed in the middle of writing and merging come back and agree', async () => {
    const { folders, go, ts } = await diskSwarm()
    const writing = (async () => {
      for (let index = 0; index < 1000; index++) await go.put(`/killed/go/${index}`, `${index}`)
    })().catch(() => {})
    const tsWriting = fillTs(ts, '/killed/ts', BEFORE_KILL)
    await go.until({ key: `/killed/go/${BEFORE_KILL}`, value: base64(`${BEFORE_KILL}`) })
    await swarm.kill(go)
    await Promise.all([writing, tsWriting])
    const again = await swarm.go('go', { folder: folders.go, flags: { fsync: true } })
    await swarm.connect(again, ts)
    // A head that Go lost between two of its rows comes back with the next node that links to it; what it had not fetched
    // below a node that it had merged only comes when it is told to look.
    await ts.store.waitForSync()
    await again.put('/after/go', 'x')
    await ts.store.waitForSync()
    await write(ts, '/after/ts', 'x')
    await again.until({ processed: (await ts.store.heads()).map(({ cid }) => cid.toString()) })
    await again.call('repair', {})
    const { blocks, differences } = await swarm.level()
    for (const { defect } of differences) expect(defect).toBe('a write that a kill cut off')
    expect(blocks.length).toBeGreaterThan(BEFORE_KILL)
    expect(await textOf(ts, '/killed/go/1')).toBe('1')
    expect(await again.get(`/killed/ts/${BEFORE_KILL - 1}`)).toEqual(bytes(`${BEFORE_KILL - 1}`))
  })
})

// What kind of Go peer is there makes no difference to it.
describeRelease('peers on disk', (program) => {
  test('of TypeScript that are killed in the middle of writing keep all that was acknowledged', async () => {
    swarm = new Swarm(program)
    const folder = await temporaryFolder()
    const go = await swarm.go('go', { folder: join(folder, 'go') })
    let acknowledged = -1
    for (const round of [0, 1]) {
      const args = [join(folder, 'ts'), swarm.topic, go.address, `/round/${round}`]
      const writer = new LineProcess('test/interop/ts-writer.ts', args)
      await writer.untilTrue(() => writer.lines.length > BEFORE_KILL)
      await writer.kill()
      acknowledged = Number(writer.lines.filter((line) => /^\d+$/.test(line)).at(-1))
    }
    const ts = await swarm.ts('ts', { folder: join(folder, 'ts') })
    for (let index = 0; index <= acknowledged; index++)
      expect(await textOf(ts, `/round/1/${index}`)).toBe(`${index}`)
    // One that was under way may be there as well.
    expect(Number(await textOf(ts, '/round/1/last'))).toBeGreaterThanOrEqual(acknowledged)
    expect((await ts.store.verify()).differences).toEqual([])
    await swarm.connect(go, ts)
    await swarm.levelExactly()
    expect(await go.get(`/round/1/${acknowledged}`)).toEqual(bytes(`${acknowledged}`))
  })
})

describeEachBuild('partitions', (program) => {
  test('in which both halves have both kinds of peers heal', async () => {
    swarm = new Swarm(program)
    const [goA, goB] = [await swarm.go('go-a'), await swarm.go('go-b')]
    const [tsA, tsB] = [await swarm.ts('ts-a'), await swarm.ts('ts-b')]
    await swarm.connectAll()
    await goA.put('/shared', 'before')
    await swarm.levelExactly()
    for (const round of [1, 2]) {
      await swarm.disconnect([goA, tsA], goB, tsB)
      await goA.run(fill(`/a/go/${round}`, 4))
      await fillTs(tsA, `/a/ts/${round}`, 4)
      await goB.run(fill(`/b/go/${round}`, 4))
      await fillTs(tsB, `/b/ts/${round}`, 4)
      await goA.put('/shared', `go a ${round}`)
      await write(tsB, '/shared', `ts b ${round}`)
      await remove(tsA, '/shared')
      await swarm.connect([goA, tsA], goB, tsB)
      await swarm.level()
    }
    expect((await tsA.store.stats()).keys).toBe(33)
  })
})
