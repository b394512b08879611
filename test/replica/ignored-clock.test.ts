// A block counts for the clock from the moment it is received, though its DAG is ignored and nothing else of it is kept.
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import type { SimulatedReplica } from '../../src/testkit/simulated-replica.ts'
import { World } from '../../src/testkit/world.ts'

const KEY = new Key('/key')

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Alice ignores a DAG in which Bob writes, and hears of it. */
async function worldWithIgnoredBlocks(): Promise<{ world: World; alice: SimulatedReplica }> {
  const world = new World({ seed: 1 })
  const [alice, bob] = (await world.replicas(['alice', 'bob'])) as [SimulatedReplica, SimulatedReplica]
  await world.advance(1000)
  await world.run(alice.store.dag.purge('noise'))
  for (let i = 1; i <= 5; i++) await world.run(bob.store.put(KEY, encode(`${i}`), { dagName: 'noise' }))
  await world.advance(100)
  expect((await alice.store.stats()).clock).toBe(5n)
  return { world, alice }
}

test.each([
  ['closed', async (world: World, alice: SimulatedReplica) => await world.run(alice.close())],
  ['killed', async (_world: World, alice: SimulatedReplica) => alice.crash()]
])('a put after a replica was %s outranks what it had received of an ignored DAG', async (_name, end) => {
  const { world, alice } = await worldWithIgnoredBlocks()
  world.partition()
  await end(world, alice)
  await world.run(alice.start())
  await world.run(alice.store.put(KEY, encode('later')))
  world.heal()
  await world.run(alice.store.dag.resume('noise'))
  await world.converge()
  for (const { store } of world.running()) {
    expect(new TextDecoder().decode(await store.get(KEY))).toBe('later')
  }
})
