// Peers that are not honest in a simulated world: whatever they do, honest replicas converge, equal the oracle, and stay
// within their limits; and the check of the limits can fail.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { Bounds } from '../../src/testkit/checkers/bounded.ts'
import { checkEqualsOracle } from '../../src/testkit/checkers/equals-oracle.ts'
import { LIES } from '../../src/testkit/hostile/false-replica.ts'
import { ODD_KINDS } from '../../src/testkit/hostile/odd-blocks.ts'
import { MANNERS } from '../../src/testkit/hostile/raw-streams.ts'
import { generateScript } from '../../src/testkit/simulation/generate.ts'
import { attempt, runScript } from '../../src/testkit/simulation/run.ts'
import type { Script } from '../../src/testkit/simulation/script.ts'
import { World } from '../../src/testkit/world.ts'

const LIMITS = { gapPatienceMs: 2000, pendingBlocksPerPeerMax: 64, rebroadcastIntervalMs: 5000 }

/** Two honest replicas and one that is not. */
async function cast(seed: number, lie: (typeof LIES)[number] = 'nothing but the truth') {
  const world = new World({ seed })
  const [alice, bob] = await world.replicas(['alice', 'bob'], LIMITS)
  const mallory = await world.hostile('mallory', { lie })
  await world.advance(1000)
  return { world, alice: alice!, bob: bob!, mallory }
}

/** A write of one honest replica reaches the other at once, and both end alike. */
async function expectUnharmed({ world, alice, bob, mallory }: Awaited<ReturnType<typeof cast>>) {
  const bounds = new Bounds(world, LIMITS)
  await world.run(alice.store.put(new Key('/honest'), new Uint8Array(3)))
  await world.clock.until(() => bob.store.has(new Key('/honest')), { withinMs: 1000 })
  await bounds.sample()
  await world.advance(3000)
  mallory.leave()
  await world.converge()
  for (const replica of [alice, bob]) await checkEqualsOracle(replica)
  await bounds.end()
  await world.close()
}

test.each(LIES)(
  'a peer that tells %s holds nobody up',
  async (lie) => {
    const everything = await cast(1, lie)
    everything.mallory.tellOdd('a falling priority', { name: lie, key: '/k' }, 'streamed')
    await expectUnharmed(everything)
  },
  20_000
)

test.each(ODD_KINDS)(
  '%s does no harm',
  async (kind) => {
    const everything = await cast(2)
    await everything.world.run(everything.alice.store.put(new Key('/k'), new Uint8Array(1)))
    everything.mallory.tellOdd(kind, { name: kind, key: '/k' }, 'inlined')
    await expectUnharmed(everything)
  },
  20_000
)

test.each(MANNERS)(
  'streams with %s hold nobody up',
  async (manner) => {
    const everything = await cast(3)
    everything.mallory.answers = manner
    void everything.mallory.open('alice', manner, 12)
    void everything.mallory.open('bob', manner, 12)
    everything.mallory.forgeHeads(manner, 3)
    await expectUnharmed(everything)
  },
  20_000
)

describe('the check of the limits', () => {
  test('finds a message that is larger than any may be', async () => {
    const { world, mallory } = await cast(4)
    mallory.tellOdd('many links', { name: 'm', key: '/k', links: 1000 }, 'inlined')
    await world.advance(500)
    await new Bounds(world, LIMITS).sample()
    const tight = new Bounds(world, { wantedHeadsMax: 1, broadcastBytesMax: 1024, syncStreamsMax: 1 })
    mallory.tell([], 'inlined')
    // A message that a replica never says.
    world.traffic.said({ at: 0, from: 'alice', topic: 'world', bytes: new Uint8Array(1025) })
    await expect(tight.sample()).rejects.toThrow('alice said a message of so many bytes: 1025')
    await world.close()
  })

  test('finds bad messages that were not counted', async () => {
    const { world, bob, mallory } = await cast(5)
    mallory.sayNoise(20)
    await world.advance(500)
    await new Bounds(world, LIMITS).sample()
    world.traffic.heard({ at: 0, from: 'mallory', topic: 'world', bytes: Uint8Array.of(7) }, bob.node!)
    await expect(new Bounds(world, LIMITS).sample()).rejects.toThrow('bob counted')
    await world.close()
  })

  test('finds rows that nothing needs', async () => {
    const { world, bob, mallory } = await cast(6)
    mallory.leave()
    bob.disk.write(new Map([['/crdt/w/CIQ', Uint8Array.of(1)]]))
    await expect(new Bounds(world, LIMITS).end()).rejects.toThrow(
      'bob has 1 rows of wanted heads, and needs 0'
    )
    await world.close()
  })

  test('finds a log that a peer fills', async () => {
    const { world, bob } = await cast(7)
    for (let line = 0; line < 30; line++) bob.logged.push(`mallory sent something bad ${line}`)
    await expect(new Bounds(world, LIMITS).end()).rejects.toThrow('bob logged lines of mallory')
    await world.close()
  })
})

test('what a flood put on a slow link is there before a world counts as level', async () => {
  const script: Script = {
    ...{ seed: 1, profile: 'floods', link: { bytesPerMs: 10 } },
    replicas: { kind: 'level', durability: 'process', coalesce: false, limits: LIMITS },
    steps: [
      { do: 'join', replica: 'alice' },
      { do: 'hostile joins', peer: 'mallory', lie: 'nothing but the truth' },
      { do: 'wait', ms: 1000 },
      { do: 'flood', peer: 'mallory', name: 'flood', count: 100, bytes: 1000 },
      { do: 'forged heads', peer: 'mallory', name: 'forged', count: 10, legacy: true }
    ]
  }
  const heard = await attempt(script, async (run) => {
    await run.live()
    await run.heal()
    const [alice] = run.world.running()
    const { messages } = run.world.traffic.heardBy(alice!.node!)
    await run.report()
    return messages
  })
  expect(heard).toBe(110)
}, 20_000)

test('scripts with peers that are not honest run the same way every time', async () => {
  const script = generateScript(7, 'hostile peers')
  const [one, other] = [await runScript(script), await runScript(script)]
  expect(other).toEqual(one)
  expect(one.harms).toBeGreaterThan(5)
}, 60_000)
