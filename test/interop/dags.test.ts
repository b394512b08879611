// Named DAGs, which only the unreleased head of go-ds-crdt has: their own heads, one space of keys, purges.
import { expect, test } from 'vitest'
import { describeHead } from './builds.ts'
import { base64 } from './go-peer.ts'
import { pairOf } from './pair.ts'
import { Swarm } from './swarm.ts'
import { bytes, key, remove, textOf, write } from './ts-calls.ts'

const put = (name: string, value: string) => ({ op: 'put' as const, key: name, value: base64(value) })

describeHead('named DAGs', (program) => {
  const pair = pairOf(program)

  test('of either side have the same heads on both, and share their keys', async () => {
    const { swarm, go, ts } = pair
    await go.call('publish', { dagName: 'red', operations: [put('/red/go', 'of Go')] })
    await ts.store.put(key('/blue/ts'), bytes('of TypeScript'), { dagName: 'blue' })
    await go.put('/plain', 'unnamed')
    await swarm.levelExactly()
    const heads = (await ts.store.heads()).map(({ dagName, cid }) => `${dagName} ${cid}`)
    expect((await go.heads()).map(({ dagName, cid }) => `${dagName} ${cid}`).sort()).toEqual(heads.sort())
    expect(heads.map((head) => head.split(' ')[0]).sort()).toEqual(['', 'blue', 'red'])
    expect(await textOf(ts, '/red/go')).toBe('of Go')
    expect(await go.get('/blue/ts')).toEqual(bytes('of TypeScript'))
  })

  test('are grown by both sides, each upon the other', async () => {
    const { swarm, go, ts } = pair
    for (let index = 0; index < 4; index++) {
      await go.call('publish', { dagName: 'red', operations: [put('/red/both', `go ${index}`)] })
      await swarm.levelExactly()
      await ts.store.put(key('/red/both'), bytes(`ts ${index}`), { dagName: 'red' })
      await swarm.levelExactly()
    }
    expect(await go.get('/red/both')).toEqual(bytes('ts 3'))
    expect(await ts.store.heads('red')).toHaveLength(1)
  })

  test('may delete what another DAG put, on either side', async () => {
    const { swarm, go, ts } = pair
    await go.call('publish', { dagName: 'red', operations: [put('/across/1', 'red')] })
    await ts.store.put(key('/across/2'), bytes('blue'), { dagName: 'blue' })
    await swarm.levelExactly()
    await ts.store.delete(key('/across/1'), { dagName: 'blue' })
    await go.call('publish', { dagName: 'green', operations: [{ op: 'delete', key: '/across/2' }] })
    await swarm.levelExactly()
    expect(await go.get('/across/1')).toBeUndefined()
    expect(await ts.store.has(key('/across/2'))).toBe(false)
  })

  test('that are written apart meet again', async () => {
    const { swarm, go, ts, apart } = pair
    await apart(async () => {
      for (let index = 0; index < 3; index++) {
        await go.call('publish', { dagName: 'red', operations: [put(`/apart/${index}`, 'go')] })
        await ts.store.put(key(`/apart/${index}`), bytes('ts'), { dagName: 'red' })
        await ts.store.put(key(`/apart/${index}`), bytes('blue'), { dagName: 'blue' })
      }
    })
    await swarm.levelExactly()
    expect(await ts.store.heads('red')).toHaveLength(2)
  })

  test('have keys on the wire as whoever published them wrote them', async () => {
    const { swarm, go, ts } = pair
    await go.call('publish', {
      dagName: 'red',
      operations: [put('odd//key/', 'x'), put('/odd/../even', 'y')]
    })
    await swarm.levelExactly()
    expect(await textOf(ts, '/odd/key')).toBe('x')
    expect(await textOf(ts, '/even')).toBe('y')
  })

  test('that Go purges come back from us whole', async () => {
    const { swarm, go, ts } = pair
    await go.call('publish', { dagName: 'gone', operations: [put('/gone/1', 'x'), put('/kept', 'gone')] })
    await write(ts, '/kept', 'kept')
    await ts.store.put(key('/gone/2'), bytes('y'), { dagName: 'gone' })
    const before = await swarm.levelExactly()
    expect(await go.call('purge', { dagName: 'gone' })).toBe(2)
    // A purge is local, and we say the heads of that DAG again.
    const after = await swarm.levelExactly()
    expect(after.blocks).toHaveLength(before.blocks.length)
    expect(await go.get('/gone/2')).toEqual(bytes('y'))
  })

  test('that we purge and resume come back from Go whole', async () => {
    const { swarm, go, ts } = pair
    await ts.store.dag.purge('gone')
    expect(await ts.store.has(key('/gone/1'))).toBe(false)
    await go.call('publish', { dagName: 'gone', operations: [put('/gone/3', 'meanwhile')] })
    await go.put('/not/gone', 'x')
    await go.until({ key: '/not/gone', value: btoa('x') })
    await ts.store.dag.resume('gone')
    await swarm.levelExactly()
    expect(await textOf(ts, '/gone/3')).toBe('meanwhile')
    await remove(ts, '/gone/3')
    await swarm.levelExactly()
    expect(await go.get('/gone/3')).toBeUndefined()
  })
})

describeHead('broadcasts that wait for each other', (program) => {
  test('say all heads of a while in one message, and lose none', async () => {
    const swarm = new Swarm(program)
    try {
      const go = await swarm.go('go', { flags: { 'batch-delay': '100ms', rebroadcast: '1m' } })
      const ts = await swarm.ts('ts', { rebroadcastIntervalMs: 60_000 })
      await swarm.connect(go, ts)
      await go.put('/first', 'x')
      await swarm.levelExactly()
      await go.call('said', {})
      await go.run(Array.from({ length: 40 }, (_, index) => put(`/batched/${index}`, 'x')))
      await go.call('publish', { dagName: 'red', operations: [put('/batched/red', 'x')] })
      await swarm.levelExactly()
      const said = (await go.call('said', {})) ?? []
      expect(said.length).toBeGreaterThan(0)
      expect(said.length).toBeLessThan(10)
      expect((await ts.store.stats()).keys).toBe(42)
    } finally {
      await swarm.end()
    }
  })
})
