// Blocks that Go does not write every day: large ones, legacy heads, odd priorities, and those with our extensions.
import { expect, test } from 'vitest'
import { forgeBlock, forgeNode } from '../../src/testkit/hostile/forged.ts'
import { cidOfId } from '../../src/testkit/oracle/block.ts'
import {
  block,
  bytesField,
  cidV0,
  cidV1,
  join,
  priority,
  put,
  requires,
  utf8,
  varintField
} from '../codec/wire-bytes.ts'
import { announce, give, say } from './announce.ts'
import { describeEachBuild } from './builds.ts'
import { pairOf } from './pair.ts'
import { eventually, Swarm } from './swarm.ts'
import { bytes, key, remove, textOf, write } from './ts-calls.ts'

const MIB = 1024 * 1024

describeEachBuild('blocks', (program) => {
  const pair = pairOf(program)

  test('are heads also where they are said by a bare CID, of either version', async () => {
    const { swarm, go, ts, apart } = pair
    await go.put('/legacy/before', 'x')
    await swarm.levelExactly()
    // We understand both versions; Go only the one that its own old releases sent, and hears of the other from us.
    const [first, second] = [1, 2].map((index) =>
      forgeNode({ puts: [[`/legacy/${index}`, 'old']], priority: 60n })
    )
    await give(go, first!)
    await say(go, cidV1(first!.bytes))
    await eventually('the head is here', () => ts.store.has(key('/legacy/1')))
    await swarm.levelExactly()
    await apart(async () => {
      await give(go, second!)
      await say(go, cidV0(second!.bytes))
      await go.until({ processed: [cidOfId(second!.id)] })
    })
    await swarm.levelExactly()
    expect(await textOf(ts, '/legacy/2')).toBe('old')
    // Go's next node links to the head by the version that it heard.
    await go.put('/legacy/after', 'go')
    await swarm.levelExactly()
    await write(ts, '/legacy/after', 'ts')
    await swarm.levelExactly()
    expect(await ts.store.heads()).toHaveLength(1)
  })

  test('that we announce by a bare CID are merged by Go', async () => {
    const { swarm, go, ts } = pair
    const made = forgeNode({ puts: [['/legacy/of-ts', 'x']], priority: 61n })
    await give(go, made)
    await ts.libp2p.services.pubsub.publish(swarm.topic, cidV0(made.bytes))
    await go.until({ processed: [cidOfId(made.id)] })
    await swarm.levelExactly()
  })

  test('with priorities that jump, fall and pass 2^53 count exactly on both sides', async () => {
    const { swarm, go, ts } = pair
    const high = 2n ** 53n + 1n
    const jump = forgeNode({ puts: [['/priority', 'jump']], priority: high })
    const fall = forgeNode({ puts: [['/priority', 'zzz: fell']], priority: 3n, links: [jump.id] })
    await announce(go, jump, fall)
    await swarm.levelExactly()
    expect(await textOf(ts, '/priority')).toBe('jump')
    await write(ts, '/priority', 'ours')
    const [ours] = await ts.store.heads()
    expect(ours!.priority).toBe(high + 1n)
    await swarm.levelExactly()
    await go.put('/priority', 'of Go')
    await swarm.levelExactly()
    const [ofGo] = await ts.store.heads()
    expect(ofGo!.priority).toBe(high + 2n)
    expect(await textOf(ts, '/priority')).toBe('of Go')
  })

  test('with fields that we may add one day are what they would be without', async () => {
    const { swarm, go, ts } = pair
    const before = (await ts.store.heads())[0]!.priority
    const extended = (name: string, value: string): Uint8Array =>
      bytesField(1, join(bytesField(1, name), bytesField(3, value), ...reserved(100, 119)))
    const first = forgeBlock(
      block([
        extended('/extended/1', 'one'),
        extended('/extended/2', 'two'),
        priority(before + 1n),
        ...reserved(101, 103)
      ])
    )
    const removing = join(bytesField(1, '/extended/1'), bytesField(2, first.id), ...reserved(100, 119))
    const second = forgeBlock(
      block(
        [bytesField(2, removing), put('/extended/3', 'three'), priority(before + 2n), ...reserved(101, 103)],
        [first.bytes]
      )
    )
    await announce(go, first)
    await swarm.levelExactly()
    expect(await go.get('/extended/1')).toEqual(bytes('one'))
    await announce(go, second)
    await swarm.levelExactly()
    for (const shown of [await go.get('/extended/3'), await ts.store.get(key('/extended/3'))]) {
      expect(shown).toEqual(bytes('three'))
    }
    expect(await go.get('/extended/1')).toBeUndefined()
    expect(await ts.store.has(key('/extended/1'))).toBe(false)
    await remove(ts, '/extended/2')
    await go.delete('/extended/3')
    await swarm.levelExactly()
  })

  test('in broadcasts whose heads have fields that we added, and may add, are merged', async () => {
    const { swarm, go } = pair
    const nodes = [1, 2, 3].map((index) => forgeNode({ puts: [[`/head-field/${index}`, 'x']], priority: 9n }))
    await give(go, ...nodes)
    const heads = nodes.map(({ bytes: made }) =>
      bytesField(1, join(bytesField(1, cidV1(made)), bytesField(100, made), ...reserved(101, 110)))
    )
    await say(go, join(...heads))
    await go.until({ processed: nodes.map(({ id }) => cidOfId(id)) })
    await swarm.levelExactly()
  })

  test('in broadcasts with a field beside the heads are lost on Go, which is why there is none', async () => {
    const { swarm, go, ts } = pair
    const [lost, heard] = [1, 2].map((index) =>
      forgeNode({ puts: [[`/beside/${index}`, 'x']], priority: 9n })
    )
    await give(go, lost!, heard!)
    await say(go, join(bytesField(1, bytesField(1, cidV1(lost!.bytes))), bytesField(100, 'beside')))
    // Go handles broadcasts one after the other, so the first was handled when the second has been.
    await announce(go, heard!)
    expect((await go.dag([cidOfId(lost!.id)])).unprocessed).toEqual([cidOfId(lost!.id)])
    await announce(go, lost!)
    await swarm.levelExactly()
    expect(await textOf(ts, '/beside/1')).toBe('x')
  })

  test('whose delta requires a feature wait here, and have their effects in Go', async () => {
    const { swarm, go, ts } = pair
    const node = forgeBlock(block([put('/required', 'later'), priority(7), requires(9), requires(10)]))
    await announce(go, node)
    const { differences } = await swarm.level()
    expect(differences.map(({ key: shown, defect }) => [shown, defect])).toEqual([
      ['/required', 'an extension']
    ])
    expect((await ts.store.stats()).deferred).toBe(1)
    expect(await go.get('/required')).toEqual(bytes('later'))
  })
})

