// `peers()`: what each peer of the topic said last. All of it is that peer's claim.
import { afterEach, describe, expect, test } from 'vitest'
import type { PeerState } from '../src/index.ts'
import { areLevel, forge, forgeMissing } from './replica/forge.ts'
import { type Peer, World } from './replica/world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

async function saidBy(name: string, { store }: Peer): Promise<PeerState | undefined> {
  return (await store.peers()).find(({ peer }) => peer === name)
}

async function names({ store }: Peer): Promise<string[]> {
  return (await store.peers()).map(({ peer }) => peer)
}

async function pair(seed: number, init: Parameters<World['peer']>[1] = {}): Promise<[Peer, Peer]> {
  world = new World(seed)
  const [alice, bob] = (await world.peers(['alice', 'bob'], init)) as [Peer, Peer]
  return [alice, bob]
}

describe('a peer that was greeted', () => {
  test('is told with all that it claimed, and how long ago', async () => {
    world = new World(1)
    const alice = await world.peer('alice')
    await alice.put('/k', '1')
    await alice.put('/k', '2', 'named')
    await alice.put('/ignored', '', 'ignored')
    await alice.store.dag.purge('ignored')
    await world.clock.advance(100)
    const bob = await world.peer('bob')
    expect(await bob.store.peers()).toEqual([])
    await world.clock.until(async () => (await saidBy('alice', bob))?.claim !== undefined)
    await world.clock.advance(1234)
    const claimed = (await alice.store.heads()).map(({ cid, dagName }) => ({ cid, dagName }))
    const { announced: _announced, ...said } = (await saidBy('alice', bob))!
    expect(said).toEqual({
      peer: 'alice',
      connected: true,
      claim: {
        ...{ heads: claimed, headsLeftOut: 0, digest: await alice.store.digest(), sequence: 3 },
        ...{ gaps: 0, deferred: 0, ignoredDags: ['ignored'], agoMs: 1234, level: true }
      }
    })
    // Bob had nothing when they met.
    expect((await saidBy('bob', alice))?.claim).toMatchObject({ heads: [], sequence: 0, level: false })
  })

  test('is level as long as it claimed the state that is here, and no longer', async () => {
    const [alice, bob] = await pair(2)
    await world.clock.advance(100)
    expect((await saidBy('alice', bob))?.claim?.level).toBe(true)
    await alice.put('/k', '1')
    await world.clock.until(() => areLevel([alice, bob]))
    // What it says since is no claim: it is not known what is below.
    expect((await saidBy('alice', bob))?.claim?.level).toBe(false)
    world.partition(['alice'], ['bob'])
    world.heal()
    await world.clock.advance(100)
    expect((await saidBy('alice', bob))?.claim).toMatchObject({ level: true, sequence: 1 })
    expect((await saidBy('bob', alice))?.claim).toMatchObject({ level: true })
    await bob.put('/k', '2')
    expect((await saidBy('alice', bob))?.claim?.level).toBe(false)
  })

  test('is not level with the same heads and another digest, or with heads left out', async () => {
    const [alice, bob] = await pair(3)
    await alice.put('/k', '1')
    await world.clock.until(() => areLevel([alice, bob]))
    const claim = alice.claim()
    const level = async (given: Partial<typeof claim>): Promise<boolean | undefined> => {
      bob.greeted('alice', { ...claim, ...given })
      return (await saidBy('alice', bob))?.claim?.level
    }
    expect(await level({})).toBe(true)
    expect(await level({ digest: new Uint8Array(32) })).toBe(false)
    expect(await level({ headsLeftOut: 1 })).toBe(false)
    expect(await level({ heads: [] })).toBe(false)
    const { digest: _digest, ...another } = claim
    bob.greeted('alice', another)
    const said = (await saidBy('alice', bob))!.claim!
    expect(said.level).toBe(true)
    expect(said).not.toHaveProperty('digest')
  })

  test('that left is not connected, and is what it was once it is back', async () => {
    const [alice, bob] = await pair(4)
    await alice.put('/k', '1')
    await world.clock.until(() => areLevel([alice, bob]))
    await world.clock.until(async () => (await saidBy('alice', bob))?.connected)
    world.partition(['alice'], ['bob'])
    await world.clock.advance(60_000)
    const left = (await saidBy('alice', bob))!
    expect(left.connected).toBe(false)
    expect(left.claim?.agoMs).toBeGreaterThan(59_000)
    world.heal()
    await world.clock.advance(1000)
    const back = (await saidBy('alice', bob))!
    expect(back.connected).toBe(true)
    expect(back.claim?.agoMs).toBeLessThanOrEqual(1000)
    await world.clock.during(alice.store.close())
    expect(await saidBy('alice', bob)).toMatchObject({ connected: false })
  })
})

