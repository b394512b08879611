/**
 * A test of an app whose process dies, for the test runner of Node:
 *
 *     npm run example -- --test examples/testing/crash.node-test.ts
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from 'datastore-crdt/testkit'
import { TaskList } from '../task-list/task-list.ts'

test('what was acknowledged is there after a crash, and reaches the others', async () => {
  const world = new World({ seed: 2 })
  const [alice, bob] = await world.replicas(['alice', 'bob'])
  assert(alice !== undefined && bob !== undefined)

  world.partition() // Nobody reaches anybody.
  const id = await world.run(new TaskList(alice.store).add('written alone'))
  alice.crash()
  await world.run(alice.start())
  assert.deepEqual(await new TaskList(alice.store).list(), [{ id, title: 'written alone', done: false }])

  world.heal()
  await world.converge()
  assert.deepEqual(await new TaskList(bob.store).list(), [{ id, title: 'written alone', done: false }])
  await world.close()
})
