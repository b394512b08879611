// Real replicas that take one history from several peers, honest and not, in virtual time.
import { Key } from 'interface-datastore'
import { afterEach, expect, test } from 'vitest'
import { encodeNode } from '../../src/codec/node.ts'
import { syncExchange } from '../../src/libp2p/index.ts'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import type { SimulatedReplica } from '../../src/testkit/simulated-replica.ts'
import { World } from '../../src/testkit/world.ts'
import { FakeReplica } from './fake-replica.ts'

const NODES = 1500
/** So slow that nobody but the network is what one waits for. */
const BYTES_PER_MS = 20
const LIMITS = { syncDivideNodesMin: 128, syncAheadBytesMax: 64 * 1024, syncFrameBytes: 2048 }
const ENCODER = new TextEncoder()

let world: World | undefined

afterEach(async () => {
  await world?.close()
  world = undefined
})

async function write(world: World, replica: SimulatedReplica, prefix: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await world.run(replica.store.put(new Key(`/${prefix}/${index}`), ENCODER.encode(`${prefix} ${index}`)))
  }
}

/** Bytes that a fresh replica gets from each. */
async function joinSlowly(world: World, names: readonly string[]): Promise<[SimulatedReplica, number[]]> {
  for (const name of names) world.network.link(name, 'joiner').conditions.bytesPerMs = BYTES_PER_MS
  const joiner = await world.replica('joiner', LIMITS)
  await world.converge()
  return [joiner, names.map((name) => world.network.link(name, 'joiner').bytes)]
}

test('replicas that are level share the work of bringing a new one up to date', async () => {
  world = new World({ seed: 1 })
  const [alice] = (await world.replicas(['alice', 'bob', 'carol'], LIMITS)) as [SimulatedReplica]
  await write(world, alice, 'a', NODES)
  await world.converge()
  const [joiner, bytes] = await joinSlowly(world, ['alice', 'bob', 'carol'])
  const all = bytes.reduce((sum, each) => sum + each, 0)
  for (const each of bytes) expect(each / all).toBeGreaterThan(0.2)
  const { gaps, pending } = await joiner.store.stats()
  expect({ gaps, pending }).toEqual({ gaps: 0, pending: 0 })
  await world.run(checkEqualsOracle(joiner))
})

test('replicas whose logs have another order bring a new one up to date all the same', async () => {
  world = new World({ seed: 2 })
  const [alice, bob] = (await world.replicas(['alice', 'bob'], LIMITS)) as [
    SimulatedReplica,
    SimulatedReplica
  ]
  world.partition(['alice'], ['bob'])
  await write(world, alice, 'a', NODES / 2)
  await write(world, bob, 'b', NODES / 2)
  world.heal()
  await world.converge()
  const [joiner, bytes] = await joinSlowly(world, ['alice', 'bob'])
  expect((await joiner.store.stats()).gaps).toBe(0)
  // One of them sent all, and the other a span or two that did not fit.
  expect(Math.min(...bytes)).toBeLessThan(Math.max(...bytes) / 2)
  await world.run(checkEqualsOracle(joiner))
})

/** A linear history, in the form that a store writes. */
async function linear(replica: FakeReplica, count: number, prefix: string): Promise<void> {
  for (let index = 0; index < count; index++) {
    const last = replica.log.at(-1)
    const element = { key: `/${prefix}/${replica.log.length}`, value: ENCODER.encode(prefix.repeat(20)) }
    const priority = BigInt(replica.log.length + 1)
    const delta = { elements: [element], tombstones: [], priority, dagName: '', requires: [] }
    await replica.apply(encodeNode(delta, last === undefined ? [] : [last.id]))
  }
}

test('a log that fits at its ends and is false in the middle costs time, and nothing else', async () => {
  world = new World({ seed: 3 })
  const honest = new FakeReplica()
  await linear(honest, NODES, 'true')
  const false_ = new FakeReplica()
  false_.copyFrom(honest, ({ sequence }) => sequence <= NODES / 3)
  await linear(false_, NODES / 3, 'false')
  false_.copyFrom(honest, ({ sequence }) => sequence > (NODES * 2) / 3)
  for (const [name, replica] of [['alice', honest] as const, ['mallory', false_] as const]) {
    const { clock, network, topic } = world
    const exchange = syncExchange(
      { libp2p: network.join(name), clock, random: world.random(name) },
      { topic }
    )
    await world.run(exchange.start(replica))
    network.link(name, 'joiner').conditions.bytesPerMs = BYTES_PER_MS
  }
  const joiner = await world.replica('joiner', LIMITS)
  const { store } = joiner
  await world.until(async () => {
    const { nodes, pending, wanted } = await store.stats()
    return nodes >= NODES && pending === 0 && wanted === 0
  }, 600_000)
  expect(world.network.link('mallory', 'joiner').bytes).toBeGreaterThan(10_000)
  for (let index = 0; index < NODES; index += 50) {
    expect(await world.run(store.has(new Key(`/true/${index}`)))).toBe(true)
  }
  expect(await store.stats()).toMatchObject({ gaps: 0, pending: 0 })
})
