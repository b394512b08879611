// A world as a test of an app uses it: time, faults, what is left behind, and what a failure tells.
import { Key } from 'interface-datastore'
import { describe, expect, test, vi } from 'vitest'
import { CrdtDatastore } from '../../src/datastore.ts'
import { SimulatedDisk, World, type WorldInit } from '../../src/testkit/index.ts'

// A busy machine takes its time; no test waits for anything else.
vi.setConfig({ testTimeout: 60_000 })

const key = new Key('/key')
const bytes = (text: string) => new TextEncoder().encode(text)
const link = { jitterMs: 20, loss: 0.2, duplication: 0.2 }

async function shown(world: World, name: string, of = key): Promise<string> {
  return new TextDecoder().decode(await world.run(world.get(name).store.get(of)))
}

describe('the seed', () => {
  /** The trace of a short life. */
  async function live(init: WorldInit): Promise<readonly string[]> {
    const world = new World(init)
    const replicas = await world.replicas(['alice', 'bob', 'carol'])
    for (let round = 0; round < 20; round++) {
      for (const { store, name } of replicas) await world.run(store.put(key, bytes(`${name} ${round}`)))
      await world.advance(world.random('pauses')() * 50)
    }
    world.get('alice').losePower()
    await world.run(world.get('alice').start())
    world.heal()
    await world.converge()
    await world.close()
    return world.trace.lines()
  }

  test('makes the same trace, byte for byte, and another one another', async () => {
    const [first, again, other] = [
      await live({ seed: 1, link }),
      await live({ seed: 1, link }),
      await live({ seed: 2, link })
    ]
    expect(first.length).toBeGreaterThan(100)
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('stands in the message when time runs out', async () => {
    const world = new World({ seed: 77 })
    const [alice] = await world.replicas(['alice', 'bob'])
    world.partition(['alice'], ['bob'])
    await world.run(alice!.store.put(key, bytes('unheard')))
    await expect(world.converge(5000)).rejects.toThrow(
      /level \(seed 77\)\n {2}alice: 1 nodes.*\n {2}bob: 0 nodes/
    )
    await expect(world.until(() => false, 10)).rejects.toThrow('(seed 77)')
    await expect(world.run(new Promise(() => {}), 10)).rejects.toThrow('Not within 10 ms of virtual time')
  })
})

describe('time', () => {
  test('passes while something is waited for, and an hour is nothing', async () => {
    const world = new World({ seed: 1 })
    const tick = () => new Promise<void>((resolve) => world.clock.setTimeout(resolve, 3_600_000))
    await world.run(tick, 4_000_000)
    expect(world.clock.now()).toBe(3_600_000)
    await world.advance(500)
    expect(world.clock.now()).toBe(3_600_500)
  })

  test('is given to functions too, and their errors come out as they are', async () => {
    const world = new World({ seed: 1 })
    const { store } = await world.replica('alice')
    const put = async () => {
      await store.put(key, bytes('one'))
      await store.put(key, bytes('two'))
      return 2
    }
    expect(await world.run(put)).toBe(2)
    const refused = new RangeError('no')
    const throwing = () => {
      throw refused
    }
    await expect(world.run(throwing)).rejects.toBe(refused)
  })

  test('of an app ends with its process', async () => {
    const world = new World({ seed: 1 })
    const alice = await world.replica('alice')
    const ran: string[] = []
    alice.clock.setTimeout(() => ran.push('before'), 10)
    alice.clock.setTimeout(() => ran.push('after'), 30)
    await world.advance(20)
    alice.crash()
    await world.advance(20)
    expect(ran).toEqual(['before'])
    expect(() => alice.clock).toThrow('alice is not running')
    await world.run(alice.start())
    alice.clock.setTimeout(() => ran.push('too late'), 10)
    // A timer of the app is not of the store, which leaves nothing behind.
    await world.close()
    await world.advance(20)
    expect(ran).toEqual(['before'])
  })
})

describe('replicas', () => {
  test('are real stores, one for each name', async () => {
    const world = new World({ seed: 1 })
    const alice = await world.replica('alice', { linksMax: 3 })
    expect(alice.store).toBeInstanceOf(CrdtDatastore)
    expect(world.get('alice')).toBe(alice)
    await expect(world.replica('alice')).rejects.toThrow('There is a replica alice already')
    expect(() => world.get('bob')).toThrow('There is no replica bob')
  })

  test('lose nothing to a crash, and what was not flushed to a loss of power', async () => {
    for (const durability of ['process', 'fsync'] as const) {
      const kept = { crash: 0, power: 0 }
      for (let seed = 0; seed < 20; seed++) {
        for (const how of ['crash', 'power'] as const) {
          const world = new World({ seed })
          const alice = await world.replica('alice', { durability })
          await world.run(alice.store.put(key, bytes('kept?')))
          if (how === 'crash') alice.crash()
          else alice.losePower()
          expect(alice.isRunning).toBe(false)
          await world.run(alice.start())
          if (await world.run(alice.store.has(key))) kept[how]++
        }
      }
      expect(kept.crash).toBe(20)
      if (durability === 'fsync') expect(kept.power).toBe(20)
      else expect(kept.power).toBeLessThan(20)
    }
  })

  test('get from the others what a lost disk had, and an old copy of a disk catches up', async () => {
    const world = new World({ seed: 1 })
    const [alice] = await world.replicas(['alice', 'bob'])
    await world.run(alice!.store.put(key, bytes('one')))
    await world.converge()
    const backup = alice!.disk.copy()
    await world.run(alice!.store.put(key, bytes('two')))
    await world.converge()
    for (const disk of [new SimulatedDisk(), backup]) {
      alice!.replaceDisk(disk)
      await world.run(alice!.start())
      await world.converge()
      expect(await shown(world, 'alice')).toBe('two')
    }
  })

  test('that are cut off one way are not heard, and are level again after it', async () => {
    const world = new World({ seed: 1 })
    const [alice, bob] = await world.replicas(['alice', 'bob'])
    await world.converge()
    world.cut('alice', 'bob')
    await world.run(alice!.store.put(key, bytes('from alice')))
    await world.run(bob!.store.put(new Key('/other'), bytes('from bob')))
    await world.advance(1000)
    expect(await world.run(bob!.store.has(key))).toBe(false)
    world.heal()
    await world.converge()
    expect(await shown(world, 'bob')).toBe('from alice')
  })

  test('keep what their stores told and logged', async () => {
    const world = new World({ seed: 1 })
    const [alice, bob] = await world.replicas(['alice', 'bob'])
    await world.run(alice!.store.put(key, bytes('one')))
    await world.converge()
    expect(bob!.lives.map(({ changes }) => changes.map(({ origin }) => origin))).toEqual([['remote']])
    bob!.crash()
    await world.run(bob!.start())
    expect(bob!.lives.map(({ number, startedEmpty }) => [number, startedEmpty])).toEqual([
      [1, true],
      [2, false]
    ])
  })
})

test('whoever leaves something behind makes the world fail', async () => {
  const world = new World({ seed: 5 })
  const { store } = await world.replica('alice')
  // A store that was told to close and does not.
  store.close = async () => {}
  await expect(world.close()).rejects.toMatchObject({
    name: 'WorldError',
    message: expect.stringMatching(/^alice left behind: handler of .*timers \(seed 5\)$/)
  })
})