describe('a peer that only gossips', () => {
  test('claims nothing, and is told with the heads that it announced last', async () => {
    const [alice, bob] = await pair(10, { goLike: true })
    await world.clock.advance(100)
    expect(await bob.store.peers()).toEqual([])
    await alice.put('/k', '1')
    await alice.put('/k', '2', 'named')
    await world.clock.advance(5000)
    const [head] = await alice.store.heads('named')
    const { announced, ...said } = (await saidBy('alice', bob))!
    expect(said).toEqual({ peer: 'alice', connected: false })
    expect(announced?.heads).toEqual([{ cid: head!.cid, dagName: 'named' }])
    expect(announced?.agoMs).toBeGreaterThan(4900)
    expect(announced?.agoMs).toBeLessThanOrEqual(5000)
  })

  test('may announce what nobody has, and more heads than are remembered', async () => {
    world = new World(11)
    const bob = await world.peer('bob', { helloHeadsMax: 3 })
    const mallory = world.outsider('mallory')
    const heads = Array.from({ length: 10 }, (_, i) => forgeMissing(`${i}`))
    mallory.say(heads)
    mallory.say(Uint8Array.of(0xff))
    await world.clock.advance(100)
    const said = (await saidBy('mallory', bob))!
    expect(said.announced?.heads.map(({ cid }) => cid.toString())).toEqual(
      heads.slice(0, 3).map(({ cid }) => cid)
    )
    expect(await names(bob)).toEqual(['mallory'])
  })
})

describe('the list', () => {
  test('begins with who spoke last', async () => {
    world = new World(20)
    const bob = await world.peer('bob')
    const [one, two, three] = ['one', 'two', 'three'].map((name) => world.outsider(name, { streams: true }))
    const { id, bytes } = forge({ puts: { '/k': '' } })
    for (const outsider of [one, two, three]) {
      outsider?.say([{ id, block: bytes }])
      await world.clock.advance(100)
    }
    expect(await names(bob)).toEqual(['three', 'two', 'one'])
    one?.greet(bob, [id])
    expect(await names(bob)).toEqual(['one', 'three', 'two'])
    expect(await saidBy('one', bob)).toMatchObject({ connected: true, announced: { heads: [{}] } })
    bob.view?.peerLeft('one')
    bob.view?.peerLeft('never seen')
    expect(await names(bob)).toEqual(['one', 'three', 'two'])
  })

  test('is bounded: who said nothing for the longest is forgotten', async () => {
    world = new World(21)
    const bob = await world.peer('bob', { peersMax: 3 })
    const { id, bytes } = forge({ puts: { '/k': '' } })
    for (let i = 0; i < 10; i++) {
      world.outsider(`peer ${i}`).say([{ id, block: bytes }])
      await world.clock.advance(100)
    }
    expect(await names(bob)).toEqual(['peer 9', 'peer 8', 'peer 7'])
    for (const name of ['peer 7', 'peer 1']) {
      world.outsider(name, { streams: true }).greet(bob, [])
    }
    expect(await names(bob)).toEqual(['peer 1', 'peer 7', 'peer 9'])
  })

  test('is empty after a restart, and is of no store that is stopped', async () => {
    const [alice, bob] = await pair(22)
    await world.clock.until(async () => (await names(bob)).length === 1)
    const again = await bob.restart()
    expect(await names(again)).toEqual([])
    await expect(bob.store.peers()).rejects.toMatchObject({ name: 'ClosedError' })
    await world.clock.until(async () => (await names(again)).length === 1)
    expect(await names(alice)).toEqual(['bob'])
  })
})
