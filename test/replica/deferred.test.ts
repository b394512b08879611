// Deltas that require a feature this version does not know: they are nodes, their links count, their effects wait.
import { afterEach, describe, expect, test } from 'vitest'
import { areLevel, expectConverged, expectLikeOracle, forge } from './forge.ts'
import { type Peer, World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

describe('a delta that requires an unknown feature', () => {
  test('is applied structurally, and counted', async () => {
    world = new World(1)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory')
    const root = forge({ puts: { '/k': 'root' } })
    const future = forge({ puts: { '/k': 'future' }, links: [root], priority: 2n, requires: [7] })
    const top = forge({ puts: { '/top': '' }, links: [future], priority: 3n })
    mallory.has(root, future)
    mallory.say([{ id: top.id, block: top.bytes }])
    await world.clock.until(async () => (await bob.nodes()) === 3)
    expect(await bob.get('/k')).toBe('root')
    expect(await bob.store.stats()).toMatchObject({ deferred: 1, heads: 1, gaps: 0, clock: 3n })
    expect(bob.datastore.rows('/crdt/d')).toHaveLength(1)
    await expectLikeOracle(bob)
  })

  test('has no tombstones either, and a tombstone that names it is kept until it has run', async () => {
    world = new World(2)
    const bob = await world.peer('bob')
    const mallory = world.outsider('mallory')
    const root = forge({ puts: { '/k': 'root' } })
    const future = forge({
      ...{ puts: { '/f': 'future' }, tombstones: [{ key: '/k', id: root.id }] },
      ...{ links: [root], priority: 2n, requires: [7] }
    })
    const tomb = forge({ tombstones: [{ key: '/f', id: future.id }], links: [future], priority: 3n })
    for (const { id, bytes } of [root, future, tomb]) {
      mallory.say([{ id, block: bytes }])
      await world.clock.advance(100)
    }
    expect(await bob.get('/k')).toBe('root')
    expect(await bob.store.stats()).toMatchObject({ deferred: 1, tombstones: 1, nodes: 3 })
    await expectLikeOracle(bob)
    // The same in one commit, which has looked nothing up before.
    const carol = await world.peer('carol')
    await world.clock.until(async () => (await carol.nodes()) === 3)
    await expectConverged([bob, carol])
    expect(await carol.store.stats()).toMatchObject({ deferred: 1, tombstones: 1 })
  })

  test('is passed on to others, survives a restart and is built upon', async () => {
    world = new World(3)
    const alice = await world.peer('alice')
    let bob: Peer = await world.peer('bob')
    const future = forge({ puts: { '/f': '' }, priority: 9n, requires: [7, 8] })
    world.outsider('mallory').say([{ id: future.id, block: future.bytes }])
    await world.clock.advance(100)
    bob = await bob.restart()
    await bob.put('/k', '1')
    expect((await bob.store.heads())[0]?.priority).toBe(10n)
    await world.clock.until(() => areLevel([alice, bob]))
    const carol = await world.peer('carol')
    await world.clock.until(async () => (await carol.nodes()) === 2)
    await expectConverged([alice, bob, carol])
    expect(await carol.store.stats()).toMatchObject({ deferred: 1, heads: 1 })
  })
})
