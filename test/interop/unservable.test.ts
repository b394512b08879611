// Heads that Go announces and cannot serve, and blocks that it lost: they stall nothing, and are made good later.
import { expect, test } from 'vitest'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { forgeNode, missingNode } from '../../src/testkit/hostile/forged.ts'
import { blockCid } from '../../src/testkit/oracle/oracle.ts'
import { say } from './announce.ts'
import { describeEachBuild } from './builds.ts'
import { eventually, Swarm } from './swarm.ts'
import { bytes, key, textOf, write } from './ts-calls.ts'

/** Heads that nobody has. */
const HEADS = 40

describeEachBuild('what Go cannot serve', (program) => {
  async function swarmOf(patienceMs: number) {
    const swarm = new Swarm(program)
    // A Go peer that is asked to fetch what nobody has does nothing else for so long.
    const go = await swarm.go('go', { flags: { 'fetch-timeout': '1s' } })
    const ts = await swarm.ts('ts', {
      gapPatienceMs: patienceMs,
      fetchTimeoutMs: 500,
      retryIntervalMs: 50,
      retryIntervalMsMax: 200
    })
    await swarm.connect(go, ts)
    await go.put('/first', 'x')
    await swarm.levelExactly()
    return { swarm, go, ts }
  }

  test('does not hold up what it can, and is dropped in the end', async () => {
    const { go, ts } = await swarmOf(1500)
    try {
      const missing = Array.from({ length: HEADS }, (_, index) => ({
        id: missingNode(`${index}`),
        dagName: ''
      }))
      await say(go, encodeBroadcast(missing))
      await eventually('the heads are wanted', async () => (await ts.store.stats()).wanted >= HEADS)
      const startedAt = performance.now()
      await go.put('/served', 'x')
      await eventually('what Go wrote is there', () => ts.store.has(key('/served')), 5000)
      expect(performance.now() - startedAt).toBeLessThan(1500)
      expect((await ts.store.stats()).wanted).toBeGreaterThan(0)
      await eventually('they are dropped', async () => (await ts.store.stats()).wanted === 0, 10_000)
      expect((await ts.store.stats()).counters.droppedHeads).toBeGreaterThanOrEqual(HEADS)
    } finally {
      await Promise.all([go.kill(), ts.close()])
    }
  })

  test('below a head leaves a gap, which is closed once Go has it again', async () => {
    const { swarm, go, ts } = await swarmOf(700)
    try {
      await swarm.disconnect(go, ts)
      for (const name of ['/lost/1', '/lost/2', '/lost/3']) await go.put(name, 'x')
      const cids = (await go.dag()).blocks.map(blockCid)
      // Newest first: all but the last one that it put, and the first of all, which is here.
      await go.call('hide', { cids: [cids[1]!] })
      await swarm.connect(go, ts)
      await eventually('the branch waits', async () => (await ts.store.stats()).pending > 0)
      await write(ts, '/meanwhile', 'x')
      expect(await ts.store.has(key('/lost/3'))).toBe(false)
      await eventually('it is merged without', async () => (await ts.store.stats()).gaps === 1, 10_000)
      expect(await textOf(ts, '/lost/3')).toBe('x')
      expect(await ts.store.has(key('/lost/1'))).toBe(false)
      await go.call('show', {})
      await swarm.levelExactly()
      expect(await textOf(ts, '/lost/1')).toBe('x')
      expect(await go.get('/meanwhile')).toEqual(bytes('x'))
    } finally {
      await swarm.end()
    }
  })

  test('is got from a TypeScript peer that has it', async () => {
    const { swarm, go, ts } = await swarmOf(60_000)
    try {
      await go.run(
        Array.from({ length: 10 }, (_, index) => ({ op: 'put', key: `/lost/${index}`, value: btoa('x') }))
      )
      await swarm.levelExactly()
      const heads = (await go.heads()).map(({ cid }) => cid)
      const cids: string[] = []
      for await (const { cid } of ts.store.dag.traverse()) cids.push(cid.toString())
      await go.call('hide', { cids })
      const late = await swarm.ts('late')
      await swarm.connect(go, late)
      await say(go, encodeBroadcast([{ id: forgeNode({ puts: [['/nobody', 'x']] }).id, dagName: '' }]))
      await swarm.connect(ts, late)
      await eventually('it has everything', async () => (await late.store.stats()).nodes === cids.length)
      expect((await late.store.heads()).map(({ cid }) => cid.toString())).toEqual(heads)
    } finally {
      await Promise.all([go.kill(), ...swarm.tsPeers.map((peer) => peer.close())])
    }
  })
})
