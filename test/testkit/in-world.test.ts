// A test in a world of its own: what it gives back, what it tells when it fails, and that nothing goes on after it.
import assert from 'node:assert/strict'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { inWorld, type SimulatedReplica, WorldError } from '../../src/testkit/index.ts'

const key = new Key('/key')
const bytes = (text: string) => new TextEncoder().encode(text)

test('what the scenario returns comes out, and its replicas are closed', async () => {
  let replica: SimulatedReplica | undefined
  const result = await inWorld({ seed: 1 }, async (world) => {
    replica = await world.replica('alice')
    return 7
  })
  expect(result).toBe(7)
  expect(replica?.isRunning).toBe(false)
})

test('a failure tells the seed, every DAG and the trace, and has its cause', async () => {
  let replica: SimulatedReplica | undefined
  const failure = await inWorld({ seed: 4711 }, async (world) => {
    const [alice, bob] = await world.replicas(['alice', 'bob'])
    replica = alice
    world.partition(['alice'], ['bob'])
    await world.run(alice!.store.put(key, bytes('one')))
    assert.equal(await world.run(bob!.store.has(key)), true)
  }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(WorldError)
  const { message, cause } = failure as WorldError
  expect(cause).toBeInstanceOf(assert.AssertionError)
  for (const part of [
    'AssertionError',
    'Seed: 4711',
    'DAG of alice:',
    '/key',
    'DAG of bob:',
    'world partition'
  ]) {
    expect(message).toContain(part)
  }
  expect(replica?.isRunning).toBe(false)
})

test('what a replica leaves behind is a failure too', async () => {
  const failing = inWorld({ seed: 1 }, async (world) => {
    const { store } = await world.replica('alice')
    store.close = async () => {}
  })
  await expect(failing).rejects.toThrow(/WorldError: alice left behind: .*\n\nSeed: 1/)
})

test('a failure in the middle of a write is told too, though reads wait for the disk', async () => {
  const failing = inWorld({ seed: 1 }, async (world) => {
    const alice = await world.replica('alice', { kind: 'plain' })
    await world.run(alice.store.put(key, bytes('one')))
    alice.disk.faults.writeMs = () => 50
    void alice.store.put(key, bytes('two'))
    await world.advance(120)
    throw new RangeError('in the middle')
  })
  await expect(failing).rejects.toThrow(/RangeError: in the middle[\s\S]*DAG of alice:\n.*\/key/)
})

test('a report is short, however much happened', async () => {
  await inWorld({ seed: 1 }, async (world) => {
    const { store } = await world.replica('alice')
    await world.run(async () => {
      for (let index = 0; index < 300; index++) await store.put(new Key(`/${index}`), bytes('x'.repeat(500)))
    })
    const lines = (await world.report()).split('\n')
    expect(lines.length).toBeLessThan(250)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(400)
  })
})
