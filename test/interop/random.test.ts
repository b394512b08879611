// Three Go and three TypeScript peers, which do thousands of random things from a seed, are parted and joined, and have
// to have the same in the end.
import { expect, test } from 'vitest'
import { below, pick, streamOf } from '../../src/testkit/seeded-random.ts'
import { describeEachBuild } from './builds.ts'
import type { GoOperation } from './go-messages.ts'
import { base64, GoPeer } from './go-peer.ts'
import { type Peer, Swarm } from './swarm.ts'
import { key } from './ts-calls.ts'

const SEED = Number(process.env.INTEROP_SEED ?? Math.floor(Math.random() * 2 ** 31))
const ROUNDS = Number(process.env.INTEROP_ROUNDS ?? 4)
/** What each peer does in a round. Deltas are few, since Go fetches fifty in a second, and operations are many. */
const SINGLES = 3
const BATCHES = 3
const BATCH = 14

type Change = { op: 'put'; key: string; value: string } | { op: 'delete'; key: string }

console.info(`interop: random operations of seed ${SEED}: INTEROP_SEED=${SEED} repeats them`)

/** What one peer does in one round: changes that are made alone, and batches. */
function plan(seed: number, peer: string, round: number): Change[][] {
  const random = streamOf(seed, `${peer} ${round}`)
  const change = (): Change => {
    const name = `/${pick(random, ['a', 'b', 'c/d', '\u00e9'])}/${below(random, 8)}`
    if (below(random, 100) < 30) return { op: 'delete', key: name }
    // Few values, so that priorities and values tie. None is empty, which Go takes for none.
    return {
      op: 'put',
      key: name,
      value: pick(random, ['x', 'xx', 'y', 'long'.repeat(20), `${peer} ${round}`])
    }
  }
  const batch = (): Change[] => {
    // A key once in a batch: Go would write it twice.
    const changes = new Map<string, Change>()
    while (changes.size < BATCH) {
      const one = change()
      changes.set(one.key, one)
    }
    return [...changes.values()]
  }
  const units = [
    ...Array.from({ length: SINGLES }, () => [change()]),
    ...Array.from({ length: BATCHES }, batch)
  ]
  return units.sort(() => random() - 0.5)
}

async function act(peer: Peer, units: Change[][]): Promise<void> {
  if (peer instanceof GoPeer) {
    const operations = units.map((changes): GoOperation => {
      const own = changes.map(
        (change): GoOperation => (change.op === 'put' ? { ...change, value: base64(change.value) } : change)
      )
      return changes.length === 1 ? own[0]! : { op: 'batch', batch: own }
    })
    await peer.run(operations)
    return
  }
  for (const changes of units) {
    const batch = peer.store.batch()
    for (const change of changes) {
      if (change.op === 'put') batch.put(key(change.key), new TextEncoder().encode(change.value))
      else batch.delete(key(change.key))
    }
    await batch.commit()
  }
}

describeEachBuild('three Go and three TypeScript peers', (program) => {
  test('agree after thousands of random operations', async () => {
    const swarm = new Swarm(program)
    try {
      const peers: Peer[] = []
      for (const name of ['go-1', 'go-2', 'go-3']) peers.push(await swarm.go(name))
      for (const name of ['ts-1', 'ts-2', 'ts-3']) peers.push(await swarm.ts(name))
      await swarm.connectAll()
      const random = streamOf(SEED, 'partitions')
      let operations = 0
      let different = 0
      for (let round = 0; round < ROUNDS; round++) {
        const isParted = round % 2 === 1
        const side = peers.filter(() => random() < 0.5)
        const rest = peers.filter((peer) => !side.includes(peer))
        if (isParted) await swarm.disconnect(side, ...rest)
        const plans = peers.map((peer) => plan(SEED, peer.name, round))
        operations += plans.flat(2).length
        await Promise.all(peers.map((peer, index) => act(peer, plans[index]!)))
        if (isParted) await swarm.connect(side, ...rest)
        const { differences } = await swarm.level(40_000)
        different += differences.length
      }
      console.info(
        `interop: ${operations} operations; Go peers showed ${different} values that defects explain`
      )
      expect(operations).toBeGreaterThan(ROUNDS * peers.length * BATCHES * BATCH)
    } catch (error) {
      throw new Error(`Seed ${SEED}: ${(error as Error).message}`, { cause: error })
    } finally {
      await swarm.end()
    }
  })
})
