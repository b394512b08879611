// What one side writes the other shows: puts, deletes, batches and versions, of either side's making.
import { expect, test } from 'vitest'
import { describeEachBuild } from './builds.ts'
import { base64 } from './go-peer.ts'
import { pairOf } from './pair.ts'
import { batchOf, bytes, key, remove, textOf, write } from './ts-calls.ts'

describeEachBuild('writes', (program) => {
  const pair = pairOf(program)

  test('a put of either side is shown by the other', async () => {
    const { swarm, go, ts } = pair
    await go.put('/from/go', 'hello')
    await write(ts, '/from/ts', 'hi')
    const { blocks } = await swarm.levelExactly()
    expect(blocks).toHaveLength(2)
    expect(await textOf(ts, '/from/go')).toBe('hello')
    expect(await go.get('/from/ts')).toEqual(bytes('hi'))
  })

  test('what one side put the other deletes', async () => {
    const { swarm, go, ts } = pair
    await go.put('/deleted/by-ts', 'of Go')
    await write(ts, '/deleted/by-go', 'of TypeScript')
    await swarm.levelExactly()
    await remove(ts, '/deleted/by-ts')
    await go.delete('/deleted/by-go')
    await swarm.levelExactly()
    expect(await go.get('/deleted/by-ts')).toBeUndefined()
    expect(await ts.store.has(key('/deleted/by-go'))).toBe(false)
  })

  test('a delete takes many versions of both sides, and nothing of longer keys', async () => {
    const { swarm, go, ts } = pair
    for (const name of ['/many/by-go', '/many/by-ts']) {
      for (let index = 0; index < 15; index++) {
        await go.put(name, `go ${index}`)
        await write(ts, name, `ts ${index}`)
      }
      await go.put(`${name}/longer`, 'stays')
      await write(ts, `${name}er`, 'stays too')
    }
    await swarm.levelExactly()
    await go.delete('/many/by-go')
    await remove(ts, '/many/by-ts')
    const { blocks } = await swarm.levelExactly()
    expect(blocks.length).toBeGreaterThan(60)
    for (const name of ['/many/by-go', '/many/by-ts']) {
      expect(await go.get(name)).toBeUndefined()
      expect(await ts.store.has(key(name))).toBe(false)
      expect(await textOf(ts, `${name}/longer`)).toBe('stays')
      expect(await go.get(`${name}er`)).toEqual(bytes('stays too'))
    }
  })

  test('versions written on both sides at once are all deleted by either', async () => {
    const { swarm, go, ts, apart } = pair
    await apart(async () => {
      for (const name of ['/at-once/by-go', '/at-once/by-ts']) {
        for (let index = 0; index < 4; index++) {
          await go.put(name, `go ${index}`)
          await write(ts, name, `ts ${index}`)
        }
      }
    })
    await swarm.levelExactly()
    await go.delete('/at-once/by-go')
    await swarm.levelExactly()
    await remove(ts, '/at-once/by-ts')
    await swarm.levelExactly()
    expect(await ts.store.has(key('/at-once/by-go'))).toBe(false)
    expect(await go.get('/at-once/by-ts')).toBeUndefined()
  })

  test('a delete does not take what the other side put meanwhile', async () => {
    const { swarm, go, ts, apart } = pair
    for (const name of ['/meanwhile/go-deletes', '/meanwhile/ts-deletes']) await go.put(name, 'before')
    await swarm.levelExactly()
    await apart(async () => {
      await go.delete('/meanwhile/go-deletes')
      await write(ts, '/meanwhile/go-deletes', 'of TypeScript')
      await remove(ts, '/meanwhile/ts-deletes')
      await go.put('/meanwhile/ts-deletes', 'of Go')
    })
    await swarm.levelExactly()
    expect(await go.get('/meanwhile/go-deletes')).toEqual(bytes('of TypeScript'))
    expect(await textOf(ts, '/meanwhile/ts-deletes')).toBe('of Go')
  })

  test('batches of puts and deletes of either side arrive whole', async () => {
    const { swarm, go, ts } = pair
    await go.put('/batch/old-go', 'old')
    await write(ts, '/batch/old-ts', 'old')
    await swarm.levelExactly()
    await go.batch([
      { op: 'put', key: '/batch/1', value: base64('one') },
      { op: 'delete', key: '/batch/old-ts' },
      { op: 'put', key: '/batch/2', value: base64('two') },
      { op: 'put', key: '/batch/gone', value: base64('not for long') },
      { op: 'delete', key: '/batch/gone' }
    ])
    await batchOf(ts, { '/batch/3': 'three', '/batch/old-go': undefined, '/batch/4': 'four' })
    await swarm.levelExactly()
    expect(await textOf(ts, '/batch/2')).toBe('two')
    expect(await go.get('/batch/4')).toEqual(bytes('four'))
    expect(await ts.store.has(key('/batch/old-ts'))).toBe(false)
    expect(await go.get('/batch/old-go')).toBeUndefined()
    expect(await ts.store.has(key('/batch/gone'))).toBe(false)
  })

  test('a key that was deleted is put again by either side', async () => {
    const { swarm, go, ts } = pair
    await go.put('/again', 'first')
    await swarm.levelExactly()
    for (const round of ['a', 'b']) {
      await remove(ts, '/again')
      await swarm.levelExactly()
      await go.put('/again', `go ${round}`)
      await swarm.levelExactly()
      expect(await textOf(ts, '/again')).toBe(`go ${round}`)
      await go.delete('/again')
      await swarm.levelExactly()
      await write(ts, '/again', `ts ${round}`)
      await swarm.levelExactly()
      expect(await go.get('/again')).toEqual(bytes(`ts ${round}`))
    }
  })

  test('of equal priorities the greater value wins on both sides, byte by byte', async () => {
    const { swarm, go, ts, apart } = pair
    const ties: Array<[string, string, string]> = [
      ['b', 'aa', 'b'],
      ['aa', 'b', 'b'],
      ['prefix', 'prefixed', 'prefixed'],
      ['\u00e9', 'z', '\u00e9'],
      ['same', 'same', 'same'],
      ['', 'a', 'a']
    ]
    await swarm.levelExactly()
    await apart(async () => {
      for (const [index, [ofGo, ofTs]] of ties.entries()) {
        await go.put(`/tie/${index}`, ofGo)
        await write(ts, `/tie/${index}`, ofTs)
      }
    })
    await swarm.levelExactly()
    for (const [index, [ofGo, ofTs, winner]] of ties.entries()) {
      const versions: bigint[] = []
      for await (const { priority } of ts.store.getAll(key(`/tie/${index}`))) versions.push(priority)
      // Otherwise it would be no tie.
      expect(versions, `${ofGo} and ${ofTs}`).toEqual([versions[0], versions[0]])
      expect(await textOf(ts, `/tie/${index}`)).toBe(winner)
      expect(await go.get(`/tie/${index}`)).toEqual(bytes(winner))
    }
  })

  test('a version that was hidden by a removed one shows again', async () => {
    const { swarm, go, ts, apart } = pair
    await apart(async () => {
      await go.put('/hidden', 'of Go')
      for (const text of ['1', '2', '3']) await write(ts, '/unrelated', text)
      await write(ts, '/hidden', 'greater')
      await remove(ts, '/hidden')
    })
    await swarm.levelExactly()
    expect(await textOf(ts, '/hidden')).toBe('of Go')
    expect(await go.get('/hidden')).toEqual(bytes('of Go'))
  })

  test('deletes of nothing write nothing', async () => {
    const { swarm, go, ts } = pair
    const before = await swarm.levelExactly()
    await go.delete('/never/there')
    await remove(ts, '/never/there')
    const after = await swarm.levelExactly()
    expect(after.blocks).toHaveLength(before.blocks.length)
  })

  test('nothing of all this is odd to either', async () => {
    const { swarm, go, ts } = pair
    const { blocks, needlessHeads } = await swarm.levelExactly()
    expect(blocks.length).toBeGreaterThan(100)
    expect(needlessHeads).toBe(0)
    const { counters, gaps, deferred } = await ts.store.stats()
    expect([counters.oddBlocks, counters.mismatchedBlocks, counters.invalidHeads, gaps, deferred]).toEqual([
      0, 0, 0, 0, 0
    ])
    expect((await go.call('stats', {})).dirty).toBe(false)
    expect(go.log).toEqual([])
  })
})
