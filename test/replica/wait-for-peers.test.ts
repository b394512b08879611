// waitForSync({ peers }): level with somebody, where nobody was heard of yet.
import { afterEach, expect, test } from 'vitest'
import { World } from './world.ts'

let world: World

afterEach(async () => {
  await world.close()
})

test('a wait that begins before anybody is connected ends with all that the first peer has', async () => {
  world = new World(1)
  const alice = await world.peer('alice')
  for (let index = 0; index < 50; index++) await alice.put(`/${index}`, '1')
  const bob = await world.peer('bob')
  // The usual mistake: nobody was heard of, so there is nothing to wait for.
  await bob.store.waitForSync()
  expect(await bob.get('/0')).toBeUndefined()
  let level = false
  const wait = bob.store.waitForSync({ peers: 1 }).then(() => {
    level = true
  })
  await world.clock.until(async () => level)
  await wait
  expect(await bob.store.digest()).toBe(await alice.store.digest())
})

test('a wait for more peers than come goes on until it is aborted or the store stops', async () => {
  world = new World(2)
  const [, bob] = await world.peers(['alice', 'bob'])
  const controller = new AbortController()
  const aborted = expect(bob!.store.waitForSync({ peers: 2, signal: controller.signal })).rejects.toThrow(
    'enough'
  )
  const stopped = expect(bob!.store.waitForSync({ peers: 2 })).rejects.toMatchObject({ name: 'ClosedError' })
  await world.clock.advance(10_000)
  controller.abort(new Error('enough'))
  await aborted
  await world.clock.during(bob!.store.close())
  await stopped
})

test.each([[-1], [1.5], [Number.NaN], [1e9]])('%s peers are refused by name', async (peers) => {
  world = new World(3)
  const bob = await world.peer('bob')
  await expect(bob.store.waitForSync({ peers })).rejects.toMatchObject({
    name: 'InvalidOptionError',
    option: 'peers'
  })
})