describeEachBuild('large blocks', (program) => {
  const pair = pairOf(program)

  test('of 1.1 and 3.5 MiB that Go made arrive, and are served on to another Go peer', async () => {
    const { swarm, go, ts } = pair
    // Go commits a batch after it has passed a MiB, and does not bound a single put at all.
    await go.batch([0, 1].map((index) => ({ op: 'put', key: `/large/${index}`, size: 0.5625 * MIB })))
    await go.run([{ op: 'put', key: '/large/put', size: 3.5 * MIB }])
    await write(ts, '/large/ours', new Uint8Array(MIB - 1024).fill(7))
    const { blocks } = await swarm.levelExactly()
    const tenths = blocks.map(({ length }) => Math.floor((10 * length) / MIB))
    expect(tenths.sort((a, b) => a - b)).toEqual([9, 11, 35])
    expect((await ts.store.get(key('/large/put'))).length).toBe(3.5 * MIB)
    // It asks us, because nobody else is connected to it.
    const joiner = await swarm.go('go-joins')
    await swarm.connect(ts, joiner)
    await swarm.levelExactly()
    expect((await joiner.get('/large/put'))?.length).toBe(3.5 * MIB)
  })
})

describeEachBuild('the greatest priority', (program) => {
  test('leads to writes that still count on both sides', async () => {
    const swarm = new Swarm(program)
    try {
      const go = await swarm.go('go')
      const ts = await swarm.ts('ts')
      await swarm.connect(go, ts)
      await announce(go, forgeNode({ puts: [['/greatest', 'x']], priority: 2n ** 64n - 1n }))
      await swarm.levelExactly()
      await write(ts, '/greatest', 'a')
      expect(await textOf(ts, '/greatest')).toBe('a')
      await swarm.levelExactly()
      expect(await go.get('/greatest')).toEqual(bytes('a'))
    } finally {
      await swarm.end()
    }
  })
})

/** A field of each number, of a wire type that goes round. */
function reserved(from: number, to: number): Uint8Array[] {
  const fields: Uint8Array[] = []
  for (let number = from; number <= to; number++) {
    if (number % 2 === 0) fields.push(varintField(number, 2n ** 40n + BigInt(number)))
    else fields.push(bytesField(number, utf8(`field ${number}`)))
  }
  return fields
}
