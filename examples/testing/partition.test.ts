/**
 * A test of an app on five replicas with a partition, for vitest. The app is the task list next door; nothing of it
 * knows that its network, its disks and its time are simulated.
 */
import { checkEqualsOracle, World } from 'datastore-crdt/testkit'
import { expect, test } from 'vitest'
import { TaskList } from '../task-list/task-list.ts'

test('what two sides of a partition did is there on both, once it is over', async () => {
  // Everything that happens follows from the seed: latency, loss, and who hears what first.
  const world = new World({ seed: 1, link: { latencyMs: 50, jitterMs: 100, loss: 0.1 } })
  const replicas = await world.replicas(['alice', 'bob', 'carol', 'dave', 'erin'])
  const [alice, bob, carol, dave, erin] = replicas.map(({ store }) => new TaskList(store))

  const milk = await world.run(alice!.add('milk'))
  const bread = await world.run(bob!.add('bread'))
  await world.converge()

  world.partition(['alice', 'bob'], ['carol', 'dave', 'erin'])
  await world.run(alice!.complete(milk))
  await world.run(carol!.rename(milk, 'oat milk'))
  await world.run(dave!.remove(bread))
  await world.advance(60_000)
  expect(await bob!.list()).toMatchObject([{ title: 'bread' }, { title: 'milk', done: true }])
  expect(await erin!.list()).toMatchObject([{ title: 'oat milk', done: false }])

  world.heal()
  await world.converge()
  for (const tasks of [alice, bob, carol, dave, erin]) {
    expect(await tasks!.list()).toEqual([{ id: milk, title: 'oat milk', done: true }])
  }
  for (const replica of replicas) await checkEqualsOracle(replica)
  await world.close()
})
