// How fast a mixed swarm is, beside how fast Go is with Go in the same minutes on the same machine.
import { afterEach, expect, test } from 'vitest'
import { encodeBroadcast } from '../../src/codec/broadcast.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { describeRelease } from './builds.ts'
import { base64, GoPeer } from './go-peer.ts'
import { eventually, type Peer, Swarm } from './swarm.ts'
import { key, write } from './ts-calls.ts'
import type { TsPeer } from './ts-peer.ts'

/** Puts of which each way's median is taken. */
const PUTS = Number(process.env.INTEROP_PUTS ?? 25)
/** Deltas of a history that Go wrote. */
const HISTORY = Number(process.env.INTEROP_HISTORY ?? 1000)
/** Deltas of a history that a Go peer follows. */
const FOLLOWED = Number(process.env.INTEROP_FOLLOWED ?? 60)
/** What a noisy machine may add to a median that is compared with another. */
const SLACK_MS = 25

let swarm: Swarm

afterEach(() => swarm.end())

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!

/** How long puts of one peer take until another shows them, from the call to the answer of whoever waits there. */
async function latencyMs(from: Peer, to: Peer): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < PUTS; index++) {
    const name = `/latency/${from.name}/${to.name}/${index}`
    const shown = to instanceof GoPeer ? to.until({ key: name, value: base64('x') }) : isShown(to, name)
    const startedAt = performance.now()
    if (from instanceof GoPeer) await from.put(name, 'x')
    else await write(from, name, 'x')
    await shown
    times.push(performance.now() - startedAt)
  }
  return median(times)
}

async function isShown({ store }: TsPeer, name: string): Promise<void> {
  const stop = new AbortController()
  for await (const change of store.watch({ prefix: name, signal: stop.signal })) {
    if (change.key.toString() === name) return
  }
}

/** Deltas in a second that a fresh peer gets of a history that is there. */
async function catchUp(joiner: Peer, source: Peer, deltas: number, last: string): Promise<number> {
  const startedAt = performance.now()
  await swarm.connect(source, joiner)
  if (joiner instanceof GoPeer) {
    await joiner.until({ key: last, value: base64('x') }, 120_000)
    const head = (await joiner.heads()).map(({ cid }) => cid)
    await eventually('the history is there', async () => {
      const { missing, unprocessed, blocks } = await joiner.dag(head)
      return blocks.length >= deltas && missing.length + unprocessed.length === 0
    })
  } else {
    await eventually(
      'the history is there',
      async () => (await joiner.store.stats()).nodes >= deltas,
      120_000
    )
  }
  return Math.round((1000 * deltas) / (performance.now() - startedAt))
}

describeRelease('speed', (program) => {
  test('a write passes between Go and TypeScript no slower than between Go and Go', async () => {
    swarm = new Swarm(program)
    const [go, other, ts] = [await swarm.go('go'), await swarm.go('other'), await swarm.ts('ts')]
    await swarm.connectAll()
    // The meshes of gossipsub are there once writes pass.
    for (const peer of [go, other]) await peer.put('/warm/up', peer.name)
    await swarm.level()
    const goToGo = await latencyMs(go, other)
    const goToTs = await latencyMs(go, ts)
    const tsToGo = await latencyMs(ts, go)
    const figures = { goToGo, goToTs, tsToGo }
    console.info(`interop: median of a write in ms: ${JSON.stringify(figures)}`)
    expect(goToTs).toBeLessThan(goToGo + SLACK_MS)
    expect(tsToGo).toBeLessThan(goToGo + SLACK_MS)
  })

  test('a history is followed no slower than by a Go peer from a Go peer', async () => {
    swarm = new Swarm(program)
    const go = await swarm.go('go')
    await go.call('fill', { count: FOLLOWED, prefix: '/history/', data: base64('x') })
    const last = `/history/${FOLLOWED - 1}`
    const goFromGo = await catchUp(await swarm.go('late-go'), go, FOLLOWED, last)
    const ts = await swarm.ts('ts')
    const tsFromGo = await catchUp(ts, go, FOLLOWED, last)
    const goFromTs = await catchUp(await swarm.go('late-go-2'), ts, FOLLOWED, last)
    console.info(`interop: deltas in a second: ${JSON.stringify({ goFromGo, tsFromGo, goFromTs })}`)
    expect(tsFromGo).toBeGreaterThan(goFromGo / 2)
    expect(goFromTs).toBeGreaterThan(goFromGo / 2)
  })

  test('a history that Go wrote comes at our own speed where a TypeScript peer has it', async () => {
    swarm = new Swarm(program)
    const go = await swarm.go('go')
    const ts = await swarm.ts('ts')
    await go.call('fill', { count: HISTORY, prefix: '/long/', data: base64('x') })
    await give(go, ts)
    await swarm.connect(go, ts)
    await eventually('it is level', async () => (await ts.store.stats()).wanted === 0)
    const late = await swarm.ts('late')
    await late.connect(go.address)
    const mixed = await rateOf(late, ts)
    const { blockFetcher } = await late.store.stats()
    expect(await late.store.has(key(`/long/${HISTORY - 1}`))).toBe(true)
    // The same without a Go peer in sight.
    const own = await rateOf(await swarm.ts('alone'), ts)
    console.info(
      `interop: ${HISTORY} deltas of Go from a TypeScript peer, in a second: ${JSON.stringify({ mixed, own })}`
    )
    expect(mixed).toBeGreaterThan(own / 4)
    // Go to Go is 50, and bitswap no faster for us.
    expect(mixed).toBeGreaterThan(300)
    expect(blockFetcher!.blocks).toBeLessThan(HISTORY / 4)
  })
})

async function rateOf(joiner: TsPeer, source: TsPeer): Promise<number> {
  const startedAt = performance.now()
  await joiner.connect(source.address)
  await eventually('the history is there', async () => (await joiner.store.stats()).nodes >= HISTORY, 60_000)
  return Math.round((1000 * HISTORY) / (performance.now() - startedAt))
}

/** Gives a TypeScript peer what Go has, by gossip with the blocks inlined, which is faster than bitswap. */
async function give(go: GoPeer, ts: TsPeer): Promise<void> {
  const giver = await swarm.ts('giver')
  await swarm.connect(giver, ts)
  const oldestFirst = (await go.dag()).blocks.reverse()
  for (let from = 0; from < oldestFirst.length; from += 200) {
    const heads = oldestFirst
      .slice(from, from + 200)
      .map((block) => ({ id: blockId(block), dagName: '', block }))
    await giver.libp2p.services.pubsub.publish(swarm.topic, encodeBroadcast(heads))
  }
  await eventually('it has the history', async () => (await ts.store.stats()).nodes >= oldestFirst.length)
  await giver.close()
  swarm.forget(giver)
}
