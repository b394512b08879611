// The defects of go-ds-crdt that a mixed swarm shows, each provoked: TypeScript shows what the blocks mean, and what Go
// shows is told by its name.
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { forgeNode } from '../../src/testkit/hostile/forged.ts'
import { cidOfId } from '../../src/testkit/oracle/block.ts'
import { give, say } from './announce.ts'
import { differencesOf } from './attribution.ts'
import { describeEachBuild } from './builds.ts'
import { base64 } from './go-peer.ts'
import { pairOf } from './pair.ts'
import { batchOf, bytes, key, remove, textOf, write } from './ts-calls.ts'

/** Versions of a key whose removal takes Go a while. */
const VERSIONS = 100
/** How often Go is given the chance to mix up what it merges at once. */
const BURSTS_MAX = 6
/** Between two puts, so that one is lost and not made good by the next. */
const PAUSE_MS = 10

describeEachBuild('defects of Go', (program) => {
  const pair = pairOf(program)

  test('an empty value that is left over when another version goes may vanish on Go', async () => {
    const { swarm, go, ts, apart } = pair
    await write(ts, '/empty', 'first')
    await swarm.levelExactly()
    await apart(async () => {
      await remove(ts, '/empty')
      await go.put('/empty', '')
    })
    const { differences } = await swarm.level()
    expect(differences).toEqual([
      { peer: 'go', key: '/empty', shown: undefined, expected: '', defect: 'an empty value' }
    ])
    expect(await ts.store.get(key('/empty'))).toEqual(bytes(''))
    // The next value is one for both.
    await write(ts, '/empty', 'full')
    await swarm.levelExactly()
  })

  test('a key twice in one batch shows its last value, and on Go the greatest once another version goes', async () => {
    const { swarm, go, ts, apart } = pair
    await write(ts, '/twice', 'before')
    await swarm.levelExactly()
    await apart(async () => {
      await remove(ts, '/twice')
      await go.batch(['zz', 'last'].map((value) => ({ op: 'put', key: '/twice', value: base64(value) })))
      expect(await go.get('/twice')).toEqual(bytes('last'))
    })
    const { differences } = await swarm.level()
    expect(await textOf(ts, '/twice')).toBe('last')
    expect(differences).toEqual([
      {
        peer: 'go',
        key: '/twice',
        shown: btoa('zz'),
        expected: btoa('last'),
        defect: 'a key twice in one delta'
      }
    ])
    await go.delete('/twice')
    await swarm.levelExactly()
  })

  test('a put that Go makes while it merges tombstones of its key may be lost to its reads', async () => {
    const { swarm, go, ts } = pair
    let stale = 0
    for (let burst = 0; stale === 0 && burst < BURSTS_MAX; burst++) {
      // Versions that know nothing of each other, so that nobody has to fetch them one after the other.
      const versions = Array.from({ length: VERSIONS }, (_, index) =>
        forgeNode({ puts: [[`/slow/${burst}`, `${index}`]], priority: 1n })
      )
      await give(go, ...versions)
      await say(go, encodeBroadcast(versions.map(({ id }) => ({ id, dagName: '' }))))
      await go.until({ processed: versions.map(({ id }) => cidOfId(id)) })
      await go.put('/stale', 'before')
      await swarm.levelExactly()
      // Go works out what is left of the first key, then takes its time for the second, and then writes both down.
      await batchOf(ts, { '/stale': undefined, [`/slow/${burst}`]: undefined })
      const [removal] = await ts.store.heads()
      let last = 'before'
      for (let index = 0; !(await go.hasMerged(removal!.cid.toString())); index++) {
        last = `new ${index}`
        await go.put('/stale', last)
        await pause(PAUSE_MS)
      }
      const { differences } = await swarm.level()
      for (const difference of differences) {
        expect(difference).toMatchObject({ key: '/stale', defect: 'a stale value under concurrent merges' })
      }
      stale += differences.length
      expect(await textOf(ts, '/stale')).toBe(last)
      // Whatever it was, the next put is right again.
      await go.put('/stale', 'settled')
      await swarm.levelExactly()
    }
    // Once it is not, Go has mended it, and docs/go-interop.md has to say so.
    expect(stale).toBeGreaterThan(0)
  })
})

describe('a difference', () => {
  const removed = forgeNode({ puts: [['/a', 'old']] })
  const removing = forgeNode({
    tombstones: [{ key: '/a', id: removed.id }],
    links: [removed.id],
    priority: 2n
  })
  const newer = forgeNode({ puts: [['/a', 'new']], links: [removing.id], priority: 3n })
  const twice = forgeNode({
    puts: [
      ['/b', 'x'],
      ['/b', 'y']
    ]
  })
  const plain = forgeNode({ puts: [['/c', 'only']] })
  const blocks = [removed, removing, newer, twice, plain].map((node) => node.bytes)
  const right = new Map([
    ['/a', bytes('new')],
    ['/b', bytes('y')],
    ['/c', bytes('only')]
  ])
  const defectOf = (name: string, value: string | undefined) => {
    const shown = new Map(right)
    if (value === undefined) shown.delete(name)
    else shown.set(name, bytes(value))
    return differencesOf(shown, blocks).map(({ key: found, defect }) => [found, defect])
  }

  test('is none where Go shows what its blocks mean', () => {
    expect(differencesOf(right, blocks)).toEqual([])
  })

  test('is explained only by a defect that can show it', () => {
    expect(defectOf('/a', 'old')).toEqual([['/a', 'a stale value under concurrent merges']])
    expect(defectOf('/a', undefined)).toEqual([['/a', 'a stale value under concurrent merges']])
    expect(defectOf('/b', 'x')).toEqual([['/b', 'a key twice in one delta']])
  })

  test('is not explained where no defect could show it', () => {
    // A value that nobody wrote, a value of another key, a key that nobody wrote, and one that was never removed.
    for (const [name, value] of [
      ['/a', 'made up'],
      ['/a', 'only'],
      ['/d', 'x'],
      ['/c', undefined]
    ] as const) {
      expect(defectOf(name, value)).toEqual([[name, undefined]])
    }
  })
})
